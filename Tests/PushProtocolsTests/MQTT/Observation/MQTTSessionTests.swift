import Custody
import Testing
import Timeline
import Wire

@testable import PushProtocols

/// Sessions: how they are recognised, begin and end, and who is kept too long.
@Suite struct MQTTSessionTests {
  private let wire = MQTTWire()

  // MARK: Recognition

  @Test(arguments: [1, 3, 1000])
  func `however the stream is cut into segments, the same is seen`(_ size: Int) {
    wire.segmentSize = size
    wire.subscriber("s")
    wire.join("p", clean: true)
    wire.publish("p", "one", qos: .exactlyOnce)
    wire.deliver("s", "one", id: 1)
    wire.acknowledge("s", 1)
    #expect(wire.states == [.acknowledged])
    #expect(wire.observation.sessions.map(\.subscriber) == ["s", "p"])
    #expect(wire.violations.isEmpty)
  }

  @Test func `content decides, not the port`() {
    wire.open("strange", port: 31_337)
    wire.client("strange", .connect(MQTTConnect(version: .v5, clientIdentifier: "me")))
    wire.open("http", port: 1883)
    wire.bytes("http", .toServer, Array("GET / HTTP/1.1\r\n\r\n".utf8))
    wire.open("tls", port: 8883)
    wire.bytes("tls", .toServer, [0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
    wire.open("tls too", port: 8883)
    wire.bytes("tls too", .toServer, [0x16, 0x03, 0x03, 0x00, 0x10])
    wire.open("silent", port: 1883)
    wire.reset("silent", .toClient)
    #expect(wire.observation.sessions.map(\.subscriber) == ["me"])
    #expect(wire.unrecognised.map(\.kind) == ["HTTP", "TLS", "no payload"])
    #expect(wire.unrecognised.map(\.count) == [1, 2, 1])
    #expect(wire.unrecognised[1].servers == ["10.0.0.1:8883"])
  }

  @Test func `a connection from its middle needs two good packets`() {
    wire.open("one", handshake: false)
    wire.client("one", .pingreq)
    #expect(wire.observation.sessions.isEmpty)
    #expect(wire.unrecognised.map(\.kind) == ["unknown"])
  }

  // MARK: Beginnings and ends

  @Test func `the server may assign the client identifier`() {
    wire.join("", version: .v5, clean: true, granted: [.assignedClientIdentifier("auto-7")])
    #expect(wire.observation.sessions.map(\.subscriber) == ["auto-7"])
    #expect(wire.observation.sessions[0].isIdentified)
  }

  @Test func `ends are told apart`() {
    wire.join("goodbye", clean: true)
    wire.client("goodbye", .disconnect(MQTTDisconnect()))
    wire.close("goodbye")
    wire.join("fin", clean: true)
    wire.close("fin")
    wire.join("rst", clean: true)
    wire.reset("rst", .toServer)
    wire.join("dismissed", version: .v5, clean: true)
    wire.server("dismissed", .disconnect(MQTTDisconnect(reasonCode: .serverShuttingDown)))
    wire.join("dropped", clean: true)
    wire.finish("dropped", .toClient)
    wire.join("open", clean: true)
    wire.open("refused")
    wire.client("refused", .connect(MQTTConnect(version: .v3_1_1, clientIdentifier: "refused")))
    wire.server(
      "refused",
      .connack(
        MQTTConnack(sessionPresent: false, reasonCode: MQTTReasonCode.V3.notAuthorized)))
    let sessions = wire.observation.sessions
    #expect(
      sessions.map(\.end) == [
        .disconnected, .clientClosed, .clientReset, .dismissed, .serverClosed, .open, .refused,
      ])
    #expect(sessions[3].endNote == "server shutting down")
    #expect(sessions[6].endNote == "not authorised")
  }

  @Test func `a takeover moves what is in flight to the new connection`() {
    wire.subscriber("s")
    wire.join("p", clean: true)
    wire.publish("p", "one")
    wire.deliver("s", "one", id: 1)
    wire.open("s2")
    wire.client(
      "s2", .connect(MQTTConnect(version: .v3_1_1, clientIdentifier: "s", cleanStart: false)))
    wire.finish("s", .toClient)
    wire.server("s2", .connack(MQTTConnack(sessionPresent: true)))
    wire.acknowledge("s", 1)
    wire.deliver("s2", "one", id: 1, duplicate: true)
    wire.acknowledge("s2", 1)
    #expect(wire.states == [.acknowledged])
    let sessions = wire.observation.sessions.filter(\.receives)
    #expect(sessions.map(\.end) == [.takenOver, .open])
    #expect(sessions.map(\.unacknowledged) == [1, 0])
    #expect(wire.observation.findings.map(\.label) == ["RECOVERED"])
  }

  @Test func `sessions of one identifier at two servers are two subscribers`() {
    wire.subscriber("s")
    wire.close("s")
    wire.open("other", port: 1884)
    wire.client(
      "other", .connect(MQTTConnect(version: .v3_1_1, clientIdentifier: "s", cleanStart: false)))
    wire.server("other", .connack(MQTTConnack(sessionPresent: false)))
    wire.join("p", clean: true)
    wire.publish("p", "one")
    #expect(wire.states == [.pending])
  }

  // MARK: Keep-alive

  private func silent(for length: Nanoseconds, keepAlive: UInt16, granted: MQTTProperties = []) {
    wire.join(
      "s", version: granted.isEmpty ? .v3_1_1 : .v5, keepAlive: keepAlive, granted: granted)
    wire.wait(length)
    wire.finish("s", .toClient)
  }

  @Test func `a silent client kept past one and a half keep-alives is a zombie`() {
    silent(for: .seconds(11), keepAlive: 5)
    #expect(wire.oracles == [.zombie])
    #expect(wire.violations[0].rule == "MQTT-3.1.2-24")
  }

  @Test func `the grain of the server's clock is not held against it`() {
    silent(for: .milliseconds(8_300), keepAlive: 5)
    #expect(wire.violations.isEmpty)
  }

  @Test func `the server's keep-alive wins`() {
    silent(for: .seconds(18), keepAlive: 60, granted: [.serverKeepAlive(10)])
    #expect(wire.oracles == [.zombie])
    #expect(wire.violations[0].rule == "MQTT-3.1.2-22")
  }

  @Test func `without keep-alive nobody is a zombie`() {
    silent(for: .hours(3), keepAlive: 0)
    #expect(wire.violations.isEmpty)
  }

  @Test func `a FIN behind bytes that nobody took proves nothing`() {
    wire.subscriber("s")
    wire.join("k", keepAlive: 5)
    wire.server("k", .pingresp, confirmed: false)
    wire.wait(.seconds(30))
    wire.finish("k", .toClient)
    #expect(wire.violations.isEmpty)
  }

  @Test func `the answer of a closed socket proves nothing`() {
    wire.join("k", keepAlive: 5)
    wire.wait(.seconds(30))
    wire.client("k", .pingreq, confirmed: false)
    wire.reset("k", .toClient)
    #expect(wire.violations.isEmpty)
  }

  @Test func `a server that takes a packet after the silence had kept the client`() {
    wire.join("k", keepAlive: 5)
    wire.wait(.seconds(30))
    wire.client("k", .pingreq)
    wire.server("k", .pingresp)
    wire.close("k")
    #expect(wire.oracles == [.zombie])
  }

  @Test func `a silent client at the end of the capture is a zombie`() {
    wire.join("k", keepAlive: 5)
    wire.join("p", clean: true)
    wire.wait(.seconds(30))
    wire.client("p", .pingreq)
    #expect(wire.oracles == [.zombie])
  }
}
