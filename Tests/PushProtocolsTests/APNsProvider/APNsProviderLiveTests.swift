import Custody
import Testing
import Timeline
import Wire

@testable import PushProtocols

/// What is told of a provider's requests while a capture is still being made.
@Suite struct APNsProviderLiveTests {
  private func watched() -> ProviderWire {
    let wire = ProviderWire()
    wire.observers.watch(patience: .seconds(5))
    return wire
  }

  private func news(_ wire: ProviderWire) -> [LiveEvent] { wire.observers.news(at: wire.now) }

  @Test func `connections come and go`() {
    let wire = watched()
    wire.open("a")
    wire.ask("a", 1)
    let opened = news(wire)
    #expect(opened.map(\.kind) == [.sessionOpened])
    #expect(opened[0].subscriber == "TEAM")
    #expect(opened[0].text.hasSuffix("APNs provider HTTP/2"))
    wire.answer("a", 1, 200)
    wire.close("a")
    #expect(news(wire).map(\.kind) == [.sessionClosed])
    #expect(news(wire).isEmpty)
  }

  @Test func `a request without an answer is told once, and its late answer`() {
    let wire = watched()
    wire.open("a")
    wire.ask("a", 1)
    _ = news(wire)
    wire.wait(.seconds(6))
    let waiting = news(wire)
    #expect(waiting.map(\.kind) == [.unacknowledged])
    #expect(waiting[0].text.hasPrefix("com.example, device 01234567…, stream 1: sent in frame"))
    #expect(waiting[0].text.contains("not answered for 6."))
    #expect(news(wire).isEmpty)
    wire.answer("a", 1, 200)
    #expect(news(wire).map(\.kind) == [.acknowledgedLate])
    #expect(news(wire).isEmpty)
  }

  @Test func `a request that the provider gave up is a ghost, one that it asks again is none`() {
    for asksAgain in [false, true] {
      let wire = watched()
      wire.open("a")
      wire.ask("a", 1)
      wire.close("a", by: .toClient)
      wire.open("b")
      wire.ask("b", asksAgain ? 1 : 3)
      wire.answer("b", asksAgain ? 1 : 3, 200)
      let kinds = news(wire).map(\.kind)
      #expect(kinds.contains(.ghost) == !asksAgain)
    }
  }
}
