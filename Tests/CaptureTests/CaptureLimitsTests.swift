import Testing
import Timeline
import Wire

@testable import Capture

@Suite struct CaptureLimitsTests {
  @Test func `out-of-order bytes beyond the limit of a stream become a gap`() {
    var limits = CaptureLimits()
    limits.bufferedSegmentsPerStream = 3
    var talk = Conversation(limits: limits)
    talk.handshake()
    for index in 0..<4 { talk.client(seq: 10 + 2 * index, ack: 1, "x") }
    #expect(talk.warnings == [.bufferLimit])
    #expect(Array(talk.sink.lines.suffix(2)) == ["4 > gap 0+9 unknown", "4 > 9 'x'"])
  }

  @Test func `out-of-order bytes of all connections together are limited`() {
    var limits = CaptureLimits()
    limits.bufferedBytes = 1000
    var talk = Conversation(limits: limits)
    for port in 0..<20 {
      talk.clientPort = 40_000 + UInt16(port)
      talk.handshake()
      talk.client(seq: 10, ack: 1, "0123456789")
    }
    #expect(talk.books.bufferedBytes <= 1000)
    #expect(talk.sink.connections[0].gaps == 1, "the longest waiting hole is given up first")
    #expect(talk.sink.connections[19].gaps == 0)
    talk.stop()
    #expect(talk.books.bufferedBytes == 0)
  }

  @Test func `beyond the limit the longest idle connection is retired`() {
    var limits = CaptureLimits()
    limits.connections = 3
    var talk = Conversation(limits: limits)
    for port in 0..<4 {
      talk.clientPort = 40_000 + UInt16(port)
      talk.handshake()
    }
    talk.stop()
    let ends = talk.sink.connections.map { $0.lines.last!.split(separator: " ").last! }
    #expect(ends.filter { $0 == "evicted" }.count == 1)
    #expect(ends[3] == "captureOver")
    #expect(talk.warnings == [.connectionLimit])
  }

  @Test func `a connection without a packet for too long is retired`() {
    var limits = CaptureLimits()
    limits.idle = .milliseconds(10)
    var talk = Conversation(limits: limits)
    talk.handshake()
    talk.clientPort = 40_001
    talk.handshake()
    for index in 0..<500 { talk.client(seq: 1 + index, ack: 1, "x") }
    talk.stop()
    let ends = talk.sink.connections.map { $0.lines.last!.split(separator: " ").last! }
    #expect(ends == ["evicted", "captureOver"])
    #expect(talk.warnings == [.idleConnection])
  }

  @Test func `a kind of warning is kept sixteen times and always counted`() {
    var talk = Conversation()
    talk.handshake()
    for _ in 0..<50 { talk.client(.rst, seq: 1 << 30) }
    #expect(talk.books.warnings.kept.count == 16)
    #expect(talk.books.warnings.counts.reduce(0, +) == 50)
  }
}
