import Custody
import Testing
import Timeline
import Wire

@testable import Inspection

/// What times and sizes prove of records that stay closed, and what they don't.
@Suite struct EncryptedConversationTests {
  /// A connection, one packet after the other; sizes are those of what is inside.
  private struct Wire {
    private var conversation = EncryptedConversation(
      ConnectionDescription(
        client: Endpoint(address: [10, 0, 0, 1], port: 50_000),
        server: Endpoint(address: [10, 0, 0, 2], port: 443), clientRule: .synSender))
    private var now = Instant(nanoseconds: 1_000_000_000)
    private var frame: UInt32 = 0
    private var sent: (toServer: UInt64, toClient: UInt64) = (0, 0)

    mutating func wait(_ length: Nanoseconds) { now = now + length }

    mutating func tell(_ event: ConnectionEvent) {
      frame += 1
      conversation.receive(event, at: Moment(time: now, frame: frame))
    }

    mutating func client(_ length: UInt64) {
      tell(.gap(.toServer, offset: sent.toServer, length: length, .encrypted))
      sent.toServer += length
    }

    mutating func server(_ length: UInt64, isAcknowledged: Bool = true) {
      tell(.gap(.toClient, offset: sent.toClient, length: length, .encrypted))
      sent.toClient += length
      if isAcknowledged { tell(.acknowledged(.toClient, upTo: sent.toClient)) }
    }

    mutating func repeats() { tell(.retransmission(.toClient, offset: 0, length: sent.toClient)) }

    /// The labels when the capture ends so long after the last packet.
    func findings(after length: Nanoseconds = .seconds(5)) -> [String] {
      let all = conversation.findings(at: Moment(time: now + length, frame: 0))
      #expect(all.allSatisfy { $0.verdict == .inconclusive })
      return all.map(\.label)
    }
  }

  /// Logged in, with an answer, and then a push that is acknowledged with four bytes.
  private func pushed() -> Wire {
    var wire = Wire()
    wire.client(30)
    wire.wait(.milliseconds(100))
    wire.server(4)
    wire.wait(.seconds(3))
    wire.server(40)
    wire.wait(.milliseconds(50))
    wire.client(4)
    wire.wait(.seconds(3))
    return wire
  }

  @Test func `a push that is not answered like others before is told of`() {
    var wire = pushed()
    #expect(wire.findings() == [])
    wire.server(40)
    #expect(wire.findings() == ["UNANSWERED"])
    wire.client(4)
    #expect(wire.findings() == [])
  }

  @Test func `when the capture ends at once the answer may be on its way`() {
    var wire = pushed()
    wire.server(40)
    #expect(wire.findings(after: .milliseconds(4)) == [])
    #expect(wire.findings(after: .milliseconds(999)) == [])
    #expect(wire.findings(after: .milliseconds(1001)) == ["UNANSWERED"])
    // But not when the connection ends.
    wire.wait(.milliseconds(10))
    wire.tell(.reset(.toServer))
    #expect(wire.findings() == ["UNANSWERED"])
  }

  @Test func `what may answer a request is no push, however long it took`() {
    for isCutOff in [true, false] {
      var wire = pushed()
      wire.client(300)
      wire.wait(.seconds(2))
      wire.server(3_900)
      wire.wait(.milliseconds(50))
      if isCutOff { wire.tell(.reset(.toServer)) }
      #expect(wire.findings() == [])
    }
    // What comes unasked behind the answer is one.
    var wire = pushed()
    wire.client(300)
    wire.wait(.seconds(2))
    wire.server(3_900)
    wire.wait(.seconds(2))
    wire.server(40)
    #expect(wire.findings() == ["UNANSWERED"])
  }

  @Test func `a record of many segments may have begun before the quiet`() {
    for (length, labels) in [(5_000, []), (1_000, ["UNANSWERED"])] as [(UInt64, [String])] {
      var wire = pushed()
      wire.client(300)
      wire.wait(.milliseconds(500))
      wire.server(16_384)
      wire.wait(.milliseconds(290))
      wire.server(length)
      wire.tell(.reset(.toServer))
      #expect(wire.findings() == labels)
    }
  }

  @Test func `a burst and then nothing is no silence, a rhythm that stops is`() {
    var burst = Wire()
    for _ in 0..<20 {
      burst.client(30)
      burst.wait(.milliseconds(100))
    }
    burst.wait(.seconds(3))
    burst.client(30)
    #expect(burst.findings(after: .seconds(3000)) == [])
    var rhythm = Wire()
    for _ in 0..<4 {
      rhythm.client(2)
      rhythm.wait(.seconds(25))
    }
    rhythm.client(2)
    #expect(rhythm.findings(after: .seconds(49)) == [])
    #expect(rhythm.findings(after: .seconds(51)) == ["SILENT"])
  }

  @Test func `repetitions without an answer prove something when the client was ever seen`() {
    var unseen = Wire()
    unseen.server(300, isAcknowledged: false)
    var seen = Wire()
    seen.client(30)
    seen.server(300, isAcknowledged: false)
    for _ in 0..<4 {
      unseen.wait(.seconds(2))
      unseen.repeats()
      seen.wait(.seconds(2))
      seen.repeats()
    }
    #expect(unseen.findings() == [])
    #expect(seen.findings() == ["HALF-OPEN"])
    seen.tell(.acknowledged(.toClient, upTo: 300))
    #expect(seen.findings() == [])
  }
}
