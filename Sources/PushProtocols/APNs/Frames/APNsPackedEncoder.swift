/// Writes frames in packed framing (`apns-pack-v1`), one direction of one connection.
public struct APNsPackedEncoder: Sendable {
  /// A value that is more values than this is always written as it is, so that a few bytes never
  /// mean very much. Real ones are single.
  static let heaviestReference = 64

  private var tables: APNsPackedTables

  /// - Parameter limit: of the value table, as the name of the protocol says.
  public init(limit: Int = 4096) { tables = APNsPackedTables(limit: limit) }

  /// The bytes of a frame with its header; the tables are those behind it.
  ///
  /// - Precondition: integers are within ±(2^64 − 1), and `frame.rest` is empty.
  public mutating func encode(_ frame: APNsFrame) -> [UInt8] {
    precondition(frame.rest.isEmpty, "packed frames consist of attributes")
    let body = frame.items.flatMap { attribute($0) }
    return [frame.command.rawValue] + APNsPrefixInteger.encode(UInt64(body.count), bits: 8) + body
  }

  private mutating func attribute(_ item: APNsItem) -> [UInt8] {
    var flags: UInt8 = 0
    var reference: Int?
    let weight = item.isStored ? item.value.weight : 0
    if item.isStored {
      if weight <= Self.heaviestReference { reference = tables.index(of: item.value) }
      flags = reference == nil ? 0x40 : 0x80
    }
    var bytes = key(item.key, flags)
    if let reference {
      return bytes + APNsPrefixInteger.encode(UInt64(reference), bits: 8)
    }
    let encoded = value(item.value)
    if item.isStored { _ = tables.add(item.value, length: encoded.count, weight: weight) }
    bytes += encoded
    return bytes
  }

  private mutating func key(_ key: APNsKey, _ flags: UInt8) -> [UInt8] {
    if case .tag(let tag) = key, tag < 16 { return [flags | tag] }
    if let index = tables.index(of: key) { return [flags | 0x20 | UInt8(index)] }
    tables.add(key)
    let bytes = key.bytes
    return APNsPrefixInteger.encode(UInt64(bytes.count - 1), bits: 4, flags: flags | 0x10) + bytes
  }

  private mutating func value(_ value: APNsValue) -> [UInt8] {
    switch value {
    case .bytes(let bytes):
      return APNsPrefixInteger.encode(UInt64(bytes.count), bits: 6) + bytes
    case .text(let bytes):
      return APNsPrefixInteger.encode(UInt64(bytes.count), bits: 5, flags: 0x40) + bytes
    case .integer(let number):
      return integer(number)
    case .flag(let flag): return [flag ? 0xE1 : 0xE0]
    case .array(let values):
      return APNsPrefixInteger.encode(UInt64(values.count), bits: 4, flags: 0xD0)
        + values.flatMap { self.value($0) }
    case .dictionary(let items):
      return APNsPrefixInteger.encode(UInt64(items.count), bits: 4, flags: 0xC0)
        + items.flatMap { attribute($0) }
    }
  }

  private func integer(_ number: Int128) -> [UInt8] {
    if (0..<32).contains(number) { return [0x80 | UInt8(number)] }
    let magnitude = UInt64(number.magnitude)
    let width = (64 - magnitude.leadingZeroBitCount + 7) / 8
    let sign: UInt8 = number < 0 ? 8 : 0
    return [0xA0 | sign | UInt8(width - 1)]
      + APNsSerialFraming.bigEndian(magnitude, width: width)
  }
}
