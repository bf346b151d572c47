internal import Timeline

/// The pcap format (draft-ietf-opsawg-pcap): a header of 24 bytes, then records.
///
/// After a damaged record reading goes on at the next place where three records in a row make
/// sense.
struct PcapContainer {
  let interface: CaptureInterface
  private let isSwapped: Bool
  private let isNanosecond: Bool
  /// Bytes of a record's header: 16, or 24 in Kuznetzov's variant.
  private let headerLength: Int
  /// Old versions stored the two lengths the other way around.
  private let minorVersion: UInt16
  /// Nothing of what is above is odd.
  private let isUsual: Bool
  private var lastSeconds: UInt32 = 0
  private var hasRecords = false
  /// Of the last packet that was looked at ahead of its time.
  private var secondsAhead: UInt32 = 0

  static let fileHeaderLength = 24
  private static let usualHeaderLength = 16
  /// libpcap's own limit for a packet; nothing that carries TCP comes near it.
  private static let longestPacket = 1 << 18
  /// A record whose time is further away than this from its neighbour's is not found by searching.
  private static let searchSeconds: UInt32 = 86_400

  /// The source stands behind the header afterwards. `nil`: the header is cut or is no pcap header.
  init?(_ source: inout ByteSource) {
    guard source.ensure(Self.fileHeaderLength) else { return nil }
    let magic = source.uint32(0, swapped: false)
    switch magic {
    case 0xA1B2_C3D4, 0xA1B2_3C4D, 0xA1B2_CD34: isSwapped = false
    case 0xD4C3_B2A1, 0x4D3C_B2A1, 0x34CD_B2A1: isSwapped = true
    default: return nil
    }
    let value = isSwapped ? magic.byteSwapped : magic
    isNanosecond = value == 0xA1B2_3C4D
    headerLength = value == 0xA1B2_CD34 ? 24 : Self.usualHeaderLength
    let major = source.uint16(4, swapped: isSwapped)
    let minor = source.uint16(6, swapped: isSwapped)
    // Version 543.0 is what one vendor's old tool wrote; it orders the lengths like 2.2.
    guard major == 2 || major == 543 else { return nil }
    minorVersion = major == 543 ? 2 : minor
    isUsual = !isSwapped && headerLength == Self.usualHeaderLength && minorVersion > 3
    let snapLength = Int(source.uint32(16, swapped: isSwapped))
    // The high bits tell of a frame check sequence: IP lengths leave it out anyway.
    let linkType = Int32(source.uint32(20, swapped: isSwapped) & 0x03FF_FFFF)
    interface = CaptureInterface(
      linkType: linkType, snapLength: snapLength == 0 ? Self.longestPacket : snapLength)
    source.advance(Self.fileHeaderLength)
  }

  /// The longest packet that is taken for one.
  private var limit: Int { max(Self.longestPacket, min(interface.snapLength, 1 << 26)) }

  @inline(__always)
  mutating func next(
    _ source: inout ByteSource, _ record: inout PacketRecord
  ) -> ContainerStep {
    guard source.ensure(headerLength) else { return endOfHeader(source) }
    let header = header(source, at: 0)
    guard header.length <= limit else { return resume(&source) }
    guard source.ensure(headerLength + header.length) else {
      return endOfPacket(source, header.length)
    }
    record.time = time(header.seconds, header.fraction)
    unsafe record.bytes = source.bytes(headerLength, header.length)
    record.wireLength = header.wireLength
    lastSeconds = header.seconds
    hasRecords = true
    source.advance(headerLength + header.length)
    return .packet
  }

  private func endOfHeader(_ source: borrowing ByteSource) -> ContainerStep {
    if source.available == 0 { return .end }
    return .damage(cut(source, "\(source.available) bytes of a record's header"))
  }

  private func endOfPacket(_ source: borrowing ByteSource, _ length: Int) -> ContainerStep {
    let there = source.available - headerLength
    return .damage(cut(source, "\(there) of a packet's \(length) bytes"))
  }

