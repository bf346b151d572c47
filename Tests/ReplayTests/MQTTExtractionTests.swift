import Custody
import PushProtocols
import Replay
import Simulation
import Testing
import Timeline
import Wire

/// Connections written by hand, and the scenario that has to come out.
@Suite struct MQTTExtractionTests {
  private let phone = NodeID(device: 0)

  private func actions(_ history: ExtractedHistory, of node: NodeID) -> [Action] {
    history.scenario.steps.filter { $0.node == node }.map(\.action)
  }

  private func parameter(_ name: String, _ history: ExtractedHistory, _ device: Int = 0) -> UInt64?
  {
    history.scenario.devices[device].parameters.first { $0.name == name }?.value
  }

  @Test func `an ordinary delivery becomes its workload and nothing else`() throws {
    let capture = WrittenCapture()
    capture.connect("phone", 0, at: .zero)
    capture.subscribe("t/#", 0, at: .milliseconds(1))
    capture.connect("", 1, at: .milliseconds(50), clean: true)
    capture.publish(7, 1, .toServer, 1, at: .milliseconds(60))
    capture.publish(7, 1, .toClient, 0, at: .milliseconds(61))
    capture.disconnect(1, at: .milliseconds(70))
    capture.disconnect(0, at: .milliseconds(90))
    let history = try #require(capture.end(at: .milliseconds(100)).first)
    let scenario = history.scenario
    #expect(history.subscriber == "phone")
    #expect(scenario.devices.map(\.name) == ["phone", "publisher"])
    #expect(scenario.topics.sorted() == ["t/#", "t/x"])
    #expect(scenario.faults.isEmpty && history.unmodelled.isEmpty)
    #expect(scenario.path.rtt == .microseconds(200))
    let filter = try #require(scenario.topics.firstIndex(of: "t/#"))
    let topic = try #require(scenario.topics.firstIndex(of: "t/x"))
    #expect(
      actions(history, of: phone)
        == [.connect, .subscribe(topic: UInt16(filter), quality: 1), .disconnect])
    #expect(
      actions(history, of: NodeID(device: 1))
        == [
          .connect, .submit(Submission(publication: 1, topic: UInt16(topic), quality: 1)),
          .disconnect,
        ])
    // The device acts so much earlier that its packet passes the capture when it did.
    let submitted = try #require(scenario.steps.first { $0.node != phone && $0.action != .connect })
    let early = scenario.path.deviceDelay + .microseconds(50)
    #expect(submitted.time + early == .start + .milliseconds(60))
    #expect(try Replay.fidelity(of: history).all.isWhole)
  }

  @Test func `publishers without identity that follow each other are one device`() throws {
    let capture = WrittenCapture()
    capture.connect("phone", 0, at: .zero)
    capture.subscribe("t/#", 0, at: .milliseconds(1))
    for index: UInt32 in 1...3 {
      let time = Nanoseconds.milliseconds(UInt64(index) * 50)
      capture.connect("", index, at: time, clean: true)
      capture.publish(UInt8(index), 1, .toServer, index, at: time + .milliseconds(5))
      capture.publish(
        UInt8(index), UInt16(index), .toClient, 0, at: time + .milliseconds(6))
      capture.disconnect(index, at: time + .milliseconds(9))
    }
    let history = try #require(capture.end(at: .seconds(1)).first)
    #expect(history.scenario.devices.count == 2)
    #expect(actions(history, of: NodeID(device: 1)).count == 9)
    #expect(try Replay.fidelity(of: history).isFaithful)
  }

  @Test func `a program stopped and killed sleeps, dies and is launched`() throws {
    let capture = WrittenCapture()
    capture.connect("phone", 0, at: .zero)
    capture.subscribe("t/#", 0, at: .milliseconds(1))
    capture.connect("", 1, at: .milliseconds(50), clean: true)
    capture.publish(1, 1, .toServer, 1, at: .milliseconds(100))
    capture.publish(1, 1, .toClient, 0, at: .milliseconds(101), isAnswered: false)
    capture.disconnect(1, at: .milliseconds(110))
    capture.reset(.toServer, 0, at: .seconds(1))
    capture.connect("phone", 2, at: .seconds(2), present: true)
    capture.subscribe("t/#", 2, at: .milliseconds(2_001))
    capture.publish(1, 1, .toClient, 2, at: .milliseconds(2_002), duplicate: true)
    let history = try #require(capture.end(at: .milliseconds(2_100)).first)
    let kinds = actions(history, of: phone)
    #expect(kinds.first == .connect)
    #expect(Array(kinds.suffix(3)) == [.sleep, .kill(host: false), .launch])
    #expect(history.scenario.faults.isEmpty)
    let fidelity = try Replay.fidelity(of: history)
    #expect(fidelity.isFaithful, "\(fidelity.differences)")
    let down = try #require(fidelity.ledger.first { $0.receiver == phone })
    #expect(down.simulated?.sends == 2 && down.captured?.sends == 2)
  }

  @Test func `two clients of one identity at once are two devices`() throws {
    let capture = WrittenCapture()
    capture.connect("phone", 0, at: .zero)
    capture.subscribe("t/#", 0, at: .milliseconds(1))
    capture.connect("phone", 1, at: .milliseconds(500), present: true)
    capture.finish(.toClient, 0, at: .milliseconds(501))
    capture.finish(.toServer, 0, at: .milliseconds(502))
    let history = try #require(capture.end(at: .milliseconds(900)).first)
    #expect(history.scenario.devices.map(\.name) == ["phone", "phone-2"])
    #expect(Set(history.scenario.devices.map(\.identity)) == ["phone"])
    #expect(history.scenario.faults.isEmpty, "a takeover happens by itself")
    #expect(try Replay.fidelity(of: history).all.isWhole)
  }

  @Test func `a client that comes back by itself is not told to`() throws {
    let capture = WrittenCapture()
    capture.connect("phone", 0, at: .zero, keepAlive: 1)
    capture.subscribe("t/#", 0, at: .milliseconds(1))
    // Another client shows that the server as such is there.
    capture.connect("other", 1, at: .milliseconds(10))
    capture.finish(.toClient, 0, at: .milliseconds(1_700))
    capture.finish(.toServer, 0, at: .milliseconds(1_701))
    capture.connect("phone", 2, at: .milliseconds(2_400), present: true, keepAlive: 1)
    let history = try #require(capture.end(at: .milliseconds(2_500)).first)
    #expect(actions(history, of: phone).count == 2, "connect and subscribe")
    let pause = try #require(parameter("back-off-min", history))
    #expect(abs(Int64(pause) - 700_000_000) < 2_000_000)
    // One pause says nothing about the second.
    #expect(parameter("back-off-max", history) == nil && parameter("jitter", history) == 0)
    #expect(history.scenario.budget == StormBudget())
  }

  @Test func `a client that always waits as long may ask as often`() throws {
    let capture = WrittenCapture()
    capture.connect("phone", 0, at: .zero, keepAlive: 1)
    capture.subscribe("t/#", 0, at: .milliseconds(1))
    capture.connect("other", 1, at: .milliseconds(10))
    capture.finish(.toClient, 0, at: .milliseconds(1_700))
    capture.finish(.toServer, 0, at: .milliseconds(1_701))
    capture.connect("phone", 2, at: .milliseconds(2_400), present: true, keepAlive: 1)
    capture.finish(.toClient, 2, at: .milliseconds(3_700))
    capture.finish(.toServer, 2, at: .milliseconds(3_701))
    capture.connect("phone", 3, at: .milliseconds(4_400), present: true, keepAlive: 1)
    let history = try #require(capture.end(at: .milliseconds(4_500)).first)
    let pause = try #require(parameter("back-off-min", history))
    #expect(parameter("back-off-max", history) == pause)
    // 85 attempts in a minute, on top of what every device may do.
    #expect(history.scenario.budget.connects == 30 + 85)
  }

  @Test func `a server that has forgotten a session it had to keep was restarted empty`() throws {
    let capture = WrittenCapture()
    capture.connect("phone", 0, at: .zero)
    capture.subscribe("t/#", 0, at: .milliseconds(1))
    capture.disconnect(0, at: .milliseconds(100))
    capture.connect("phone", 1, at: .seconds(3), present: false)
    capture.subscribe("t/#", 1, at: .milliseconds(3_001))
    let history = try #require(capture.end(at: .seconds(4)).first)
    let fault = try #require(history.scenario.faults.first)
    guard case .restartServer(_, host: false, wipe: true) = fault.kind,
      case .at(let time) = fault.anchor
    else {
      Issue.record("\(fault)")
      return
    }
    #expect(time > .start + .milliseconds(100) && time < .start + .seconds(3))
    #expect(history.faultNotes[0]?.isEmpty == false)
    #expect(try Replay.fidelity(of: history).all.isWhole)
  }

  @Test func `repetitions that nobody answers are a path that loses everything`() throws {
    let capture = WrittenCapture()
    capture.connect("phone", 0, at: .zero)
    capture.subscribe("t/#", 0, at: .milliseconds(1))
    let publish = MQTTPublish(topic: "t/x", payload: [1], qos: .atLeastOnce, packetID: 1)
    capture.send(
      .publish(publish), .toClient, 0, at: .seconds(1), isAcknowledged: false)
    for time: UInt64 in [1_200, 1_600, 2_400, 4_000] {
      capture.repeats(.toClient, 0, at: .milliseconds(time))
    }
    let history = try #require(capture.end(at: .seconds(6)).first)
    let fault = try #require(history.scenario.faults.first)
    guard case .lose(.both, let length) = fault.kind, case .at(let time) = fault.anchor else {
      Issue.record("\(fault)")
      return
    }
    #expect(time < .start + .seconds(1))
    #expect(time + length >= .start + .seconds(4))
    #expect(history.scenario.devices.map(\.name) == ["phone", "unseen-publisher"])
    let fidelity = try Replay.fidelity(of: history)
    #expect(fidelity.isFaithful, "\(fidelity.differences)")
  }

  @Test func `what a scenario can't say is listed with its frame`() throws {
    let capture = WrittenCapture()
    capture.connect("phone", 0, at: .zero)
    capture.subscribe("$share/g/t/#", 0, at: .milliseconds(1))
    let history = try #require(capture.end(at: .seconds(1)).first)
    let event = try #require(history.unmodelled.first)
    #expect(event.text.contains("shared subscription"))
    #expect(event.frame > 0 && event.device == phone)
  }

  @Test func `a capture without MQTT has no histories`() {
    #expect(WrittenCapture().end(at: .seconds(1)).isEmpty)
  }
}
