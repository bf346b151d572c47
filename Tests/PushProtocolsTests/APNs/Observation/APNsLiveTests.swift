import Custody
import Timeline
import Testing

@testable import PushProtocols

/// What is told while a capture is still being made.
@Suite struct APNsLiveTests {
  private func watched() -> APNsWire {
    let wire = APNsWire(topics: ["com.example.app"])
    wire.observers.watch(patience: .seconds(5))
    return wire
  }

  private func news(_ wire: APNsWire) -> [LiveEvent] { wire.observers.news(at: wire.now) }

  @Test func `sessions come and go`() {
    let wire = watched()
    wire.open("a")
    #expect(news(wire).isEmpty)
    wire.device("a", APNsWire.connect(1))
    wire.courier("a", APNsWire.response(1))
    let opened = news(wire)
    #expect(opened.map(\.kind) == [.sessionOpened])
    #expect(opened[0].text.hasSuffix("APNs serial, token kept"))
    wire.notify("a", 1)
    wire.close("a")
    let closed = news(wire)
    #expect(closed.map(\.kind) == [.sessionClosed])
    #expect(closed[0].text == "client closed, 1 unacknowledged")
    #expect(news(wire).isEmpty)
  }

  @Test func `what waits too long is told once, and its end`() {
    let wire = watched()
    wire.join("a")
    _ = news(wire)
    wire.notify("a", 1)
    #expect(news(wire).isEmpty)
    wire.wait(.seconds(6))
    let waiting = news(wire)
    #expect(waiting.map(\.kind) == [.unacknowledged])
    #expect(waiting[0].text.hasPrefix("com.example.app id 1: sent in frame"))
    #expect(waiting[0].delivery == DeliveryID(1))
    #expect(news(wire).isEmpty)
    wire.ack("a", 1)
    #expect(news(wire).map(\.kind) == [.acknowledgedLate])
    #expect(news(wire).isEmpty)
  }

  @Test func `a ghost and a keep-alive without an answer are told`() {
    let wire = watched()
    wire.join("a")
    wire.notify("a", 1)
    wire.reset("a")
    wire.join("b", presented: 1)
    wire.wait(.seconds(31))
    wire.device("b", APNsFrame(.keepAlive))
    wire.wait(.seconds(31))
    wire.device("b", APNsFrame(.keepAlive))
    wire.courier("b", APNsFrame(.keepAliveResponse))
    let kinds = news(wire).map(\.kind)
    #expect(kinds.contains(.zombie) && kinds.contains(.ghost))
    wire.close("b")
    #expect(news(wire).map(\.kind) == [.sessionClosed])
  }
}
