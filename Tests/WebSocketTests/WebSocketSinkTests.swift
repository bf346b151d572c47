import Testing
import Timeline
import Wire

@testable import WebSocket

@Suite struct WebSocketSinkTests {
  // MARK: The upgrade

  @Test func `messages come as if they were the connection`() throws {
    let talk = Talk()
    talk.upgrade()
    talk.client(Talk.frame([1, 2, 3], mask: 0x1122_3344) + Talk.frame([4], mask: 7))
    talk.server(Talk.frame([9, 8]))
    #expect(talk.seen.bytes(.toServer) == [1, 2, 3, 4])
    #expect(talk.seen.bytes(.toClient) == [9, 8])
    let facts = try #require(talk.facts)
    #expect(facts.path == "/mqtt")
    #expect(facts.chosenProtocol == "mqtt" && facts.offeredProtocols == ["mqtt", "mqttv3.1"])
    #expect(facts.toServer.binary == 2 && facts.toServer.bytes == 4 && facts.toClient.binary == 1)
    #expect(facts.violationCount == 0)
    talk.end()
    #expect(talk.seen.isConsistent)
    #expect(talk.seen.lines.last == "ended")
  }

  @Test func `bytes that drip in one by one give the same`() {
    let talk = Talk()
    let hello = Talk.frame(Array(0..<200), mask: 0xdead_beef)
    talk.upgrade(inDrips: true)
    for byte in hello { talk.client([byte]) }
    for byte in Talk.frame(Array(0..<200)) { talk.server([byte]) }
    #expect(talk.seen.bytes(.toServer) == Array(0..<200))
    #expect(talk.seen.bytes(.toClient) == Array(0..<200))
    #expect(talk.facts?.violationCount == 0)
    #expect(talk.seen.isConsistent)
  }

  @Test func `what is no WebSocket passes untouched`() {
    let requests = [
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\n\r\n", "\u{10}\u{c}\u{0}\u{4}MQTT",
      "GE", "G",
    ]
    for request in requests {
      let talk = Talk()
      talk.client(Array(request.utf8))
      talk.server(Array("HTTP/1.1 200 OK\r\n\r\n".utf8))
      talk.end()
      #expect(talk.seen.bytes(.toServer) == Array(request.utf8))
      #expect(talk.seen.bytes(.toClient).count == 19)
      #expect(talk.facts == nil)
      #expect(talk.seen.isConsistent)
    }
  }

  @Test func `a refused upgrade is HTTP`() {
    let talk = Talk()
    talk.client(Array(Talk.request.utf8))
    talk.server(Array("HTTP/1.1 403 Forbidden\r\n\r\n".utf8))
    #expect(talk.seen.bytes(.toServer) == Array(Talk.request.utf8))
    #expect(talk.facts == nil)
  }

  @Test func `an upgrade whose answer is missing is one when the client goes on`() {
    let talk = Talk()
    talk.client(Array(Talk.request.utf8))
    talk.client(Talk.frame([5, 6], mask: 3))
    #expect(talk.seen.bytes(.toServer) == [5, 6])
    #expect(talk.facts?.chosenProtocol == nil)
  }

  @Test func `a connection that is said to be WebSocket needs no upgrade`() {
    let talk = Talk(isAssigned: true)
    talk.server(Talk.frame([1, 2]))
    talk.client(Talk.frame([3], mask: 9))
    #expect(talk.seen.bytes(.toClient) == [1, 2])
    #expect(talk.seen.bytes(.toServer) == [3])
  }

  // MARK: Frames

  @Test func `fragments make one message, and control frames may stand between them`() {
    let talk = Talk()
    talk.upgrade()
    talk.server(Talk.frame([1, 2], isFinal: false))
    talk.server(Talk.frame([], opcode: 9))
    talk.server(Talk.frame([3], opcode: 0))
    talk.server(Talk.frame([0x03, 0xe9], opcode: 8))
    #expect(talk.seen.bytes(.toClient) == [1, 2, 3])
    let flow = talk.facts?.toClient
    #expect(flow?.continuation == 1 && flow?.ping == 1 && flow?.close == 1)
    #expect(flow?.closeCode == 1001)
    #expect(talk.facts?.violationCount == 0)
  }

  @Test func `frames that lie are told, and nothing breaks`() {
    let lies: [(bytes: [UInt8], rule: String)] = [
      (Talk.frame([1]), "§5.1"),
      (Talk.frame([1], opcode: 3, mask: 1), "§5.2"),
      (Talk.frame([1], opcode: 0, mask: 1), "§5.4"),
      (Talk.frame([1], isFinal: false, mask: 1) + Talk.frame([1], mask: 1), "§5.4"),
      (Talk.frame([1], opcode: 9, isFinal: false, mask: 1), "§5.5"),
      (Talk.frame(Array(repeating: 0, count: 126), opcode: 9, mask: 1), "§5.5"),
      (Talk.frame([], opcode: 8, mask: 1) + Talk.frame([1], mask: 1), "§5.5.1"),
      ([0xc2, 0x80, 0, 0, 0, 0], "§5.2"),
      ([0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6], "§5.2"),
      ([0x82, 0xfe, 0, 1, 0, 0, 0, 0, 7], "§5.2"),
    ]
    for (bytes, rule) in lies {
      let talk = Talk()
      talk.upgrade()
      talk.client(bytes)
      talk.client([1, 2, 3])
      talk.end()
      #expect(talk.facts?.violations.first?.rule == nil)
      #expect(talk.last?.violations.first?.rule == "RFC 6455 \(rule)")
      #expect(talk.seen.isConsistent)
    }
  }

