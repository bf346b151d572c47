/// Reads frames in packed framing (`apns-pack-v1`), one direction of one connection.
public struct APNsPackedDecoder: Sendable {
  /// Values inside of values.
  private static let deepest = 32
  /// A frame may be more values than its bytes through references, but not beyond this: one byte
  /// can't say more than a value that our own encoder would refer to.
  private static func mostValues(_ bytes: Int) -> Int {
    APNsPackedEncoder.heaviestReference * (1 + bytes)
  }

  private var tables: APNsPackedTables
  /// The tables are not those of the sender any more: no frame can be read from here on.
  public private(set) var hasLostTables = false

  /// - Parameter limit: of the value table, as the name of the protocol says.
  public init(limit: Int = 4096) { tables = APNsPackedTables(limit: limit) }

  /// The lengths of the header and the body of the frame that begins the bytes; `nil` when its
  /// header is not complete.
  static func length(
    _ bytes: ArraySlice<UInt8>
  ) throws(APNsViolation) -> (header: Int, body: Int)? {
    guard let command = bytes.first,
      let (value, length) = try APNsPrefixInteger.decode(bytes.dropFirst(), bits: 8)
    else { return nil }
    if value > APNsSerialFraming.longestFrame {
      throw .frameTooLong(APNsCommand(command), value)
    }
    return (1 + length, Int(value))
  }

  /// - Parameters:
  ///   - bytes: one whole frame.
  ///   - header: how many of them are its header.
  public mutating func decode(_ bytes: ArraySlice<UInt8>, header: Int) -> APNsDecodedFrame {
    let command = APNsCommand(bytes[bytes.startIndex])
    var decoded = APNsDecodedFrame(APNsFrame(command), length: bytes.count)
    if hasLostTables {
      decoded.isUnreadable = true
      return decoded
    }
    var reading = Reading(command, bytes.dropFirst(header), Self.mostValues(bytes.count))
    do {
      while !reading.rest.isEmpty { decoded.frame.items.append(try attribute(&reading, 0)) }
    } catch {
      decoded.isUnreadable = true
      decoded.violations.append(error)
      hasLostTables = true
    }
    decoded.violations += reading.violations
    return decoded
  }

  /// One frame on its way through the decoder.
  private struct Reading {
    let command: APNsCommand
    var rest: ArraySlice<UInt8>
    /// How many more values there may be.
    var budget: Int
    var violations: [APNsViolation] = []

    init(_ command: APNsCommand, _ rest: ArraySlice<UInt8>, _ budget: Int) {
      self.command = command
      self.rest = rest
      self.budget = budget
    }

    mutating func spend(_ count: Int) throws(APNsViolation) {
      budget -= count
      if budget < 0 { throw .tooManyValues(command) }
    }

    func peek() throws(APNsViolation) -> UInt8 {
      guard let byte = rest.first else { throw .attributeOverrun(command) }
      return byte
    }

    mutating func integer(bits: Int) throws(APNsViolation) -> UInt64 {
      guard let (value, length) = try APNsPrefixInteger.decode(rest, bits: bits) else {
        throw .attributeOverrun(command)
      }
      rest = rest.dropFirst(length)
      return value
    }

    mutating func take(_ count: UInt64) throws(APNsViolation) -> [UInt8] {
      guard count <= UInt64(rest.count) else { throw .attributeOverrun(command) }
      defer { rest = rest.dropFirst(Int(count)) }
      return Array(rest.prefix(Int(count)))
    }
  }

  private mutating func attribute(
    _ reading: inout Reading, _ depth: Int
  ) throws(APNsViolation) -> APNsItem {
    let byte = try reading.peek()
    let key = try key(&reading)
    switch byte >> 6 {
    case 0: return APNsItem(key, try value(&reading, depth))
    case 1:
      let before = reading.rest.count
      let budget = reading.budget
      let value = try value(&reading, depth)
      let length = before - reading.rest.count
      if tables.add(value, length: length, weight: budget - reading.budget) {
        reading.violations.append(
          .entryLargerThanTable(reading.command, length: length, limit: tables.limit))
      }
      return APNsItem(key, value, isStored: true)
    case 2:
      let index = try reading.integer(bits: 8)
      guard let entry = tables.value(index) else {
        throw .missingEntry(
          reading.command, .values, index: index, count: tables.values.count)
      }
      try reading.spend(entry.weight)
      return APNsItem(key, entry.value, isStored: true)
    case _: throw .contradictoryKey(reading.command, byte)
    }
  }

  private mutating func key(_ reading: inout Reading) throws(APNsViolation) -> APNsKey {
    let byte = try reading.peek()
    if byte & 0x20 != 0 {
      _ = try reading.take(1)
      guard let key = tables.key(UInt64(byte & 0x1F)) else {
        throw .missingEntry(
          reading.command, .keys, index: UInt64(byte & 0x1F), count: tables.keys.count)
      }
      return key
    }
    if byte & 0x10 != 0 {
      let length = try reading.integer(bits: 4)
      let key = APNsKey(try reading.take(length + 1))
      tables.add(key)
      return key
    }
    _ = try reading.take(1)
    return .tag(byte & 0x0F)
  }

  private mutating func value(
    _ reading: inout Reading, _ depth: Int
  ) throws(APNsViolation) -> APNsValue {
    if depth > Self.deepest { throw .nestedTooDeeply(reading.command) }
    try reading.spend(1)
    let byte = try reading.peek()
    switch byte >> 4 {
    case 0x0...0x3: return .bytes(try reading.take(try reading.integer(bits: 6)))
    case 0x4...0x5: return .text(try reading.take(try reading.integer(bits: 5)))
    case 0x8...0x9:
      _ = try reading.take(1)
      return .integer(Int128(byte & 0x1F))
    case 0xA...0xB:
      _ = try reading.take(1)
      let magnitude = try reading.take(UInt64(byte & 7) + 1).reduce(0 as Int128) {
        $0 << 8 | Int128($1)
      }
      return .integer(byte & 8 == 0 ? magnitude : -magnitude)
    case 0xC:
      var items: [APNsItem] = []
      for _ in 0..<(try reading.integer(bits: 4)) {
        items.append(try attribute(&reading, depth + 1))
      }
      return .dictionary(items)
    case 0xD:
      var values: [APNsValue] = []
      for _ in 0..<(try reading.integer(bits: 4)) {
        values.append(try value(&reading, depth + 1))
      }
      return .array(values)
    case 0xE:
      switch try reading.integer(bits: 4) {
      case 0: return .flag(false)
      case 1: return .flag(true)
      case _: throw .unknownValueType(reading.command, byte)
      }
    case _: throw .unknownValueType(reading.command, byte)
    }
  }
}
