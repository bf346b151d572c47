/// What a notification is about. On the wire it is the SHA-1 of a text, mostly the bundle
/// identifier of an app.
public struct APNsTopic: Hashable, Sendable, CustomStringConvertible {
  public static let length = 20

  public var hash: [UInt8]
  public init(hash: [UInt8]) { self.hash = hash }
  public init(named name: String) { hash = SHA1Sum.of(Array(name.utf8)) }

  public var description: String { APNsText.hexadecimal(hash) }
}

/// The names of topics, as far as anybody has said them.
public struct APNsTopicNames: Sendable {
  private var names: [APNsTopic: String] = [:]

  /// The one name that is publicly known from its hash: iMessage.
  public init() { add("com.apple.madrid") }

  public init(_ names: some Sequence<String>) {
    self.init()
    for name in names { add(name) }
  }

  public mutating func add(_ name: String) { names[APNsTopic(named: name)] = name }

  /// Its name, or its hash.
  public func text(_ topic: APNsTopic) -> String { names[topic] ?? topic.description }
}

/// SHA-1 (FIPS 180-4): what hides the names of topics. Nothing depends on its strength.
enum SHA1Sum {
  static func of(_ message: [UInt8]) -> [UInt8] {
    var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
    var bytes = message + [0x80]
    bytes += [UInt8](repeating: 0, count: (120 - bytes.count % 64) % 64)
    bytes += APNsSerialFraming.bigEndian(UInt64(message.count) * 8, width: 8)
    for start in stride(from: 0, to: bytes.count, by: 64) {
      compress(bytes[start..<(start + 64)], &state)
    }
    return state.flatMap { APNsSerialFraming.bigEndian(UInt64($0), width: 4) }
  }

  private static func compress(_ block: ArraySlice<UInt8>, _ state: inout [UInt32]) {
    var words = [UInt32](repeating: 0, count: 80)
    for (index, byte) in block.enumerated() {
      words[index / 4] = words[index / 4] << 8 | UInt32(byte)
    }
    for index in 16..<80 {
      words[index] =
        (words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16]).rotated(1)
    }
    var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
    for index in 0..<80 {
      let (mixed, constant): (UInt32, UInt32) =
        switch index / 20 {
        case 0: (b & c | ~b & d, 0x5A82_7999)
        case 1: (b ^ c ^ d, 0x6ED9_EBA1)
        case 2: (b & c | b & d | c & d, 0x8F1B_BCDC)
        case _: (b ^ c ^ d, 0xCA62_C1D6)
        }
      let next = a.rotated(5) &+ mixed &+ e &+ constant &+ words[index]
      (e, d, c, b, a) = (d, c, b.rotated(30), a, next)
    }
    for (index, word) in [a, b, c, d, e].enumerated() { state[index] &+= word }
  }
}

extension UInt32 {
  fileprivate func rotated(_ count: UInt32) -> UInt32 { self << count | self >> (32 - count) }
}