  @Test func `compressed messages are inflated, with and without what came before`() {
    // RFC 7692 §7.2.3.1 and §7.2.3.2: "Hello" twice, the second refers to the first.
    let first: [UInt8] = [0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]
    let second: [UInt8] = [0xc1, 0x05, 0xf2, 0x00, 0x11, 0x00, 0x00]
    let hello = Array("Hello".utf8)
    let talk = Talk()
    talk.upgrade(answer: "Sec-WebSocket-Extensions: permessage-deflate\r\n")
    talk.server(first + second)
    #expect(talk.seen.bytes(.toClient) == hello + hello)
    // In fragments (§7.2.3.1).
    talk.server([0x41, 0x03, 0xf2, 0x48, 0xcd])
    talk.server([0x80, 0x04, 0xc9, 0xc9, 0x07, 0x00])
    #expect(talk.seen.bytes(.toClient) == hello + hello + hello)
    #expect(talk.facts?.isCompressed == true && talk.facts?.violationCount == 0)

    let forgetful = Talk()
    forgetful.upgrade(
      answer: "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n")
    forgetful.server(first + second)
    #expect(forgetful.seen.bytes(.toClient) == hello)
    #expect(forgetful.seen.gaps.count == 1)
    #expect(forgetful.facts?.violations.first?.rule == "RFC 7692 §7.2.2")
  }

  // MARK: Holes and acknowledgements

  @Test func `a hole inside of a frame is as long as it is`() {
    let talk = Talk()
    talk.upgrade()
    let frame = Talk.frame(Array(0..<100), mask: 0x0a0b_0c0d)
    talk.client(Array(frame.prefix(50)))
    talk.miss(.toServer, 20)
    talk.client(Array(frame.dropFirst(70)))
    talk.client(Talk.frame([1], mask: 0))
    #expect(talk.seen.bytes(.toServer) == Array(0..<44) + Array(64..<100) + [1])
    #expect(talk.seen.gaps.map(\.length) == [20])
    #expect(talk.seen.isConsistent)
    #expect(talk.facts?.violationCount == 0)
  }

  @Test func `behind a hole reading goes on with a segment that is all frames`() {
    let talk = Talk()
    talk.upgrade()
    talk.server(Array(Talk.frame(Array(0..<100)).prefix(50)))
    talk.miss(.toClient, 500)
    talk.server([0x01, 0x02, 0x03])
    talk.server(Talk.frame([7, 7], opcode: 0) + Talk.frame([8]))
    #expect(talk.seen.bytes(.toClient) == Array(0..<48) + [7, 7, 8])
    #expect(talk.facts?.violationCount == 0)
    #expect(talk.seen.isConsistent)
  }

  @Test func `acknowledgements count what is inside`() {
    let talk = Talk()
    talk.upgrade()
    talk.server(Talk.frame([1, 2, 3]))
    talk.server(Talk.frame([4, 5]))
    talk.acknowledge(.toClient, Talk.answerLength(""))
    #expect(!talk.seen.lines.contains { $0.hasPrefix("acknowledged") })
    talk.acknowledge(.toClient, Talk.answerLength("") + 5)
    #expect(talk.seen.lines.last == "acknowledged toClient 3")
    talk.acknowledge(.toClient, Talk.answerLength("") + 8)
    #expect(talk.seen.lines.last == "acknowledged toClient 3")
    talk.acknowledge(.toClient, Talk.answerLength("") + 9)
    #expect(talk.seen.lines.last == "acknowledged toClient 5")
  }

  @Test func `any bytes at all end without harm`() {
    var state: UInt64 = 42
    func random() -> UInt8 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 33)
    }
    for round in 0..<200 {
      let talk = Talk(isAssigned: round % 4 == 3)
      let extensions = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
      if round % 4 < 3 { talk.upgrade(answer: round % 2 == 0 ? extensions : "") }
      for _ in 0..<20 {
        let piece = (0..<Int(random())).map { _ in random() }
        if random() & 1 == 0 { talk.client(piece) } else { talk.server(piece) }
        if random() < 20 { talk.miss(random() & 1 == 0 ? .toServer : .toClient, UInt64(random())) }
      }
      talk.end()
      #expect(talk.seen.isConsistent)
      #expect(talk.seen.lines.last == "ended")
    }
  }
}
