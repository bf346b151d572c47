import Testing
import Timeline
import Wire

@testable import TLS

@Suite struct TLSDecryptingSinkTests {
  @Test func `A connection that is not in TLS passes untouched`() {
    let talk = Talk()
    talk.client(Array("clear".utf8))
    talk.tell(.acknowledged(.toServer, upTo: 5))
    talk.tell(.retransmission(.toServer, offset: 1, length: 2))
    talk.server(Array("too".utf8))
    talk.end()
    #expect(
      talk.lines == [
        "began", "> 0 'clear'", "> acknowledged 5", "> again 1+2", "< 0 'too'", "ended closed",
      ])
    #expect(talk.facts == nil)
  }

  @Test func `Bytes that might have been TLS are told when they turn out to be something else`() {
    let talk = Talk()
    talk.client([0x16])
    talk.client([0x03])
    #expect(talk.lines == ["began"])
    talk.client([0x09, 0x41])
    #expect(talk.collected.connections[0].toServer == [0x16, 0x03, 0x09, 0x41])
    #expect(!talk.collected.connections[0].isInconsistent)
  }

  @Test func `What might have been TLS is told when the connection ends`() {
    let talk = Talk()
    talk.client([0x16, 0x03])
    talk.end()
    #expect(talk.collected.connections[0].toServer == [0x16, 0x03])
    #expect(talk.lines.last == "ended closed")
  }

  @Test func `An acknowledgement counts only records that it covers wholly`() {
    let talk = Talk()
    var sealer = Sealer12(0xc02f, .toServer)
    open12(talk, &sealer)
    let start = talk.offsets[.toServer, default: 0]
    let first = sealer.data("first")
    let second = sealer.data("second")
    talk.client(first, second)
    talk.tell(.acknowledged(.toServer, upTo: start + UInt64(first.count) + 3))
    talk.tell(.retransmission(.toServer, offset: start + UInt64(first.count), length: 1))
    talk.acknowledge(.toServer)
    #expect(talk.lines.suffix(3) == ["> acknowledged 5", "> again 5+6", "> acknowledged 11"])
  }

  @Test func `Bytes that were acknowledged before they came are acknowledged when they come`() {
    let talk = Talk()
    var sealer = Sealer12(0xc02f, .toServer)
    open12(talk, &sealer)
    let record = sealer.data("late")
    let end = talk.offsets[.toServer, default: 0] + UInt64(record.count)
    talk.tell(.acknowledged(.toServer, upTo: end))
    talk.client(record)
    #expect(talk.lines.suffix(2) == ["> 0 'late'", "> acknowledged 4"])
  }

  @Test(arguments: [1, 2, 3, 5, 7, 100])
  func `The plaintext doesn't depend on how the bytes were cut`(_ size: Int) {
    let talk = Talk()
    var sealer = Sealer12(0xc02f, .toServer)
    let clear = Talk.record(22, Talk.clientHello())
    drip(talk, .toServer, clear, size)
    drip(talk, .toClient, Talk.record(22, Talk.serverHello(0xc02f, is13: false)), size)
    let sealed = sealer.seal(22, Talk.finished) + sealer.data("one ") + sealer.data("two")
    drip(talk, .toServer, Talk.changeCipherSpec + sealed, size)
    #expect(talk.toServer == "one two")
    #expect(talk.facts?.toServer.records == 5)
  }

  @Test func `A connection that began before the capture is known by its records`() {
    let collected = CollectingSink()
    let sink = TLSDecryptingSink(TLSSecrets(), to: collected)
    let talk = Talk()
    let moment = Moment(time: .start, frame: 1)
    let record = Talk.record(23, [UInt8](repeating: 7, count: 50))
    func tell(_ event: ConnectionEvent, _ bytes: [UInt8] = []) {
      unsafe bytes.withUnsafeBytes {
        unsafe sink.receive(
          event, of: ConnectionID(4), talk.description, bytes: $0, at: moment)
      }
    }
    tell(.began(handshake: false))
    tell(.bytes(.toClient, offset: 0), record)
    #expect(sink.facts(of: ConnectionID(4))?.toClient.secrecy == .beganMidStream)
    #expect(collected.connections[0].gaps == [.encrypted])
    tell(.ended(.captureOver))
    #expect(sink.facts(of: ConnectionID(4)) == nil)
  }

  @Test func `What is no record any more is told as such`() {
    let talk = Talk()
    talk.client(Talk.record(22, Talk.clientHello()))
    talk.client(Array("no record".utf8))
    talk.client(Array("nor this".utf8))
    #expect(
      talk.lines == [
        "began", "> secured malformed", "> gap 0+9 encrypted", "> gap 9+8 encrypted",
      ])
  }

  /// Any damage of a good conversation, in any cut, ends in events that follow each other.
  @Test(arguments: 0..<60)
  func `Mutated conversations are survived`(_ seed: Int) {
    var random = SplitMix(state: UInt64(seed))
    for _ in 0..<20 {
      let talk = Talk()
      for (direction, flight) in Self.conversation(is13: random.next() % 2 == 0) {
        var bytes = flight
        for _ in 0..<(random.next() % 4) { Self.damage(&bytes, &random) }
        var rest = bytes[...]
        while !rest.isEmpty {
          let piece = Array(rest.prefix(1 + Int(random.next() % 700)))
          rest = rest.dropFirst(piece.count)
          if random.next() % 16 == 0 {
            talk.miss(direction, piece)
          } else {
            talk.send(direction, piece)
          }
          if random.next() % 4 == 0 { talk.acknowledge(direction) }
        }
      }
      talk.end()
      let seen = talk.collected.connections[0]
      #expect(!seen.isInconsistent)
      #expect(seen.lines.last?.hasSuffix("ended closed") == true)
    }
  }

  // MARK: Secrets that come later

  /// A program writes its secrets while its packets are read, perhaps after them.
  @Test(arguments: [true, false], [0, 1, 2, 3, 4])
  func `Records wait for secrets that are added to a key log`(_ is13: Bool, _ flight: Int) {
    let talk = Talk(TLSSecrets())
    var added: [UInt8] = []
    var asked = 0
    talk.sink.moreSecrets = {
      asked += 1
      defer { added = [] }
      return added
    }
    for (number, (direction, bytes)) in Self.conversation(is13: is13).enumerated() {
      // Those of the handshake come first.
      if number == flight { added += Array(Talk.keyLog([.master, .clientHandshake]).utf8) }
      talk.send(direction, bytes)
      if number == flight { added += Array(Talk.keyLog(Talk.secrets13).utf8) }
    }
    // Something has to make it ask once more.
    talk.send(.toServer, Talk.record(23, [UInt8](repeating: 0, count: 40)))
    talk.send(.toClient, Talk.record(23, [UInt8](repeating: 0, count: 40)))
    #expect(asked > 0)
    #expect(talk.toServer == "up" + String(repeating: "long ", count: 300))
    #expect(talk.toClient == "down")
  }

  @Test func `Nobody waits for ever for secrets`() {
    let talk = Talk(TLSSecrets())
    talk.sink.moreSecrets = { [] }
    for (direction, bytes) in Self.conversation(is13: true) { talk.send(direction, bytes) }
    #expect(talk.lines == ["began"])
    let last = Instant(nanoseconds: UInt64(talk.frame) * 1_000_000)
    talk.sink.letGo(after: last + .seconds(1))
    #expect(talk.lines == ["began"])
    talk.sink.letGo(after: last + .seconds(3))
    #expect(
      talk.lines.contains("> secured noSecrets") && talk.lines.contains("< secured noSecrets"))
    // Without anybody to ask nothing ever waits.
    let still = Talk(TLSSecrets())
    for (direction, bytes) in Self.conversation(is13: true) { still.send(direction, bytes) }
    #expect(still.lines == talk.lines)
  }

  // MARK: Parts

  private func open12(_ talk: Talk, _ sealer: inout Sealer12) {
    talk.client(Talk.record(22, Talk.clientHello()))
    talk.server(Talk.record(22, Talk.serverHello(0xc02f, is13: false)))
    talk.client(Talk.changeCipherSpec, sealer.seal(22, Talk.finished))
  }

  private func drip(_ talk: Talk, _ direction: Direction, _ bytes: [UInt8], _ size: Int) {
    for start in stride(from: 0, to: bytes.count, by: size) {
      talk.send(direction, Array(bytes[start..<min(start + size, bytes.count)]))
    }
  }

  private static func conversation(is13: Bool) -> [(Direction, [UInt8])] {
    let hello = Talk.record(22, Talk.clientHello())
    guard is13 else {
      var client = Sealer12(0xc02f, .toServer)
      var server = Sealer12(0xc02f, .toClient)
      return [
        (.toServer, hello),
        (.toClient, Talk.record(22, Talk.serverHello(0xc02f, is13: false))),
        (.toServer, Talk.changeCipherSpec + client.seal(22, Talk.finished) + client.data("up")),
        (.toClient, Talk.changeCipherSpec + server.seal(22, Talk.finished) + server.data("down")),
        (.toServer, client.data(String(repeating: "long ", count: 300))),
      ]
    }
    var serverHandshake = Sealer13(.serverHandshake)
    var clientHandshake = Sealer13(.clientHandshake)
    var client = Sealer13(.clientTraffic)
    var server = Sealer13(.serverTraffic)
    let flight = serverHandshake.seal(22, Talk.encryptedExtensions() + Talk.finished)
    return [
      (.toServer, hello),
      (.toClient, Talk.record(22, Talk.serverHello(0x1301)) + flight),
      (.toServer, clientHandshake.seal(22, Talk.finished) + client.data("up") + client.update()),
      (.toClient, server.data("down")),
      (.toServer, client.data(String(repeating: "long ", count: 300))),
    ]
  }

  private static func damage(_ bytes: inout [UInt8], _ random: inout SplitMix) {
    guard !bytes.isEmpty else { return }
    let at = Int(random.next() % UInt64(bytes.count))
    switch random.next() % 4 {
    case 0: bytes[at] ^= 1 << UInt8(random.next() % 8)
    case 1: bytes[at] = UInt8(truncatingIfNeeded: random.next())
    case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int(random.next() % 40)))
    default: bytes.insert(contentsOf: bytes.prefix(Int(random.next() % 40)), at: at)
    }
  }
}

/// A seeded generator, so that what was found can be found again.
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
