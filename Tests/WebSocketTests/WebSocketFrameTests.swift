import Testing

@testable import WebSocket

@Suite struct WebSocketFrameTests {
  private func frame(_ bytes: [UInt8]) -> WebSocketFrame? {
    if case .frame(let frame) = WebSocketFrame.read(bytes) { frame } else { nil }
  }

  // RFC 6455 §5.7.
  @Test func `the examples of the RFC are read`() throws {
    let text = try #require(frame([0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]))
    #expect(text.isFinal && text.kind == .text && text.length == 5 && text.headLength == 2)
    let masked = try #require(
      frame([0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]))
    var payload: [UInt8] = [0x7f, 0x9f, 0x4d, 0x51, 0x58]
    masked.unmask(&payload, at: 0)
    #expect(payload == Array("Hello".utf8))
    let long = try #require(frame([0x82, 0x7e, 0x01, 0x00]))
    #expect(long.length == 256 && long.headLength == 4 && !long.isLengthPadded)
    let longer = try #require(frame([0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]))
    #expect(longer.length == 65536 && longer.headLength == 10 && !longer.isLengthPadded)
  }

  @Test func `payload in pieces is unmasked like payload in one`() throws {
    let masked = try #require(frame([0x82, 0x89, 1, 2, 3, 4]))
    let payload: [UInt8] = Array(10..<19)
    var whole = payload
    masked.unmask(&whole, at: 0)
    for cut in payload.indices {
      var first = Array(payload[..<cut])
      var second = Array(payload[cut...])
      masked.unmask(&first, at: 0)
      masked.unmask(&second, at: UInt64(cut))
      #expect(first + second == whole)
    }
  }

  @Test func `a head that is not complete says what it needs`() {
    let bytes: [UInt8] = [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4]
    for count in bytes.indices {
      #expect(WebSocketFrame.read(bytes[..<count]) == .needs(count < 2 ? 2 : 14))
    }
    #expect(frame(bytes)?.mask == 0x0102_0304)
  }

  @Test func `lengths that lie are seen`() {
    #expect(frame([0x82, 0x7e, 0, 5])?.isLengthPadded == true)
    #expect(frame([0x82, 0x7f, 0, 0, 0, 0, 0, 0, 1, 0])?.isLengthPadded == true)
    #expect(WebSocketFrame.read([0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0]) == .impossible)
  }

  @Test func `a chain is whole frames to the last byte`() {
    let bytes: [UInt8] = [0x89, 0x00, 0x82, 0x02, 1, 2]
    #expect(WebSocketFrame.isChain(bytes, isToServer: false))
    #expect(!WebSocketFrame.isChain(bytes, isToServer: true))
    #expect(!WebSocketFrame.isChain(Array(bytes.dropLast()), isToServer: false))
    #expect(!WebSocketFrame.isChain([0x93, 0x00], isToServer: false))
  }
}
