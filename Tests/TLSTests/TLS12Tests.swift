import Testing
import Wire

@testable import TLS

@Suite struct TLS12Tests {
  /// ECDHE-RSA with AES-128-GCM, and with AES-128-CBC and HMAC-SHA-1.
  private static let gcm: UInt16 = 0xc02f
  private static let cbc: UInt16 = 0xc013

  private func hellos(
    _ talk: Talk, _ suite: UInt16, extensions: [UInt8] = [], session: [UInt8] = [],
    random: [UInt8] = Talk.clientRandom, isFull: Bool = true
  ) {
    talk.client(Talk.record(22, Talk.clientHello(random, session: session)))
    let hello = Talk.serverHello(
      Int(suite), session: session, is13: false, extensions: extensions)
    let certificate: [UInt8] = [11, 0, 0x40, 0] + [UInt8](repeating: 0, count: 0x4000)
    let flight = hello + (isFull ? certificate + Talk.message(.serverHelloDone) : [])
    // The certificate makes the flight longer than a record.
    talk.server(
      Talk.record(22, Array(flight.prefix(8000))),
      flight.count > 8000 ? Talk.record(22, Array(flight.dropFirst(8000))) : [])
  }

  @Test(arguments: [gcm, cbc], [false, true])
  func `Application data come out`(_ suite: UInt16, encryptThenMAC: Bool) {
    let talk = Talk()
    hellos(talk, suite, extensions: encryptThenMAC ? Talk.element(22, []) : [])
    var client = Sealer12(suite, .toServer, encryptThenMAC: encryptThenMAC)
    var server = Sealer12(suite, .toClient, encryptThenMAC: encryptThenMAC)
    talk.client(Talk.changeCipherSpec, client.seal(22, Talk.finished))
    talk.server(Talk.changeCipherSpec, server.seal(22, Talk.finished))
    talk.client(client.data("up"), client.data(""), client.data("load"))
    talk.server(server.data("down"))
    talk.server(server.seal(21, [1, 0]))
    #expect(talk.toServer == "upload")
    #expect(talk.toClient == "down")
    #expect(talk.facts?.toClient.alert == 0)
    #expect(talk.facts?.isResumed == false)
  }

  @Test func `TLS 1.0 takes the last block as the next IV`() {
    let talk = Talk()
    talk.client(Talk.record(22, Talk.clientHello()))
    var hello = Talk.serverHello(Int(Self.cbc), is13: false)
    hello[5] = 1
    talk.server(Talk.record(22, hello + Talk.message(.serverHelloDone)))
    var client = Sealer12(Self.cbc, .toServer, version: 0x0301)
    talk.client(Talk.changeCipherSpec, client.seal(22, Talk.finished))
    talk.client(client.data("chained"), client.data(" blocks"))
    #expect(talk.toServer == "chained blocks")
  }

  @Test func `A session is resumed by its identifier without a line in the key log`() {
    let talk = Talk()
    let session = [UInt8](repeating: 0x1d, count: 32)
    hellos(talk, Self.gcm, session: session)
    var first = Sealer12(Self.gcm, .toServer)
    talk.client(Talk.changeCipherSpec, first.seal(22, Talk.finished))
    var server = Sealer12(Self.gcm, .toClient)
    talk.server(Talk.changeCipherSpec, server.seal(22, Talk.finished))
    // A renegotiation on the same connection resumes it, under another client random.
    let random = [UInt8](repeating: 0x77, count: 32)
    talk.client(first.seal(22, Talk.clientHello(random, session: session)))
    talk.server(
      server.seal(22, Talk.serverHello(Int(Self.gcm), session: session, is13: false)))
    talk.client(first.seal(20, [1]))
    var second = Sealer12(Self.gcm, .toServer, clientRandom: random)
    talk.client(second.seal(22, Talk.finished), second.data("resumed"))
    #expect(talk.toServer == "resumed")
    #expect(talk.facts?.renegotiations == 1)
    #expect(talk.facts?.isResumed == true)
  }

