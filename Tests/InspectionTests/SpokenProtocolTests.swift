import Custody
import Testing
import Timeline
import Wire

@testable import Inspection
@testable import TLS
@testable import Unwrapping

/// What an encrypted connection speaks, by what its client said in the clear.
@Suite struct SpokenProtocolTests {
  struct Case: Sendable {
    var offered: [String] = []
    var chosen: String?
    var server: String?
    var expected: String?
  }

  static let cases: [Case] = [
    Case(offered: ["mqtt"], expected: "MQTT by ALPN mqtt"),
    Case(
      offered: ["apns-security-v3", "apns-pack-v1"], chosen: "apns-pack-v1:4096:4096",
      expected: "APNs by ALPN apns-pack-v1:4096:4096"),
    Case(offered: ["xmpp-client"], server: "example.org", expected: "XMPP by ALPN xmpp-client"),
    // The server's choice is hidden: what all that was offered agrees on.
    Case(
      offered: ["apns-security-v3", "apns-pack-v1"],
      expected: "APNs by ALPN apns-security-v3 or apns-pack-v1"),
    Case(offered: ["mqtt", "h2"]),
    Case(offered: ["mqtt", "h2"], chosen: "mqtt", expected: "MQTT by ALPN mqtt"),
    Case(offered: ["h2", "http/1.1"], expected: "HTTP by ALPN h2 or http/1.1"),
    // HTTP carries many things.
    Case(
      offered: ["h2"], server: "api.sandbox.push.apple.com",
      expected: "APNs provider API by SNI api.sandbox.push.apple.com"),
    Case(server: "7-courier.push.apple.com", expected: "APNs by SNI 7-courier.push.apple.com"),
    Case(server: "alt3-mtalk.google.com", expected: "FCM by SNI alt3-mtalk.google.com"),
    Case(
      server: "PUSH.services.mozilla.com", expected: "Web Push by SNI PUSH.services.mozilla.com"),
    // Who only looks like one, and who says nothing.
    Case(server: "evilcourier.push.apple.com.example.org"),
    Case(server: "notmtalk.google.com"), Case(offered: ["imap"]), Case(),
  ]

  @Test(arguments: cases)
  func `ALPN is asked first, then the name, and a port never`(_ one: Case) {
    var facts = TLSFacts()
    facts.offeredProtocols = one.offered
    facts.chosenProtocol = one.chosen
    facts.serverName = one.server
    let spoken = SpokenProtocol(facts)
    #expect(spoken.map { "\($0.name) by \($0.reason)" } == one.expected)
  }

  @Test func `a report names it, unless content was read`() throws {
    // Recorded without a key log: no ALPN and no name that would say anything.
    let silent = try CaptureInspection.inspect(Captures.path("mqtt-tls/tls-1.3.pcap"))
    #expect(silent.connections.allSatisfy { $0.speaks.isEmpty })
    var wrapped = WrappedConnection(
      id: ConnectionID(0),
      description: ConnectionDescription(
        client: Endpoint(address: [10, 0, 0, 1], port: 1),
        server: Endpoint(address: [10, 0, 0, 2], port: 5223), clientRule: .synSender))
    var facts = TLSFacts()
    facts.offeredProtocols = ["xmpp-client"]
    facts.toServer.secrecy = .noSecrets
    wrapped.tls = facts
    #expect(ConnectionRecord(wrapped).speaks == "XMPP")
    #expect(ConnectionRecord(wrapped).recognisedBy == "ALPN xmpp-client")
    facts.toServer.secrecy = .decrypted
    wrapped.tls = facts
    #expect(ConnectionRecord(wrapped).speaks.isEmpty)
  }
}
