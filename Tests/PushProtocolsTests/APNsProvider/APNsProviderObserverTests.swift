import Custody
import Testing
import Timeline
import Wire

@testable import PushProtocols

@Suite struct APNsProviderObserverTests {
  // MARK: Recognition

  @Test func `a path that only APNs has is recognised`() {
    let wire = ProviderWire()
    wire.open("a")
    wire.ask("a", 1)
    wire.answer("a", 1, 200)
    #expect(wire.states == [.accepted])
    #expect(wire.observation.sessions.map(\.subscriber) == ["TEAM"])
    #expect(wire.observation.deliveries.first?.topic == "com.example, device 01234567…")
  }

  @Test func `HTTP/2 for something else is nobody's`() {
    let wire = ProviderWire()
    wire.open("a")
    wire.ask("a", 1, path: "/index.html")
    wire.answer("a", 1, 200)
    #expect(wire.observation.sessions.isEmpty)
    #expect(wire.finished.1.map(\.kind) == ["HTTP"])
  }

  @Test func `the host that the client looks for is enough, and so is what the user says`() {
    for wire in [
      ProviderWire(serverName: "api.sandbox.push.apple.com"),
      ProviderWire(assigned: [443: "apns-provider"]),
    ] {
      wire.open("a", isSecured: true)
      wire.close("a")
      #expect(wire.observation.sessions.count == 1)
    }
    let other = ProviderWire(serverName: "push.apple.com.example.org")
    other.open("a", isSecured: true)
    other.close("a")
    #expect(other.observation.sessions.isEmpty)
  }

