import TLS
import Unwrapping
import WebSocket
import Wire

/// What is around a protocol: TLS, WebSocket.
enum WrappingTargets {
  /// Two bytes of length, a key log, then a talk; the first byte of all says whether the SYN was
  /// seen.
  static func readTLS(_ input: [UInt8]) throws(FuzzFinding) {
    var cursor = InputCursor(input)
    let handshake = cursor.uint8() & 1 == 0
    let keyLog = cursor.take(Int(cursor.uint16()))
    var secrets = TLSSecrets()
    let warnings = secrets.read(keyLog: keyLog)
    if warnings.count > keyLog.count { throw FuzzFinding("\(warnings.count) warnings") }
    let talk = Talk(&cursor)
    try compare(talk, input, handshake: handshake) { TLSDecryptingSink(secrets, to: $0) }
    // With room for all that is not complete, and with room for next to nothing.
    for limit in [UnfinishedBytes.usualLimit, UnfinishedBytes.smallest] {
      let wrapped = WrappedConnections(unfinished: UnfinishedBytes(limit: limit))
      let all = ContractSink()
      talk.tell(
        UnwrappingSink(CaptureOptions(secrets: secrets), to: all, noting: wrapped),
        handshake: handshake)
      try all.conclude(budget: budget(input))
      if wrapped.unfinished.total != 0 {
        throw FuzzFinding("\(wrapped.unfinished.total) bytes wait at the end")
      }
    }
  }

  /// The first byte says whether the SYN was seen, and whether somebody says that it is WebSocket.
  static func readWebSocket(_ input: [UInt8]) throws(FuzzFinding) {
    var cursor = InputCursor(input)
    let choice = cursor.uint8()
    let talk = Talk(&cursor)
    try compare(talk, input, handshake: choice & 1 == 0) {
      WebSocketSink(to: $0) { _ in choice & 2 != 0 }
    }
    let unfinished = UnfinishedBytes(limit: UnfinishedBytes.smallest)
    let all = ContractSink()
    talk.tell(
      UnwrappingSink(CaptureOptions(), to: all, noting: WrappedConnections(unfinished: unfinished)),
      handshake: choice & 1 == 0)
    try all.conclude(budget: budget(input))
    if unfinished.total != 0 { throw FuzzFinding("\(unfinished.total) bytes wait at the end") }
  }

  private static func budget(_ input: [UInt8]) -> Int { 64 + 4 * input.count }

  /// Where one segment ends and the next begins means nothing, unless bytes are missing.
  private static func compare(
    _ talk: Talk, _ input: [UInt8], handshake: Bool,
    _ makeSink: (any ConnectionSink) -> any ConnectionSink
  ) throws(FuzzFinding) {
    let whole = ContractSink()
    talk.tell(makeSink(whole), handshake: handshake)
    try whole.conclude(budget: budget(input))
    let pieces = ContractSink()
    // Some readers wait for so many events and no longer.
    talk.tell(makeSink(pieces), handshake: handshake, chunk: 1 + input.count / 400)
    try pieces.conclude(budget: budget(input))
    guard handshake, !talk.hasGaps, !whole.hasGaps, !pieces.hasGaps else { return }
    if whole.digests != pieces.digests { throw FuzzFinding("other bytes when told in pieces") }
  }
}
