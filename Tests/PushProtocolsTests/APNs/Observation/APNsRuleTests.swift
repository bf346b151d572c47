import Custody
import Timeline
import Wire
import Testing

@testable import PushProtocols

/// Rules that a capture alone can prove to be broken.
@Suite struct APNsRuleTests {
  // MARK: Acknowledgements

  @Test(arguments: [false, true])
  func `an acknowledgement of nothing is told`(_ packed: Bool) {
    let wire = APNsWire(packed: packed)
    wire.join("a")
    wire.ack("a", 99)
    wire.close("a")
    #expect(wire.rules == ["apns-ack-identity"])
  }

  @Test func `in a connection that began before the capture it is not`() {
    let wire = APNsWire()
    let observers = CaptureObservers(assigned: [5223: "apns"])
    let description = ConnectionDescription(
      client: Endpoint(address: [10, 0, 0, 2], port: 50_000),
      server: Endpoint(address: [17, 0, 0, 1], port: 5223), clientRule: .port)
    func tell(_ event: ConnectionEvent, _ bytes: [UInt8] = []) {
      unsafe bytes.withUnsafeBytes {
        unsafe observers.receive(
          event, of: ConnectionID(0), description, bytes: $0,
          at: Moment(time: wire.now, frame: 1))
      }
    }
    tell(.began(handshake: false))
    tell(
      .bytes(.toServer, offset: 0),
      APNsSerialFraming.encode(
        APNsFrame(
          .ack, [.stored(1, APNsWire.token(1)), APNsItem(4, .integer(7)), APNsItem(8, .integer(0))])
      )!)
    tell(
      .bytes(.toClient, offset: 0),
      APNsSerialFraming.encode(APNsWire.notification(8))!)
    tell(.ended(.captureOver))
    let observation = observers.finish(at: Moment(time: wire.now, frame: 1)).0
    #expect(observation.findings.isEmpty)
    #expect(observation.sessions.count == 1)
    #expect(observation.deliveries.map(\.state) == [.pending])
  }

  @Test func `an acknowledgement that was recorded before its notification counts`() {
    let wire = APNsWire()
    wire.join("a")
    wire.ack("a", 1)
    wire.notify("a", 1)
    wire.close("a")
    #expect(wire.states == [.acknowledged])
    #expect(wire.violations.isEmpty)
  }

  @Test func `the token of another user completes nothing`() {
    let wire = APNsWire()
    wire.join("a")
    wire.device("a", APNsWire.connect(2))
    wire.courier("a", APNsWire.response(2))
    wire.notify("a", 1)
    wire.ack("a", 1, token: 2)
    wire.close("a")
    #expect(wire.rules == ["apns-ack-token"])
    #expect(wire.states == [.unknown])
    #expect(wire.observation.sessions[0].subscriber == "device 010101010101")
  }

  @Test func `users of one device get their own`() {
    let wire = APNsWire()
    wire.join("a")
    wire.device("a", APNsWire.connect(2))
    wire.courier("a", APNsWire.response(2))
    wire.notify("a", 1, token: 2)
    wire.ack("a", 1, token: 2)
    #expect(wire.states == [.acknowledged])
    #expect(wire.observation.deliveries[0].subscriber == "device 020202020202")
    #expect(wire.violations.isEmpty)
  }

  @Test func `the token of an app leads to its device`() {
    let wire = APNsWire()
    wire.join("a")
    wire.device(
      "a",
      APNsFrame(.appToken, [.stored(1, APNsWire.token(1)), APNsItem(2, .bytes(APNsWire.app))]))
    wire.courier(
      "a",
      APNsFrame(
        .appTokenResponse,
        [
          APNsItem(1, .integer(0)), APNsItem(2, .bytes(APNsWire.token(9))),
          APNsItem(3, .bytes(APNsWire.app)),
        ]))
    wire.notify("a", 1, token: 9)
    // Some clients acknowledge with the device's own token.
    wire.ack("a", 1, token: 1)
    #expect(wire.states == [.acknowledged])
    #expect(wire.observation.deliveries[0].subscriber == "device 010101010101")
    #expect(wire.violations.isEmpty)
  }