  @Test func `Behind a hole the sequence number follows from the explicit nonce`() {
    let talk = Talk()
    hellos(talk, Self.gcm)
    var client = Sealer12(Self.gcm, .toServer)
    talk.client(Talk.changeCipherSpec, client.seal(22, Talk.finished))
    talk.client(client.data("one"))
    // More records than are tried one by one.
    talk.miss(.toServer, (0..<400).flatMap { client.data("\($0)") })
    talk.client(client.data("two"))
    #expect(talk.toServer == "onetwo")
  }

  @Test func `Chained blocks are not guessed behind a hole`() {
    let talk = Talk()
    talk.client(Talk.record(22, Talk.clientHello()))
    var hello = Talk.serverHello(Int(Self.cbc), is13: false)
    hello[5] = 1
    talk.server(Talk.record(22, hello))
    var client = Sealer12(Self.cbc, .toServer, version: 0x0301)
    talk.client(Talk.changeCipherSpec, client.seal(22, Talk.finished))
    talk.miss(.toServer, client.data("lost"))
    talk.client(client.data("closed"))
    #expect(talk.facts?.toServer.secrecy == .bytesMissing)
    #expect(talk.toServer.isEmpty)
  }

  @Test func `A suite that can't be opened is named`() {
    let talk = Talk()
    hellos(talk, 0x000a)
    talk.client(Talk.changeCipherSpec, Talk.record(22, [UInt8](repeating: 1, count: 40)))
    talk.client(Talk.record(23, [UInt8](repeating: 1, count: 64)))
    #expect(
      talk.facts?.reason(.toServer)
        == "cipher suite TLS_RSA_WITH_3DES_EDE_CBC_SHA is not supported")
    #expect(talk.lines.last == "> gap 0+64 encrypted")
  }

  @Test func `A ClientHello in the clothes of SSL 2.0 begins a connection too`() {
    let talk = Talk()
    let specs = bytes("00c02f00002f")
    let hello =
      [1, 3, 3] + Talk.number(specs.count, 2) + [0, 0] + [0, 32] + specs + Talk.clientRandom
    talk.client([0x80, UInt8(hello.count)] + hello)
    talk.server(Talk.record(22, Talk.serverHello(Int(Self.gcm), is13: false)))
    var client = Sealer12(Self.gcm, .toServer)
    talk.client(Talk.changeCipherSpec, client.seal(22, Talk.finished), client.data("old"))
    #expect(talk.toServer == "old")
  }

  @Test func `Records that come before the hello they need are held`() {
    let talk = Talk()
    talk.client(Talk.record(22, Talk.clientHello()))
    var client = Sealer12(Self.gcm, .toServer)
    talk.client(Talk.changeCipherSpec, client.seal(22, Talk.finished), client.data("waits"))
    #expect(talk.toServer.isEmpty)
    talk.server(Talk.record(22, Talk.serverHello(Int(Self.gcm), is13: false)))
    #expect(talk.toServer == "waits")
  }

  @Test func `A server that is not in the capture leaves the records closed, with a reason`() {
    let talk = Talk()
    talk.client(Talk.record(22, Talk.clientHello()))
    var client = Sealer12(Self.gcm, .toServer)
    talk.client(Talk.changeCipherSpec, client.seal(22, Talk.finished), client.data("half"))
    talk.end()
    #expect(talk.facts?.reason(.toServer) == "the TLS handshake is not in the capture")
    #expect(talk.collected.connections[0].gaps == [.encrypted])
  }

  @Test func `TLS may begin in the middle of a clear connection`() {
    let talk = Talk()
    talk.client(Array("STARTTLS".utf8))
    talk.collected.reaction = { [weak talk] event, connection, description in
      guard let talk, case .bytes(.toClient, offset: 0) = event else { return }
      talk.sink.beginTLS(connection, description, toServer: 8, toClient: 7)
    }
    talk.server(Array("proceed".utf8))
    talk.collected.reaction = nil
    talk.acknowledge(.toServer)
    hellos(talk, Self.gcm)
    var client = Sealer12(Self.gcm, .toServer)
    talk.client(Talk.changeCipherSpec, client.seal(22, Talk.finished), client.data("inside"))
    talk.acknowledge(.toServer)
    #expect(
      talk.lines == [
        "began", "> 0 'STARTTLS'", "< 0 'proceed'", "> acknowledged 8", "> secured decrypted",
        "> 8 'inside'", "> acknowledged 14",
      ])
  }
}