  /// Shows the next packets that lie there wholly, without using them, until one is not wanted.
  /// Only of a file that is written as nearly all are.
  ///
  /// - Returns: how many bytes the wanted ones take, for `pass`.
  @inline(__always)
  mutating func lookAhead(
    _ source: inout ByteSource, _ isWanted: (UnsafeRawBufferPointer, Instant) -> Bool
  ) -> Int {
    let unused = unsafe source.bytes(0, source.available)
    guard isUsual, let start = unused.baseAddress else { return 0 }
    let limit = limit
    let last = unused.count &- Self.usualHeaderLength
    var at = 0
    while at <= last {
      source.foresee(at)
      let header = unsafe start + at
      let seconds = unsafe header.loadUnaligned(as: UInt32.self)
      let fraction = unsafe header.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
      let length = Int(unsafe header.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
      guard length <= limit, length <= last &- at else { break }
      let packet = unsafe UnsafeRawBufferPointer(
        start: header + Self.usualHeaderLength, count: length)
      guard unsafe isWanted(packet, time(seconds, fraction)) else { break }
      at &+= Self.usualHeaderLength &+ length
      secondsAhead = seconds
    }
    return at
  }

  /// The wanted ones are used.
  mutating func pass(_ source: inout ByteSource, _ length: Int) {
    lastSeconds = secondsAhead
    hasRecords = true
    source.advance(length)
  }

  @inline(__always)
  private func time(_ seconds: UInt32, _ fraction: UInt32) -> Instant {
    Instant(
      nanoseconds: UInt64(seconds) &* 1_000_000_000
        &+ UInt64(fraction) &* (isNanosecond ? 1 : 1000))
  }

  private struct RecordHeader {
    var seconds: UInt32
    var fraction: UInt32
    var length: Int
    var wireLength: Int
  }

  @inline(__always)
  private func header(_ source: borrowing ByteSource, at: Int) -> RecordHeader {
    let bytes = unsafe source.bytes(at, 16)
    var words = unsafe bytes.loadUnaligned(as: SIMD4<UInt32>.self)
    if isSwapped {
      for index in 0..<4 { words[index] = words[index].byteSwapped }
    }
    let areSwapped = minorVersion < 3 || minorVersion == 3 && words[2] > words[3]
    return RecordHeader(
      seconds: words[0], fraction: words[1], length: Int(areSwapped ? words[3] : words[2]),
      wireLength: Int(areSwapped ? words[2] : words[3]))
  }

  private func cut(_ source: borrowing ByteSource, _ what: String) -> ContainerDamage {
    let failure = source.failure.map { " (\($0))" } ?? ""
    return ContainerDamage(
      kind: .truncatedFile, offset: source.offset,
      text: "the file ends after \(what)\(failure); everything before was read", isLast: true)
  }

  // MARK: After damage

  /// Finds the next place where records follow each other again.
  @inline(never)
  private mutating func resume(_ source: inout ByteSource) -> ContainerStep {
    let from = source.offset
    let length = header(source, at: 0).length
    var isFound = false
    while !isFound {
      guard source.ensure(1 + headerLength) else { break }
      source.advance(1)
      // A record's own bytes rarely look like a header: the cheap test goes first.
      isFound = isPlausible(header(source, at: 0)) && chains(&source)
    }
    let skipped = isFound ? source.offset - from : source.offset + UInt64(source.available) - from
    let text =
      "a record claims \(length) bytes, more than the \(limit) that a packet may have; "
      + (isFound ? "reading goes on \(skipped) bytes later" : "nothing after it makes sense")
    return .damage(
      ContainerDamage(kind: .damagedRecord, offset: from, text: text, isLast: !isFound))
  }

  private func isPlausible(_ header: RecordHeader) -> Bool {
    guard header.length > 0, header.length <= min(limit, interface.snapLength),
      header.wireLength >= header.length, header.wireLength <= 1 << 20,
      header.fraction < (isNanosecond ? 1_000_000_000 : 1_000_000)
    else { return false }
    let distance =
      header.seconds > lastSeconds ? header.seconds - lastSeconds : lastSeconds - header.seconds
    return !hasRecords || distance < Self.searchSeconds
  }

  /// Whether the record here is followed by two more, or by the end of the file.
  private func chains(_ source: inout ByteSource) -> Bool {
    var at = 0
    for _ in 0..<3 {
      guard source.ensure(at + headerLength) else { return at > 0 && source.available == at }
      let header = header(source, at: at)
      guard isPlausible(header) else { return false }
      at += headerLength + header.length
    }
    return source.ensure(at)
  }
}
