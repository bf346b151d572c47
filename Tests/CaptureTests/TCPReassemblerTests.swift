import Testing
import Timeline
import Wire

@testable import Capture

@Suite struct TCPReassemblerTests {
  @Test func `a connection is told from its SYN to its last FIN`() {
    var talk = Conversation()
    talk.handshake()
    talk.client(seq: 1, ack: 1, "hello")
    talk.server(seq: 1, ack: 6, "ok")
    talk.client(seq: 6, ack: 3)
    talk.client(.fin, seq: 6, ack: 3)
    talk.server(.fin, seq: 3, ack: 7)
    talk.client(seq: 7, ack: 4)
    #expect(
      talk.sink.lines == [
        "1 began", "3 established", "4 > 0 'hello'", "5 > acknowledged 5", "5 < 0 'ok'",
        "6 < acknowledged 2", "7 > finished 5", "8 < finished 2", "9 ended closed",
      ])
  }

  @Test func `bytes out of order are told in order, with the moment of their own packet`() {
    var talk = Conversation()
    talk.handshake()
    talk.client(seq: 4, ack: 1, "DEF")
    talk.client(seq: 7, ack: 1, "GH")
    talk.client(seq: 1, ack: 1, "ABC")
    #expect(
      Array(talk.sink.lines.dropFirst(2)) == ["6 > 0 'ABC'", "4 > 3 'DEF'", "5 > 6 'GH'"])
    #expect(talk.books.bufferedBytes == 0)
  }

  @Test func `a retransmission is told as such and its bytes only once`() {
    var talk = Conversation()
    talk.handshake()
    talk.client(seq: 1, ack: 1, "ABC")
    talk.client(seq: 1, ack: 1, "ABC")
    talk.client(seq: 1, ack: 1, "ABCDE")  // Coalesced with what follows.
    #expect(
      Array(talk.sink.lines.dropFirst(2)) == [
        "4 > 0 'ABC'", "5 > again 0+3", "6 > again 0+3", "6 > 3 'DE'",
      ])
  }

  @Test func `of overlapping segments the first copy counts, and other bytes are warned about`() {
    var talk = Conversation()
    talk.handshake()
    talk.client(seq: 4, ack: 1, "DEF")
    talk.client(seq: 2, ack: 1, "bcdxf")
    talk.client(seq: 1, ack: 1, "A")
    #expect(talk.sink.connections[0].toServer == Array("AbcDEF".utf8))
    #expect(talk.warnings == [.conflictingBytes])
    #expect(talk.sink.lines.contains("5 > again 3+3"))
  }

  @Test func `with the other policy the last copy before the acknowledgement counts`() {
    var limits = CaptureLimits()
    limits.overlaps = .lastCopy
    var talk = Conversation(limits: limits)
    talk.handshake()
    talk.client(seq: 1, ack: 1, "abc")
    talk.client(seq: 2, ack: 1, "Xcd")
    talk.server(seq: 1, ack: 4)
    talk.client(seq: 1, ack: 1, "ABC")  // Too late.
    talk.client(.fin, seq: 5, ack: 1)
    talk.server(seq: 1, ack: 6)
    talk.stop()
    #expect(
      Array(talk.sink.lines.dropFirst(2)) == [
        "5 > again 1+2", "6 > acknowledged 3", "4 > 0 'aXc'", "7 > again 0+3",
        "9 > acknowledged 4", "5 > 3 'd'", "8 > finished 4", "9 ended captureOver",
      ])
    #expect(talk.warnings == [.conflictingBytes])
  }

  @Test func `sequence numbers wrap around`() {
    var talk = Conversation()
    talk.clientStart = UInt32.max - 3
    talk.handshake()
    talk.client(seq: 1, ack: 1, "ABCDE")
    talk.client(seq: 9, ack: 1, "IJ")
    talk.client(seq: 6, ack: 1, "FGH")
    talk.server(seq: 1, ack: 11)
    #expect(talk.sink.connections[0].toServer == Array("ABCDEFGHIJ".utf8))
    #expect(talk.sink.lines.last == "7 > acknowledged 10")
  }

  @Test func `without a SYN the first byte seen is offset 0, and the lower port the server`() {
    var talk = Conversation()
    talk.server(seq: 500, ack: 90, "news")
    talk.client(seq: 90, ack: 504, "thanks")
    #expect(
      talk.sink.lines == [
        "1 began mid-stream", "1 < 0 'news'", "2 < acknowledged 4", "2 > 0 'thanks'",
      ])
    #expect(talk.sink.connections[0].description.client.port == 40_000)
    #expect(talk.sink.connections[0].description.clientRule == .port)
  }

  @Test func `a SYN/ACK stored before the SYN does not hide who the client is`() {
    var talk = Conversation()
    talk.server(.syn, seq: 0, ack: 1)
    talk.client(.syn, seq: 0)
    talk.client(seq: 1, ack: 1)
    talk.client(seq: 1, ack: 1, "hi")
    #expect(talk.sink.lines == ["1 began", "3 established", "4 > 0 'hi'"])
    #expect(talk.sink.connections[0].description.clientRule == .synAckReceiver)
    #expect(talk.sink.connections[0].description.client.port == 40_000)
  }

  @Test func `of two SYN/ACKs the acknowledged one holds`() {
    var talk = Conversation()
    talk.client(.syn, seq: 0)
    talk.server(.syn, seq: 0, ack: 1)
    talk.server(.syn, seq: 700_000, ack: 1)
    talk.client(seq: 1, ack: 700_001)
    talk.server(seq: 700_001, ack: 1, "welcome")
    #expect(talk.sink.connections.count == 1)
    #expect(talk.sink.connections[0].toClient == Array("welcome".utf8))
    #expect(talk.sink.connections[0].gaps == 0)
  }

  @Test func `a SYN with a new number on the same ports is a new connection`() {
    var talk = Conversation()
    talk.handshake()
    talk.client(seq: 1, ack: 1, "old")
    talk.clientStart = 900_000
    talk.serverStart = 800_000
    talk.handshake()
    talk.client(seq: 1, ack: 1, "new")
    #expect(talk.sink.connections.map(\.toServer) == [Array("old".utf8), Array("new".utf8)])
    #expect(talk.sink.connections[0].lines.last == "5 ended reused")
  }

  @Test func `a repeated SYN is no new connection`() {
    var talk = Conversation()
    talk.client(.syn, seq: 0)
    talk.client(.syn, seq: 0)
    talk.handshake()
    #expect(talk.sink.lines == ["1 began", "5 established"])
  }

  @Test func `a reset after the answer to a SYN never came is a refusal`() {
    var talk = Conversation()
    talk.client(.syn, seq: 0)
    talk.server(.rst, seq: 0, ack: 1)
    #expect(talk.sink.lines == ["1 began", "2 < reset", "2 ended refused"])
  }

  @Test func `after a reset what the other end had under way is told, then the end`() {
    var talk = Conversation()
    talk.handshake()
    talk.client(.rst, seq: 1)
    talk.server(seq: 1, ack: 1, "late")
    talk.wait(.seconds(2))
    let before = talk.sink.lines
    talk.clientPort = 40_001
    talk.client(.syn, seq: 0)
    #expect(Array(before.dropFirst(2)) == ["4 > reset", "5 < 0 'late'"])
    #expect(talk.sink.connections[0].lines.last == "5 ended reset")
  }

  @Test func `bytes of a reset are no part of the stream`() {
    var talk = Conversation()
    talk.handshake()
    talk.server(.rst, seq: 1, ack: 1, "out of memory")
    #expect(talk.sink.connections[0].toClient.isEmpty)
    #expect(talk.sink.lines.last == "4 < reset")
  }

  @Test func `a reset far outside the window is ignored`() {
    var talk = Conversation()
    talk.handshake()
    talk.client(.rst, seq: 1 << 30)
    talk.client(seq: 1, ack: 1, "still here")
    #expect(talk.sink.lines.last == "5 > 0 'still here'")
    #expect(talk.warnings == [.outOfWindow])
  }

  @Test func `keep-alive probes, with and without a byte, are told from data`() {
    var talk = Conversation()
    talk.handshake()
    talk.client(seq: 1, ack: 1, "ab")
    talk.server(seq: 1, ack: 3)
    talk.client(seq: 2, ack: 1)
    talk.client(seq: 2, ack: 1, "\0")
    talk.client(seq: 3, ack: 1, "cd")
    #expect(
      Array(talk.sink.lines.dropFirst(4)) == ["6 > keep-alive", "7 > keep-alive", "8 > 2 'cd'"])
  }

  @Test func `a closed window is told, and that it opens again`() {
    var talk = Conversation()
    talk.handshake()
    talk.client(seq: 1, ack: 1, window: 0)
    talk.server(seq: 0, ack: 1)  // A window probe looks like a keep-alive probe.
    talk.client(seq: 1, ack: 1, window: 500)
    #expect(
      Array(talk.sink.lines.dropFirst(2)) == ["4 < window closed", "6 < window open"])
  }

  @Test func `an acknowledged hole is a gap that the capture missed`() {
    var talk = Conversation()
    talk.handshake()
    talk.server(seq: 1, ack: 1, "abc")
    talk.server(seq: 11, ack: 1, "xyz")
    talk.client(seq: 1, ack: 14)
    for _ in 0..<4 { talk.client(seq: 1, ack: 14) }
    #expect(
      Array(talk.sink.lines.suffix(3)) == [
        "6 < acknowledged 13", "5 < gap 3+7 notCaptured", "5 < 10 'xyz'",
      ])
  }

  @Test func `a hole that fills after its acknowledgement was stored is none`() {
    var talk = Conversation()
    talk.handshake()
    talk.server(seq: 4, ack: 1, "def")
    talk.client(seq: 1, ack: 7)
    talk.server(seq: 1, ack: 1, "abc")
    talk.stop()
    #expect(talk.sink.connections[0].toClient == Array("abcdef".utf8))
    #expect(talk.sink.connections[0].gaps == 0)
  }

  @Test func `a hole that nobody acknowledged was lost on the wire`() {
    var talk = Conversation()
    talk.handshake()
    talk.server(seq: 1, ack: 1, "abc")
    talk.server(seq: 6, ack: 1, "xyz")
    talk.client(seq: 1, ack: 5)
    talk.stop()
    #expect(
      Array(talk.sink.lines.suffix(4)) == [
        "5 < gap 3+1 notCaptured", "5 < gap 4+1 lostOnTheWire", "5 < 5 'xyz'",
        "6 ended captureOver",
      ])
  }

  @Test func `a hole in a one-sided capture is unknown`() {
    var talk = Conversation()
    talk.server(seq: 1, ack: 1, "abc")
    talk.server(seq: 6, ack: 1, "xyz")
    talk.stop()
    #expect(talk.sink.lines.contains("2 < gap 3+2 unknown"))
  }

  @Test func `bytes that only their acknowledgement proves are a gap at the end`() {
    var talk = Conversation()
    talk.handshake()
    talk.server(seq: 1, ack: 1, "abc")
    talk.client(seq: 1, ack: 60)
    talk.stop()
    #expect(
      Array(talk.sink.lines.suffix(3)) == [
        "5 < acknowledged 59", "5 < gap 3+56 notCaptured", "5 ended captureOver",
      ])
  }

  @Test func `a FIN beyond the bytes seen shows a missing tail`() {
    var talk = Conversation()
    talk.handshake()
    talk.server(.fin, seq: 100, ack: 1)
    talk.client(.fin, seq: 1, ack: 101)
    talk.server(seq: 101, ack: 2)
    talk.stop()
    #expect(
      Array(talk.sink.lines.suffix(4)) == [
        "5 > finished 0", "4 < gap 0+99 notCaptured", "4 < finished 99", "6 ended closed",
      ])
  }

  @Test func `bytes that the snap length cut off are a gap`() {
    var talk = Conversation()
    talk.handshake()
    talk.server(seq: 1, ack: 1, "abcdef", captured: 2)
    talk.server(seq: 7, ack: 1, "ghi")
    #expect(
      Array(talk.sink.lines.dropFirst(2)) == [
        "4 < 0 'ab'", "4 < gap 2+4 unknown", "5 < 6 'ghi'",
      ])
    #expect(talk.warnings == [.cutPayload])
  }

  @Test func `bytes after the FIN are left out`() {
    var talk = Conversation()
    talk.handshake()
    talk.client(.fin, seq: 1, ack: 1, "end")
    talk.client(seq: 4, ack: 1, "more")
    #expect(talk.sink.lines.last == "4 > finished 3")
    #expect(talk.warnings == [.bytesAfterFin])
  }

  @Test func `stragglers of a closed connection open no new one`() {
    var talk = Conversation()
    talk.handshake()
    talk.client(.fin, seq: 1, ack: 1)
    talk.server(.fin, seq: 1, ack: 2)
    talk.client(seq: 2, ack: 2)
    talk.server(.fin, seq: 1, ack: 2)
    talk.client(seq: 2, ack: 2)
    talk.stop()
    #expect(talk.sink.lines.last == "6 ended closed")
  }

  @Test func `two ends that both send a SYN are one connection`() {
    var talk = Conversation()
    talk.client(.syn, seq: 0)
    talk.server(.syn, seq: 0)
    talk.client(.syn, seq: 0, ack: 1)
    talk.server(.syn, seq: 0, ack: 1)
    talk.client(seq: 1, ack: 1, "x")
    #expect(talk.sink.lines == ["1 began", "4 established", "5 > 0 'x'"])
  }

  @Test func `bytes on the SYN are the first of the stream`() {
    var talk = Conversation()
    talk.client(.syn, seq: 0, "early")
    talk.server(.syn, seq: 0, ack: 6)
    talk.client(seq: 6, ack: 1, " bird")
    #expect(talk.sink.connections[0].toServer == Array("early bird".utf8))
  }
}
