/// What is wrong with the bytes of a frame, by the rules that all known readers of the courier
/// protocol follow. There is no official specification.
public enum APNsViolation: Error, Hashable, Sendable {
  // Serial framing.
  /// An item claims more bytes than its frame has left.
  case itemOverrun(APNsCommand, tag: UInt8, length: Int, left: Int)
  /// One or two bytes after the last item: too few for another. Readers disagree on these.
  case trailingBytes(APNsCommand, Int)
  /// An item whose width never varies is narrower or wider.
  case wrongWidth(APNsCommand, tag: UInt8, length: Int, expected: Int)
  // Both.
  /// No frame of that length is of any use.
  case frameTooLong(APNsCommand, UInt64)
  // Packed framing.
  /// A reference to an entry that the table has not: the two ends' tables differ.
  case missingEntry(APNsCommand, Table, index: UInt64, count: Int)
  /// An attribute goes on behind the end of its frame.
  case attributeOverrun(APNsCommand)
  case prefixIntegerTooLong
  case unknownValueType(APNsCommand, UInt8)
  /// The key byte asks for a literal and a reference at once.
  case contradictoryKey(APNsCommand, UInt8)
  case nestedTooDeeply(APNsCommand)
  /// References make far more of a frame than its bytes.
  case tooManyValues(APNsCommand)
  /// An entry was stored that is larger than the whole table: what the other end does with such a
  /// one is not known, and its table may differ from here on.
  case entryLargerThanTable(APNsCommand, length: Int, limit: Int)

  public enum Table: String, Sendable { case keys, values }

  /// A short name for reports and for telling the kinds apart.
  public var rule: String {
    switch self {
    case .itemOverrun: "apns-item-overrun"
    case .trailingBytes: "apns-trailing-bytes"
    case .wrongWidth: "apns-item-width"
    case .frameTooLong: "apns-frame-length"
    case .missingEntry: "apns-pack-tables"
    case .attributeOverrun: "apns-pack-overrun"
    case .prefixIntegerTooLong: "apns-pack-prefix-integer"
    case .unknownValueType: "apns-pack-value-type"
    case .contradictoryKey: "apns-pack-key"
    case .nestedTooDeeply, .tooManyValues: "apns-pack-size"
    case .entryLargerThanTable: "apns-pack-entry-size"
    }
  }

  public var text: String {
    switch self {
    case .itemOverrun(let command, let tag, let length, let left):
      "item \(tag) of \(command.name) claims \(length) bytes, and the frame has \(left) left"
    case .trailingBytes(let command, let count):
      "\(count == 1 ? "one byte follows" : "\(count) bytes follow") the last item of "
        + "\(command.name), too few for another"
    case .wrongWidth(let command, let tag, let length, let expected):
      "item \(tag) of \(command.name) has \(length) bytes instead of \(expected)"
    case .frameTooLong(let command, let length):
      "a frame that begins with \(command.name) claims \(length) bytes"
    case .missingEntry(let command, let table, let index, let count):
      "\(command.name) refers to entry \(index) of the table of \(table.rawValue), which has "
        + "\(count): the tables of the two ends differ"
    case .attributeOverrun(let command): "\(command.name) ends in the middle of an attribute"
    case .prefixIntegerTooLong: "a length or an index is beyond 32 bits"
    case .unknownValueType(let command, let byte):
      "a value in \(command.name) begins with 0x\(APNsText.hexadecimal([byte])), which no known "
        + "type does"
    case .contradictoryKey(let command, let byte):
      "a key in \(command.name), 0x\(APNsText.hexadecimal([byte])), asks for a stored value and "
        + "for a reference at once"
    case .nestedTooDeeply(let command): "values in \(command.name) are nested too deeply"
    case .tooManyValues(let command):
      "references make too many values of \(command.name)"
    case .entryLargerThanTable(let command, let length, let limit):
      "\(command.name) stores a value of \(length) bytes in a table of \(limit)"
    }
  }

  /// Nothing behind it in a packed direction can be relied on: the tables are not known any more.
  var losesTables: Bool {
    switch self {
    case .itemOverrun, .trailingBytes, .wrongWidth, .entryLargerThanTable: false
    case .frameTooLong, .missingEntry, .attributeOverrun, .prefixIntegerTooLong,
      .unknownValueType, .contradictoryKey, .nestedTooDeeply, .tooManyValues:
      true
    }
  }
}

/// A frame as it was read, with what was wrong about it.
public struct APNsDecodedFrame: Hashable, Sendable {
  /// What could be read of it.
  public var frame: APNsFrame
  public var violations: [APNsViolation] = []
  /// Packed framing: its items could not be read, or can't be relied on.
  public var isUnreadable = false
  /// Bytes on the wire, with its header.
  public var length: Int

  public init(_ frame: APNsFrame, length: Int) {
    self.frame = frame
    self.length = length
  }
}