  @Test func `a reason that only APNs has, in a GOAWAY before anything else, is recognised`() {
    let wire = ProviderWire()
    wire.open("a", settings: false)
    wire.goAway("a", last: 0, reason: "BadCertificateEnvironment")
    wire.close("a", by: .toClient)
    #expect(wire.observation.sessions.map(\.end) == [.dismissed])
    #expect(
      wire.observation.sessions.first?.endNote
        == "GOAWAY NO_ERROR, last stream 0, BadCertificateEnvironment")
    // SETTINGS come first (RFC 9113 §3.4).
    #expect(wire.findings == ["PROTOCOL violated"])
  }

  // MARK: Requests without an answer

  @Test func `an unanswered request that later ones overtook is a ghost`() {
    let wire = ProviderWire()
    wire.open("a")
    wire.ask("a", 1)
    wire.ask("a", 3)
    wire.answer("a", 3, 200)
    wire.close("a")
    #expect(wire.states == [.ghost, .accepted])
    #expect(wire.findings == ["GHOST violated"])
    let steps = wire.observation.deliveries.first?.events.map(\.step)
    #expect(steps == [.submitted, .transportAcknowledged, .dropped])
  }

  @Test func `it is open as long as the connection is, up to a minute`() {
    for (length, state) in [(5, DeliveryState.pending), (59, .pending), (61, .ghost)] {
      let wire = ProviderWire()
      wire.open("a")
      wire.ask("a", 1)
      wire.wait(.seconds(UInt64(length)))
      #expect(wire.states == [state])
      #expect(
        wire.findings
          == (length < 10
            ? [] : state == .pending ? ["UNANSWERED inconclusive"] : ["GHOST violated"]))
    }
  }

  @Test func `nothing is said of a connection that ends shortly before the capture`() {
    let wire = ProviderWire()
    wire.open("a")
    wire.ask("a", 1)
    wire.close("a")
    #expect(wire.states == [.unknown])
    #expect(wire.findings == ["UNANSWERED inconclusive"])
  }

  @Test func `a provider that comes back without asking again has a ghost`() {
    let wire = ProviderWire()
    wire.open("a")
    wire.ask("a", 1)
    wire.close("a")
    wire.open("b")
    wire.ask("b", 1, device: "ffff")
    wire.answer("b", 1, 200)
    #expect(wire.states == [.ghost, .accepted])
  }

  @Test func `above the last stream of GOAWAY nothing was processed`() {
    let wire = ProviderWire()
    wire.open("a")
    wire.ask("a", 1, id: "one")
    wire.ask("a", 3, id: "three")
    wire.goAway("a", last: 1)
    wire.ask("a", 5, id: "five")
    wire.close("a")
    wire.open("b")
    wire.ask("b", 1, id: "three")
    wire.answer("b", 1, 200)
    #expect(wire.states == [.ghost, .accepted, .lost])
    #expect(wire.findings == ["GHOST violated", "LOST violated", "RECOVERED holds"])
    #expect(wire.observation.findings.last { $0.label == "RECOVERED" }?.oracle == .lost)
    #expect(wire.observation.sessions.map(\.redelivered) == [0, 1])
  }

  @Test func `an unknown outcome that is asked again may be delivered twice`() {
    for id in ["", "one"] {
      let wire = ProviderWire()
      wire.open("a")
      wire.ask("a", 1, id: id)
      wire.close("a")
      wire.open("b")
      wire.ask("b", 1, id: id)
      wire.answer("b", 1, 200)
      #expect(wire.states == [.accepted])
      #expect(wire.observation.deliveries.first?.attempts == 2)
      let finding = wire.observation.findings.first { $0.label == "RECOVERED" }
      #expect(finding?.oracle == .duplicate && finding?.verdict == .holds)
    }
  }

  @Test func `two pushes that say the same at a time are two`() {
    let wire = ProviderWire()
    wire.open("a")
    wire.ask("a", 1)
    for stream in [3, 5] as [UInt32] {
      let body = [UInt8](repeating: 1, count: 20)
      let fields = ProviderWire.block([
        (":path", "/3/device/0123456789abcdef"), ("apns-topic", "com.example"),
      ])
      wire.client(
        "a",
        ProviderWire.frame(1, 4, stream, fields) + ProviderWire.frame(0, 1, stream, body))
    }
    for stream in [1, 3, 5] as [UInt32] { wire.answer("a", stream, 200) }
    #expect(wire.states == [.accepted, .accepted, .accepted])
    #expect(wire.findings == [])
  }

  @Test(arguments: [(UInt32(7), DeliveryState.lost), (2, .ghost)])
  func `a reset is an end`(_ code: UInt32, _ state: DeliveryState) {
    let wire = ProviderWire()
    wire.open("a")
    wire.ask("a", 1)
    wire.server("a", ProviderWire.frame(3, 0, 1, ProviderWire.big(code)))
    wire.wait(.seconds(70))
    #expect(wire.states == [state])
  }

  @Test func `with bytes of APNs missing nothing is held against anybody`() {
    let wire = ProviderWire()
    wire.open("a")
    wire.ask("a", 1)
    wire.miss("a", .toClient, 50)
    wire.ask("a", 3)
    wire.close("a")
    wire.wait(.seconds(100))
    #expect(wire.states == [.unknown, .unknown])
    #expect(!wire.observation.findings.contains { $0.verdict == .violated })
  }

  @Test func `a connection in its middle has requests and no names`() {
    let wire = ProviderWire(assigned: [443: "apns-provider"])
    wire.open("a", handshake: false)
    wire.ask("a", 7)
    wire.answer("a", 7, 200)
    #expect(wire.observation.sessions.map(\.isIdentified) == [false])
    #expect(wire.observation.sessions.map(\.sent) == [1])
    #expect(wire.states == [.unknown])
  }

  // MARK: Answers

  @Test func `the same apns-id after a 200 is a duplicate`() {
    let wire = ProviderWire()
    wire.open("a")
    wire.ask("a", 1, id: "one")
    wire.answer("a", 1, 200)
    wire.ask("a", 3, id: "one")
    wire.answer("a", 3, 200)
    wire.ask("a", 5, device: "another", id: "one")
    wire.answer("a", 5, 200)
    #expect(wire.findings == ["DUPLICATE violated"])
  }

  @Test func `a dead token is not to be used again`() {
    let wire = ProviderWire()
    wire.open("a")
    for stream in [1, 3] as [UInt32] {
      wire.ask("a", stream)
      wire.answer("a", stream, 410, #"{"reason":"Unregistered","timestamp":1454402113000}"#)
    }
    #expect(
      wire.reasons.allSatisfy {
        $0 == "410 Unregistered, known since 1454402113.000 (seconds since 1970)"
      })
    #expect(wire.findings == ["DEAD TOKEN violated"])
  }

  @Test func `a connection that refuses fresh tokens is stuck`() {
    let wire = ProviderWire()
    wire.open("a")
    wire.ask("a", 1, issuedAt: wire.wall - 3700)
    wire.answer("a", 1, 403, #"{"reason":"ExpiredProviderToken"}"#)
    wire.ask("a", 3, issuedAt: wire.wall)
    wire.answer("a", 3, 403, #"{"reason":"ExpiredProviderToken"}"#)
    #expect(wire.findings == ["WEDGED violated"])
    let note = wire.observation.deliveries.first?.events.first?.note ?? ""
    #expect(note.contains("token 3700 s old"))
  }

  @Test func `an old token alone is refused, and that is all`() {
    let wire = ProviderWire()
    wire.open("a")
    for stream in [1, 3] as [UInt32] {
      wire.ask("a", stream, issuedAt: wire.wall - 3700)
      wire.answer("a", stream, 403, #"{"reason":"ExpiredProviderToken"}"#)
    }
    #expect(wire.findings == [])
  }

  @Test func `tokens that change too often are throttled`() {
    let wire = ProviderWire()
    wire.open("a")
    wire.ask("a", 1)
    wire.answer("a", 1, 200)
    wire.wait(.seconds(5))
    wire.ask("a", 3)
    wire.answer("a", 3, 429, #"{"reason":"TooManyProviderTokenUpdates"}"#)
    #expect(wire.findings == ["TOKEN UPDATES violated"])
  }

  // MARK: Connections

  @Test func `writing for a minute into silence is a zombie`() {
    let wire = ProviderWire()
    wire.open("a")
    for stream in stride(from: 1 as UInt32, to: 9, by: 2) {
      wire.ask("a", stream, device: "device \(stream)")
      wire.wait(.seconds(25))
    }
    #expect(wire.findings.contains("ZOMBIE violated"))
  }

  @Test func `a PING without an answer is told when its sender goes on`() {
    let wire = ProviderWire()
    wire.open("a")
    wire.ask("a", 1)
    wire.answer("a", 1, 200)
    wire.client("a", ProviderWire.frame(6, 0, 0, [UInt8](repeating: 1, count: 8)))
    wire.wait(.seconds(30))
    wire.ask("a", 3)
    wire.answer("a", 3, 200)
    #expect(wire.findings == ["PING violated"])
  }

  @Test func `SETTINGS that nobody acknowledges are told`() {
    let wire = ProviderWire()
    wire.open("a")
    wire.server("a", ProviderWire.frame(4, 0, 0, []))
    wire.wait(.seconds(30))
    wire.ask("a", 1)
    wire.answer("a", 1, 200)
    #expect(wire.findings == ["SETTINGS violated"])
  }

  @Test func `a window that only shrinks is told when somebody has more to send`() {
    let wire = ProviderWire()
    wire.open("a")
    for stream in stride(from: 1 as UInt32, to: 9, by: 2) {
      wire.ask("a", stream, device: "d\(stream)", size: 16_383)
      wire.answer("a", stream, 200)
    }
    wire.ask("a", 9, ends: false, size: 3)
    wire.wait(.seconds(30))
    wire.close("a")
    #expect(wire.findings.contains("BLOCKED violated"))
  }

  @Test func `what a hostile end writes can't be printed as it stands`() {
    #expect(APNsProviderText.plain("a\u{1B}[31mb\u{202E}") == "a?[31mb?")
    #expect(APNsProviderText.plain(String(repeating: "x", count: 500)).count == 81)
    #expect(APNsTokenClaims(authorization: "bearer a.b.c") == nil)
    #expect(APNsTokenClaims(authorization: "basic abc") == nil)
    let text = "bearer " + ProviderWire.token(team: "T", issuedAt: 12)
    let claims = APNsTokenClaims(authorization: text)
    #expect(claims?.team == "T" && claims?.key == "KEY" && claims?.issuedAt == 12)
    #expect(claims?.algorithm == "ES256")
    #expect(APNsErrorBody(Array(#"{"reason":"#.utf8)) == nil)
    #expect(APNsErrorBody(Array(#"{"reason":"a","timestamp":1e300}"#.utf8))?.timestamp == nil)
  }
}
