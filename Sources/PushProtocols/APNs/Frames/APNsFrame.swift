/// What an item of a frame is called: a tag of one byte; inside of packed payloads a text.
public enum APNsKey: Hashable, Sendable, ExpressibleByIntegerLiteral {
  case tag(UInt8)
  /// Two bytes or more.
  case name([UInt8])

  /// - Parameter bytes: at least one.
  public init(_ bytes: [UInt8]) {
    precondition(!bytes.isEmpty, "a key has a byte at least")
    self = bytes.count == 1 ? .tag(bytes[0]) : .name(bytes)
  }

  public init(integerLiteral value: UInt8) { self = .tag(value) }

  public var bytes: [UInt8] {
    switch self {
    case .tag(let tag): [tag]
    case .name(let bytes): bytes
    }
  }
}

/// The value of an item. Serial framing knows bytes only; what they mean depends on the tag.
public indirect enum APNsValue: Hashable, Sendable {
  case bytes([UInt8])
  /// UTF-8, as it came.
  case text([UInt8])
  /// −(2^64 − 1) … 2^64 − 1.
  case integer(Int128)
  case flag(Bool)
  case array([APNsValue])
  case dictionary([APNsItem])
}

/// A key and its value. Tags may repeat: so lists are written.
public struct APNsItem: Hashable, Sendable {
  public var key: APNsKey
  public var value: APNsValue
  /// In packed framing: the value goes through the value table, literally at first and as a
  /// reference from then on.
  public var isStored: Bool

  public init(_ key: APNsKey, _ value: APNsValue, isStored: Bool = false) {
    self.key = key
    self.value = value
    self.isStored = isStored
  }

  public static func stored(_ key: APNsKey, _ bytes: [UInt8]) -> APNsItem {
    APNsItem(key, .bytes(bytes), isStored: true)
  }
}

/// One message between a device and its courier, with every item that was in it, known or not.
public struct APNsFrame: Hashable, Sendable {
  public var command: APNsCommand
  /// In the order of the bytes, which means nothing.
  public var items: [APNsItem]
  /// Serial framing: what followed the last whole item. Nothing in a good frame.
  public var rest: [UInt8] = []

  public init(_ command: APNsCommand, _ items: [APNsItem] = []) {
    self.command = command
    self.items = items
  }

  public func first(_ tag: UInt8) -> APNsValue? {
    items.first { $0.key == .tag(tag) }?.value
  }

  /// The values under a tag, in their order.
  public func all(_ tag: UInt8) -> [APNsValue] {
    items.filter { $0.key == .tag(tag) }.map(\.value)
  }

  /// The number under a tag, in either framing: big endian bytes, or an integer cut to 64 bits.
  public func number(_ tag: UInt8) -> UInt64? {
    switch first(tag) {
    case .bytes(let bytes) where bytes.count <= 8:
      bytes.reduce(0) { $0 << 8 | UInt64($1) }
    case .integer(let number): UInt64(truncatingIfNeeded: number)
    case .flag(let flag): flag ? 1 : 0
    case .bytes, .text, .array, .dictionary, nil: nil
    }
  }

  /// The bytes or the text under a tag.
  public func bytes(_ tag: UInt8) -> [UInt8]? { first(tag)?.content }
}

extension APNsValue {
  /// Bytes or text; `nil` for what is neither.
  public var content: [UInt8]? {
    switch self {
    case .bytes(let bytes), .text(let bytes): bytes
    case .integer, .flag, .array, .dictionary: nil
    }
  }

  /// How many values it is, itself and all in it. Kept small by decoders.
  var weight: Int {
    switch self {
    case .bytes, .text, .integer, .flag: 1
    case .array(let values): values.reduce(1) { $0 + $1.weight }
    case .dictionary(let items): items.reduce(1) { $0 + $1.value.weight }
    }
  }
}
