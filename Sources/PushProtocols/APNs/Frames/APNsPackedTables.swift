/// The two tables of one direction of a packed connection. Both ends keep one each; nothing on the
/// wire says whether they agree.
struct APNsPackedTables {
  static let keyLimit = 32
  /// What an entry costs besides its bytes.
  static let entryCost = 32
  /// Where the name of the protocol says nothing else.
  static let usualLimit = 4096
  /// The most that a capture is believed.
  static let largestLimit = 1 << 20

  struct Entry {
    var value: APNsValue
    /// Of its bytes on the wire, with `entryCost`; 0 for one that is larger than the table.
    var cost: Int
    /// How many values it is.
    var weight: Int
  }

  /// Oldest first.
  private(set) var keys: [APNsKey] = []
  private(set) var values: [Entry] = []
  let limit: Int
  private var used = 0

  init(limit: Int) { self.limit = min(max(0, limit), Self.largestLimit) }

  mutating func add(_ key: APNsKey) {
    if keys.count >= Self.keyLimit { keys.removeFirst() }
    keys.append(key)
  }

  /// - Parameters:
  ///   - length: of the encoded value.
  ///   - weight: how many values it is.
  /// - Returns: whether it is larger than the whole table. Such a one takes all the room there is
  ///   and is kept nevertheless, uncounted, as the one reader whose behaviour is known does.
  mutating func add(_ value: APNsValue, length: Int, weight: Int) -> Bool {
    let cost = length + Self.entryCost
    var gone = 0
    while used + cost > limit, gone < values.count {
      used -= values[gone].cost
      gone += 1
    }
    values.removeFirst(gone)
    let isTooLarge = cost > limit
    if !isTooLarge { used += cost }
    values.append(Entry(value: value, cost: isTooLarge ? 0 : cost, weight: weight))
    return isTooLarge
  }

  /// - Parameter index: 0 is the newest.
  func key(_ index: UInt64) -> APNsKey? {
    index < UInt64(keys.count) ? keys[keys.count - 1 - Int(index)] : nil
  }

  func value(_ index: UInt64) -> Entry? {
    index < UInt64(values.count) ? values[values.count - 1 - Int(index)] : nil
  }

  func index(of key: APNsKey) -> Int? {
    keys.lastIndex(of: key).map { keys.count - 1 - $0 }
  }

  func index(of value: APNsValue) -> Int? {
    values.lastIndex { $0.value == value }.map { values.count - 1 - $0 }
  }
}

/// Prefix integers: a few bits of a byte, and more bytes when those do not suffice.
enum APNsPrefixInteger {
  /// - Parameters:
  ///   - bits: of the first byte, 1 to 8.
  ///   - flags: the other bits of the first byte.
  static func encode(_ value: UInt64, bits: Int, flags: UInt8 = 0) -> [UInt8] {
    let most = UInt64(1) << UInt64(bits) - 1
    if value < most { return [flags | UInt8(value)] }
    var bytes = [flags | UInt8(most)]
    var rest = value - most
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
    return bytes
  }

  /// - Returns: `nil` when the bytes end in its middle.
  static func decode(
    _ bytes: ArraySlice<UInt8>, bits: Int
  ) throws(APNsViolation) -> (value: UInt64, length: Int)? {
    guard let first = bytes.first else { return nil }
    let most = UInt64(1) << UInt64(bits) - 1
    let start = UInt64(first) & most
    if start < most { return (start, 1) }
    var value: UInt64 = 0
    var at = bytes.startIndex + 1
    var shift: UInt64 = 0
    while at < bytes.endIndex {
      let byte = bytes[at]
      value |= UInt64(byte & 0x7F) << shift
      at += 1
      if value + most > UInt64(UInt32.max) { throw .prefixIntegerTooLong }
      if byte & 0x80 == 0 { return (value + most, at - bytes.startIndex) }
      shift += 7
      if shift > 28 { throw .prefixIntegerTooLong }
    }
    return nil
  }
}
