import Custody
import Testing
import Timeline
import Wire

@testable import PushProtocols

@Suite struct APNsRecognitionTests {
  private func judge(
    _ toServer: [UInt8], _ change: (inout ConnectionOpening) -> Void = { _ in }
  ) -> Recognition {
    var opening = ConnectionOpening(
      ConnectionDescription(
        client: Endpoint(address: [10, 0, 0, 2], port: 50_000),
        server: Endpoint(address: [17, 0, 0, 1], port: 5223), clientRule: .synSender))
    opening.handshake = true
    opening.toServer = toServer
    change(&opening)
    return APNsRecognition.judge(opening)
  }

  @Test(arguments: [APNsVectors.serial[5].bytes, APNsVectors.packed[4].bytes])
  func `a Connect is enough, and all of it is needed`(_ connect: [UInt8]) {
    #expect(judge(connect) == .mine)
    #expect(judge(connect + [0x0C]) == .mine)
    for count in 1..<connect.count { #expect(judge(Array(connect.prefix(count))) == .undecided) }
    #expect(judge(Array(connect.dropLast())) { $0.isComplete = true } == .notMine)
    #expect(judge(connect) { $0.handshake = false } == .notMine)
    #expect(judge(connect) { $0.hasGap = true } == .notMine)
  }

  @Test(arguments: [
    Array("GET / HTTP/1.1\r\n".utf8), [0x10, 0x0C, 0, 4, 0x4D], [0x16, 3, 1, 0, 5],
    APNsVectors.serial[0].bytes, [0x07, 0, 0, 0, 0], [0x07, 0, 1, 0, 0],
    // No state; an unknown tag; a state that is no greeting.
    [0x07, 0, 0, 0, 7, 5, 0, 4, 0, 0, 0, 1], [0x07, 0, 0, 0, 8, 2, 0, 1, 1, 90, 0, 1, 1],
    [0x07, 0, 0, 0, 4, 2, 0, 1, 2], [0x07, 2, 0xF0, 0xF0], [0x07, 3, 0x02, 0x81, 0x81],
  ])
  func `other bytes are not`(_ bytes: [UInt8]) { #expect(judge(bytes) == .notMine) }

  @Test func `a server that speaks first is no courier`() {
    #expect(judge([]) == .undecided)
    #expect(judge([]) { $0.toClient = [0x08, 0, 0, 0, 0] } == .notMine)
  }

  @Test func `what both ends agreed on decides, if it can be read`() {
    let serial = ["apns-security-v3"]
    #expect(judge([1]) { $0.applicationProtocols = serial } == .mine)
    #expect(judge([]) { $0.applicationProtocols = serial } == .undecided)
    #expect(
      judge([1]) {
        $0.applicationProtocols = serial
        $0.isUnreadable = [true, false]
      } == .notMine)
    #expect(judge([1]) { $0.applicationProtocols = ["h2"] } == .notMine)
    #expect(judge([1]) { $0.applicationProtocols = serial + ["apns-pack-v1"] } == .notMine)
  }

  @Test func `the tables are as large as the name of the protocol says`() {
    // Two tokens do not fit into a table of 70 bytes: the second throws the first out.
    let limits = CaptureObservers.TLSNames(server: nil, protocols: ["apns-pack-v1:70:4096"])
    var encoder = APNsPackedEncoder(limit: 70)
    let frames = [
      APNsWire.connect(1), APNsWire.filter(2, []), APNsWire.filter(1, []),
    ]
    let observers = CaptureObservers(names: { _, _ in limits })
    let description = ConnectionDescription(
      client: Endpoint(address: [10, 0, 0, 2], port: 50_000),
      server: Endpoint(address: [17, 0, 0, 1], port: 5223), clientRule: .synSender)
    func tell(_ event: ConnectionEvent, _ bytes: [UInt8] = []) {
      unsafe bytes.withUnsafeBytes {
        unsafe observers.receive(
          event, of: ConnectionID(0), description, bytes: $0,
          at: Moment(time: Instant(nanoseconds: 5), frame: 1))
      }
    }
    tell(.began(handshake: true))
    tell(.secured(.toServer, .decrypted))
    tell(.secured(.toClient, .decrypted))
    tell(.bytes(.toServer, offset: 0), frames.flatMap { encoder.encode($0) })
    let observation = observers.finish(at: Moment(time: Instant(nanoseconds: 9), frame: 2)).0
    #expect(observation.sessions.count == 1)
    #expect(observation.findings.isEmpty)
    #expect(observation.sessions[0].messages.map(\.toServer) == [1, 2])
    #expect(observation.warnings.isEmpty)
  }
}
