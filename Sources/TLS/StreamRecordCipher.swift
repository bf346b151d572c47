/// A stream cipher, or none, with HMAC (RFC 5246 §6.2.3.1).
struct StreamRecordCipher {
  let mac: RecordMAC
  private var keyStream: RC4?

  init(mac: RecordMAC, keyStream: RC4?) {
    self.mac = mac
    self.keyStream = keyStream
  }

  var hasKeyStream: Bool { keyStream != nil }

  mutating func open(_ header: RecordHeader, _ payload: [UInt8], sequence: UInt64) -> [UInt8]? {
    guard payload.count >= mac.length else { return nil }
    var advanced = keyStream
    let plain = advanced?.apply(to: payload) ?? payload
    let text = plain.dropLast(mac.length)
    let tag = plain.suffix(mac.length)
    guard mac.isValid(tag, of: text, header, sequence: sequence) else { return nil }
    keyStream = advanced
    return Array(text)
  }
}

/// RC4, which old captures still have (RFC 7465 forbids it since 2015).
struct RC4 {
  private var state: [UInt8]
  private var i: UInt8 = 0
  private var j: UInt8 = 0

  /// - Parameter key: at least one byte.
  init(key: [UInt8]) {
    precondition(!key.isEmpty, "RC4 needs a key")
    state = Array(0...255)
    var j: UInt8 = 0
    for i in 0..<256 {
      j = j &+ state[i] &+ key[i % key.count]
      state.swapAt(i, Int(j))
    }
  }

  /// The bytes xored with what comes next of the key stream.
  mutating func apply(to bytes: [UInt8]) -> [UInt8] {
    bytes.map { byte in
      i = i &+ 1
      j = j &+ state[Int(i)]
      state.swapAt(Int(i), Int(j))
      return byte ^ state[Int(state[Int(i)] &+ state[Int(j)])]
    }
  }
}