  @Test func `an acknowledgement does not cross a reconnect`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 1)
    wire.reset("a")
    wire.join("b", presented: 1)
    wire.ack("b", 1)
    wire.wait(.seconds(2))
    wire.keepAlive("b")
    wire.close("b")
    #expect(wire.rules == ["apns-ack-connection"])
    #expect(wire.states == [.pending])
  }

  @Test func `nor does it when the notification comes again after it`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 1)
    wire.reset("a")
    wire.join("b", presented: 1)
    wire.ack("b", 1)
    wire.wait(.seconds(2))
    wire.notify("b", 1)
    wire.ack("b", 1)
    wire.close("b")
    #expect(wire.rules == ["apns-ack-connection"])
    #expect(wire.states == [.acknowledged])
  }

  @Test func `the courier may only acknowledge what was sent to it`() {
    let wire = APNsWire()
    wire.join("a")
    let up = APNsFrame(
      .notification,
      [.stored(1, APNsWire.app), .stored(2, APNsWire.token(1)), APNsItem(4, .integer(5))])
    wire.device("a", up)
    wire.courier("a", APNsFrame(.ack, [APNsItem(4, .integer(5)), APNsItem(8, .integer(0))]))
    wire.device("a", up)
    wire.courier("a", APNsFrame(.ack, [APNsItem(8, .integer(0x80))]))
    #expect(wire.violations.isEmpty)
    #expect(wire.observation.sessions[0].submitted == 2)
    #expect(wire.observation.sessions[0].accepted == 1)
    #expect(wire.observation.sessions[0].rejected == 1)

    let other = APNsWire()
    other.join("a")
    other.courier("a", APNsFrame(.ack, [APNsItem(4, .integer(5)), APNsItem(8, .integer(0))]))
    #expect(other.rules == ["apns-ack-identity"])
  }

  // MARK: Keep-alive

  @Test func `a device that uses a connection without an answer is a zombie's victim`() throws {
    let wire = APNsWire()
    wire.join("a")
    wire.device("a", APNsFrame(.keepAlive))
    wire.wait(.seconds(30))
    wire.device("a", APNsFrame(.keepAlive))
    wire.close("a")
    #expect(wire.rules == ["apns-keep-alive"])
    #expect(wire.violations[0].oracle == .zombie)
    let detail = SessionDetail("keep-alives", "2, answered 0")
    #expect(wire.observation.sessions[0].details.contains(detail))
  }

  @Test func `answers in time, late ones by agreement, and the end of the capture are none`() {
    let inTime = APNsWire()
    inTime.join("a")
    inTime.device("a", APNsFrame(.keepAlive))
    inTime.wait(.seconds(19))
    inTime.courier("a", APNsFrame(.keepAliveResponse))
    inTime.keepAlive("a")
    #expect(inTime.violations.isEmpty)

    let delayed = APNsWire()
    delayed.join("a")
    delayed.device("a", APNsFrame(.keepAlive, [APNsItem(6, .text(Array("900".utf8)))]))
    delayed.wait(.minutes(10))
    delayed.device("a", APNsFrame(.setState, [APNsItem(1, .integer(1))]))
    #expect(delayed.violations.isEmpty)

    let cut = APNsWire()
    cut.join("a")
    cut.device("a", APNsFrame(.keepAlive))
    cut.wait(.minutes(10))
    #expect(cut.violations.isEmpty)
  }

  @Test func `an interval in the keep-alive is kept`() {
    let wire = APNsWire()
    wire.join("a")
    wire.device("a", APNsFrame(.keepAlive, [APNsItem(5, .text(Array("15".utf8)))]))
    #expect(wire.observation.sessions[0].keepAlive == .minutes(15))
  }

  // MARK: Connecting

  @Test func `a device that never says what it wants is told`() {
    let wire = APNsWire()
    wire.open("a")
    wire.device("a", APNsWire.connect(1))
    wire.courier("a", APNsWire.response(1))
    wire.wait(.seconds(61))
    wire.keepAlive("a")
    #expect(wire.rules == ["apns-filter-after-connect"])
  }

  @Test func `a refused token that is presented again and again is a loop`() {
    func run(_ count: Int) -> APNsWire {
      let wire = APNsWire()
      for index in 0..<count {
        wire.open("\(index)")
        wire.device("\(index)", APNsWire.connect(1))
        wire.courier("\(index)", APNsWire.response(nil, status: 2))
        wire.close("\(index)")
      }
      return wire
    }
    #expect(run(2).violations.isEmpty)
    #expect(run(3).rules == ["apns-refused-token"])
    #expect(run(3).observation.sessions.map(\.end) == [.refused, .refused, .refused])
  }

  @Test func `another token is told, and is not wrong`() {
    let wire = APNsWire()
    wire.join("a")
    wire.close("a")
    wire.join("b", 2, presented: 1)
    #expect(wire.violations.isEmpty)
    #expect(wire.labels == ["NEW TOKEN"])
    #expect(
      wire.observation.sessions.map(\.subscriber)
        == ["device 010101010101", "device 020202020202"])
    #expect(wire.observation.sessions.map(\.resumed) == [false, false])
  }

  @Test func `a Connect with state 2 is a goodbye`() {
    let wire = APNsWire()
    wire.join("a")
    wire.device("a", APNsFrame(.connect, [APNsItem(2, .integer(2))]))
    wire.close("a")
    #expect(wire.observation.sessions[0].end == .disconnected)
  }

  // MARK: Frames

  @Test func `a frame that was lost on the way to the encoder's tables is told`() {
    let wire = APNsWire(packed: true)
    wire.join("a")
    // The courier's program counts it as sent; nobody writes it.
    _ = wire.encode("a", .toClient, APNsWire.notification(1, token: 7))
    wire.notify("a", 2, token: 7)
    wire.wait(.seconds(40))
    wire.keepAlive("a")
    #expect(wire.rules == ["apns-pack-tables"])
    #expect(wire.observation.sessions[0].evidenceMissing.contains("tables"))
    // Frames behind it are counted still, however they are cut into segments.
    #expect(
      wire.observation.sessions[0].messages.contains(
        MessageCount("KeepAliveResponse", toServer: 0, toClient: 1)))
  }

  @Test func `a frame that came twice shifts what later ones mean`() {
    let wire = APNsWire(packed: true)
    wire.join("a")
    let first = wire.encode("a", .toClient, APNsWire.notification(1, token: 7))
    wire.bytes("a", .toClient, first)
    wire.ack("a", 1, token: 7)
    // Spliced in once more: what it stored is stored twice, and indices behind it are off.
    wire.bytes("a", .toClient, first)
    wire.ack("a", 1, token: 7)
    wire.notify("a", 2, token: 7)
    wire.close("a")
    #expect(wire.observation.deliveries.map(\.attempts).max() == 2)
    // No sign of it on the wire: references still lead somewhere.
    #expect(!wire.rules.contains("apns-pack-tables"))
  }

  @Test func `a frame that ends in the middle of an item is told`() {
    let wire = APNsWire()
    wire.join("a")
    wire.bytes("a", .toClient, [0x0A, 0, 0, 0, 7, 4, 0, 9, 0, 0, 0, 1])
    wire.keepAlive("a")
    #expect(wire.rules == ["apns-item-overrun"])
  }

  @Test func `a message identifier of two bytes is told, an odd date is a warning`() {
    let wire = APNsWire()
    wire.join("a")
    wire.bytes("a", .toServer, [0x0B, 0, 0, 0, 5, 4, 0, 2, 0, 1])
    wire.bytes("a", .toClient, [0x0A, 0, 0, 0, 5, 6, 0, 2, 0, 1])
    #expect(wire.rules.first == "apns-item-width")
    #expect(wire.observation.warnings.count == 1)
  }

  @Test func `an entry larger than the table is doubt and no violation`() {
    let wire = APNsWire(packed: true)
    wire.join("a")
    wire.notify("a", 1)
    wire.courier(
      "a",
      APNsFrame(.notification, [.stored(3, [UInt8](repeating: 1, count: 5000))]))
    wire.wait(.seconds(40))
    wire.keepAlive("a")
    #expect(wire.violations.isEmpty)
    #expect(wire.states == [.unknown])
  }
}
