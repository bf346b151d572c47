import Testing
import Wire

@testable import TLS

@Suite struct TLS13Tests {
  private var clientHandshake = Sealer13(.clientHandshake)
  private var serverHandshake = Sealer13(.serverHandshake)
  private var client = Sealer13(.clientTraffic)
  private var server = Sealer13(.serverTraffic)

  /// Both hellos, and all up to the client's Finished.
  private mutating func shakeHands(_ talk: Talk) {
    talk.client(Talk.record(22, Talk.clientHello()))
    talk.server(
      Talk.record(22, Talk.serverHello(0x1301)), Talk.changeCipherSpec,
      serverHandshake.seal(22, Talk.encryptedExtensions()), serverHandshake.seal(22, Talk.finished))
    talk.client(Talk.changeCipherSpec, clientHandshake.seal(22, Talk.finished))
  }

  @Test mutating func `Application data come out as the bytes of a clear connection`() {
    let talk = Talk()
    shakeHands(talk)
    talk.client(client.data("CONNECT"), client.data("PUBLISH"))
    talk.acknowledge(.toServer)
    talk.server(server.data("CONNACK"))
    talk.tell(.finished(.toServer, offset: talk.offsets[.toServer, default: 0]))
    talk.end()
    #expect(
      talk.lines == [
        "began", "< secured decrypted", "> secured decrypted", "> 0 'CONNECT'", "> 7 'PUBLISH'",
        "> acknowledged 14", "< 0 'CONNACK'", "> finished 14", "ended closed",
      ])
    #expect(talk.facts?.serverName == "push.example")
    #expect(talk.facts?.offeredProtocols == ["mqtt"])
    #expect(talk.facts?.version == "TLS 1.3")
    #expect(talk.facts?.suite == "TLS_AES_128_GCM_SHA256")
    #expect(talk.facts?.reason(.toServer) == nil)
  }

  @Test mutating func `The server may speak before the client's Finished`() {
    let talk = Talk()
    talk.client(Talk.record(22, Talk.clientHello()))
    talk.server(
      Talk.record(22, Talk.serverHello(0x1301)),
      serverHandshake.seal(22, Talk.encryptedExtensions() + Talk.finished), server.data("early"))
    #expect(talk.toClient == "early")
  }

  @Test mutating func `Padding, tickets and a Finished over two records don't show`() {
    let talk = Talk()
    talk.client(Talk.record(22, Talk.clientHello()))
    let flight = Talk.encryptedExtensions() + Talk.finished
    talk.server(
      Talk.record(22, Talk.serverHello(0x1301)),
      serverHandshake.seal(22, Array(flight.prefix(11)), padding: 40),
      serverHandshake.seal(22, Array(flight.dropFirst(11))))
    talk.client(clientHandshake.seal(22, Talk.finished))
    talk.server(
      server.seal(22, Talk.message(.newSessionTicket, [UInt8](repeating: 0, count: 60))),
      server.data("padded", padding: 200))
    #expect(talk.toClient == "padded")
  }

  @Test mutating func `Each direction changes its own keys by KeyUpdate`() {
    let talk = Talk()
    shakeHands(talk)
    talk.client(client.data("a"), client.update(), client.data("b"), client.update())
    talk.server(server.data("c"), server.update(), server.data("d"))
    talk.client(client.data("e"))
    #expect(talk.toServer == "abe")
    #expect(talk.toClient == "cd")
    #expect(talk.facts?.toServer.keyUpdates == 2)
  }

  @Test mutating func `After a HelloRetryRequest the second ClientHello counts`() {
    let talk = Talk()
    talk.client(Talk.record(22, Talk.clientHello()))
    talk.server(Talk.record(22, Talk.retryRequest), Talk.changeCipherSpec)
    shakeHands(talk)
    talk.client(client.data("again"))
    #expect(talk.toServer == "again")
    #expect(talk.facts?.renegotiations == 0)
  }

  @Test mutating func `Accepted early data come first`() {
    let talk = Talk()
    var early = Sealer13(.clientEarly)
    talk.client(
      Talk.record(22, Talk.clientHello(extensions: Talk.earlyData)), Talk.changeCipherSpec,
      early.data("early "))
    #expect(talk.toServer.isEmpty, "Nobody knows yet whether the server takes them.")
    talk.server(
      Talk.record(22, Talk.serverHello(0x1301)),
      serverHandshake.seal(22, Talk.encryptedExtensions(Talk.earlyData) + Talk.finished))
    #expect(talk.toServer == "early ")
    talk.client(
      early.data("more "), early.seal(22, Talk.message(.endOfEarlyData)),
      clientHandshake.seal(22, Talk.finished), client.data("late"))
    #expect(talk.toServer == "early more late")
    #expect(talk.facts?.earlyData == .accepted)
  }

  @Test(arguments: [false, true])
  mutating func `Refused early data never come`(_ withRetry: Bool) {
    let talk = Talk()
    var early = Sealer13(.clientEarly)
    talk.client(
      Talk.record(22, Talk.clientHello(extensions: Talk.earlyData)), early.data("refused"))
    if withRetry {
      talk.server(Talk.record(22, Talk.retryRequest))
      talk.client(early.data("refused too"), Talk.record(22, Talk.clientHello()))
    }
    talk.server(
      Talk.record(22, Talk.serverHello(0x1301)),
      serverHandshake.seal(22, Talk.encryptedExtensions() + Talk.finished))
    if !withRetry { talk.client(early.data("refused too")) }
    talk.client(clientHandshake.seal(22, Talk.finished), client.data("taken"))
    #expect(talk.toServer == "taken")
    #expect(talk.facts?.earlyData == .rejected)
    #expect(talk.facts?.toServer.secrecy == .decrypted)
  }

  @Test mutating func `Traffic secrets are enough when those of the handshake are not logged`() {
    let talk = Talk(Talk.secrets([.clientTraffic, .serverTraffic]))
    shakeHands(talk)
    talk.client(client.data("up"))
    talk.server(server.data("down"))
    #expect(talk.toServer == "up")
    #expect(talk.toClient == "down")
  }

  @Test mutating func `The client's half alone can be read`() {
    let talk = Talk()
    talk.client(Talk.record(22, Talk.clientHello()))
    talk.client(Talk.changeCipherSpec, clientHandshake.seal(22, Talk.finished), client.data("half"))
    talk.end()
    #expect(talk.toServer == "half")
    #expect(talk.facts?.suite == "TLS_AES_128_GCM_SHA256")
  }

  @Test mutating func `A hole inside of a record costs that record only`() {
    let talk = Talk()
    shakeHands(talk)
    talk.client(client.data("one"))
    let lost = client.data("this one is lost")
    talk.send(.toServer, Array(lost.prefix(9)))
    talk.miss(.toServer, Array(lost[9..<20]))
    talk.send(.toServer, Array(lost.dropFirst(20)))
    talk.client(client.data("three"))
    #expect(talk.toServer == "onethree")
    #expect(talk.collected.connections[0].gaps == [.notCaptured])
  }

  @Test mutating func `Behind a hole over many records the place is found again`() {
    let talk = Talk()
    shakeHands(talk)
    talk.client(client.data("one"))
    let lost = (0..<40).flatMap { client.data("lost \($0)") }
    let cut = client.data("cut at its end")
    talk.miss(.toServer, lost + cut.prefix(13))
    talk.send(.toServer, Array(cut.dropFirst(13)))
    talk.client(client.data("two"))
    talk.client(client.data("three"))
    #expect(talk.toServer == "onetwothree")
    #expect(talk.lines.contains { $0.hasPrefix("> gap 3+") })
    #expect(!talk.collected.connections[0].isInconsistent)
  }

  @Test mutating func `A lost KeyUpdate is found again too`() {
    let talk = Talk()
    shakeHands(talk)
    talk.server(server.data("one"))
    talk.miss(.toClient, server.update())
    talk.server(server.data("two"))
    #expect(talk.toClient == "onetwo")
  }

  @Test mutating func `Without secrets the records still say how much went when`() {
    let talk = Talk(TLSSecrets())
    shakeHands(talk)
    talk.client(client.data("CONNECT"))
    talk.server(server.data("CONNACK+"))
    talk.acknowledge(.toServer)
    talk.end()
    #expect(
      talk.lines == [
        "began", "< secured noSecrets", "> secured noSecrets", "> gap 0+7 encrypted",
        "< gap 0+8 encrypted", "> acknowledged 7", "ended closed",
      ])
    #expect(talk.facts?.reason(.toServer) == "no secrets for client random c1c1c1c1…")
  }

  @Test mutating func `Secrets of another connection are told from missing ones`() {
    let talk = Talk()
    talk.client(Talk.record(22, Talk.clientHello()))
    var wrong = Sealer13(.clientEarly)
    talk.server(Talk.record(22, Talk.serverHello(0x1301)), wrong.seal(22, Talk.finished))
    talk.client(wrong.seal(22, Talk.finished))
    talk.server(wrong.data("closed"))
    #expect(talk.facts?.toClient.secrecy == .authenticationFailed)
    #expect(talk.collected.connections[0].gaps == [.encrypted])
  }

  @Test func `ChaCha20-Poly1305 is followed as well`() {
    let talk = Talk()
    var handshake = Sealer13(.serverHandshake, suite: 0x1303)
    var server = Sealer13(.serverTraffic, suite: 0x1303)
    talk.client(Talk.record(22, Talk.clientHello()))
    talk.server(
      Talk.record(22, Talk.serverHello(0x1303)),
      handshake.seal(22, Talk.encryptedExtensions() + Talk.finished), server.data("chacha"))
    #expect(talk.toClient == "chacha")
  }
}
