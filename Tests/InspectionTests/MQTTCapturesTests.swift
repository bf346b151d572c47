import Custody
import Inspection
import Testing

/// Every recording in captures/mqtt ends as its truth file says.
@Suite struct MQTTCapturesTests {
  /// Where a truth file says that another reading can be defended, and we take that other one.
  ///
  /// A subscriber that starts clean, or that asked for a session which ends with its connection,
  /// has released the server; and QoS 2 is done with PUBCOMP, because a receiver may hold a message
  /// back until PUBREL (3.1.1 §4.3.3, method A).
  static let otherReadings: [String: (subscriber: String, counts: [String: Int])] = [
    "clean-start-drops-queue": ("fresh", ["acknowledged": 1, "expired": 3]),
    "stopped-then-killed-clean-session": ("gc", ["acknowledged": 3, "expired": 4]),
    "qos-2-abandoned-before-pubcomp": ("half", ["pending": 1]),
  ]

  /// As truth files count, without zeros.
  static func counts(_ observation: CaptureObservation) -> [String: [String: Int]] {
    var counts: [String: [String: Int]] = [:]
    for session in observation.sessions where session.sentAtMostOnce > 0 {
      counts[session.subscriber, default: [:]]["qos0", default: 0] += Int(session.sentAtMostOnce)
    }
    for delivery in observation.deliveries {
      counts[delivery.subscriber, default: [:]][delivery.state.rawValue, default: 0] += 1
      if delivery.state == .acknowledged, delivery.attempts > 1 {
        counts[delivery.subscriber, default: [:]]["redelivered", default: 0] += 1
      }
    }
    return counts
  }

  @Test func `there are captures`() {
    #expect(Captures.mqtt.count > 40)
  }

  @Test(arguments: Captures.mqtt)
  func `deliveries end as the truth file says`(_ truth: Captures.Truth) throws {
    let inspection = try CaptureInspection.inspect(Captures.path("mqtt/" + truth.file))
    var expected = truth.expected.subscribers.mapValues { $0.filter { $0.value > 0 } }
    if let other = Self.otherReadings[truth.name] {
      #expect(truth.expected.doubtful)
      expected[other.subscriber] = other.counts
    }
    var found = Self.counts(inspection.observation)
    if truth.expected.blind == true {
      // A truth file names nobody whose name is not in the capture.
      let named = Set(inspection.observation.sessions.filter(\.isIdentified).map(\.subscriber))
      found = found.filter { named.contains($0.key) }
    }
    #expect(found == expected.filter { !$0.value.isEmpty })
  }

  @Test(arguments: Captures.mqtt)
  func `findings are those of the truth file, and no others`(_ truth: Captures.Truth) throws {
    let inspection = try CaptureInspection.inspect(Captures.path("mqtt/" + truth.file))
    let violated = inspection.observation.findings.filter { $0.verdict == .violated }
    let found = Set(
      violated.map {
        Captures.Truth.Expected.Finding(oracle: $0.oracle.rawValue, subscriber: $0.subscriber)
      })
    let isOther = Self.otherReadings[truth.name] != nil
    #expect(found == (isOther ? [] : Set(truth.expected.findings)))
    #expect(inspection.hasViolations == !violated.isEmpty)
    for finding in violated { #expect(!finding.frames.isEmpty, "\(finding.headline)") }
  }

  @Test(arguments: Captures.mqtt)
  func `sessions and deliveries add up`(_ truth: Captures.Truth) throws {
    let observation = try CaptureInspection.inspect(Captures.path("mqtt/" + truth.file)).observation
    for (index, session) in observation.sessions.enumerated() {
      #expect(session.id.number == UInt32(index + 1))
      #expect(session.acknowledged <= session.sent)
      #expect(session.redelivered <= session.sent)
      #expect(session.accepted + session.rejected <= session.submitted)
    }
    for (index, delivery) in observation.deliveries.enumerated() {
      #expect(delivery.id.number == UInt32(index + 1))
      let times = delivery.events.map(\.moment.time)
      #expect(times == times.sorted())
      #expect((delivery.lateness != nil) == (delivery.state == .acknowledged))
      #expect(delivery.state == .acknowledged || !delivery.reason.isEmpty)
      let sent = delivery.events.count { $0.step == .sent || $0.step == .redelivered }
      #expect(sent == Int(delivery.attempts))
    }
  }

  @Test func `an acknowledgement after the server's FIN is not counted`() throws {
    let observation = try CaptureInspection.inspect(Captures.mqtt("zombie-past-keep-alive"))
      .observation
    let sessions = observation.sessions.filter { $0.subscriber == "gz" }
    #expect(sessions.map(\.sent) == [4, 3])
    #expect(sessions.map(\.unacknowledged) == [3, 0])
    #expect(sessions.map(\.redelivered) == [0, 3])
    let late = observation.deliveries.filter {
      $0.events.contains { $0.step == .lateAcknowledgement }
    }
    #expect(late.count == 1)
    #expect(late.allSatisfy { $0.state == .acknowledged && $0.attempts == 2 })
  }

  @Test func `what the kernel has is not what anybody has read`() throws {
    let observation = try CaptureInspection.inspect(Captures.mqtt("stopped-then-killed"))
      .observation
    let redelivered = observation.deliveries.filter { $0.attempts > 1 }
    #expect(redelivered.count == 4)
    for delivery in redelivered {
      let first = delivery.events.prefix { $0.step != .redelivered }.map(\.step)
      #expect(first.contains(.sent) && first.contains(.transportAcknowledged))
      #expect(!first.contains(.acknowledged))
      #expect(delivery.events.last?.step == .acknowledged)
    }
    let story = try #require(observation.findings.first { $0.label == "RECOVERED" })
    #expect(story.deliveries == redelivered.map(\.id))
    #expect(story.verdict == .holds)
  }

  @Test func `a takeover says so`() throws {
    let observation = try CaptureInspection.inspect(Captures.mqtt("takeover-in-flight"))
      .observation
    #expect(observation.sessions.first { $0.subscriber == "dup" }?.end == .takenOver)
  }

  @Test func `a filter narrows the capture`() throws {
    let path = Captures.mqtt("qos-0-1-2")
    let whole = try CaptureInspection.inspect(path)
    let server = try #require(whole.observation.sessions.first?.client.split(separator: ":").last)
    let one = try CaptureInspection.inspect(path, filter: "tcp port \(server)")
    #expect(one.observation.sessions.count == 1)
    // Without the publishers' connections nobody knows who published.
    #expect(one.observation.deliveries.allSatisfy { $0.publisher == nil })
    #expect(one.observation.deliveries.count == 6)
  }
}
