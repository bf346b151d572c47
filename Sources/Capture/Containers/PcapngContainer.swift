internal import Timeline

/// The pcapng format (draft-ietf-opsawg-pcapng): blocks, in sections, from any number of
/// interfaces with link types, snap lengths and clocks of their own.
struct PcapngContainer {
  /// All interfaces of all sections so far; those of the current one begin at `sectionStart`.
  private(set) var interfaces: [CaptureInterface] = []
  private var sectionStart = 0
  private var isSwapped = false
  /// Simple packets have no time: that of the packet before stands in.
  private var lastTime = Instant.start
  /// Secrets of Decryption Secrets Blocks, and comments, since they were last taken.
  var findings = PcapngFindings()

  private enum BlockType {
    static let section: UInt32 = 0x0A0D_0D0A
    static let interface: UInt32 = 1
    static let oldPacket: UInt32 = 2
    static let simplePacket: UInt32 = 3
    static let enhancedPacket: UInt32 = 6
    static let secrets: UInt32 = 10
  }

  /// Blocks may be long (secrets, names), but a length beyond this is damage.
  private static let longestBlock = 1 << 26
  /// Interfaces of one file; more are damage.
  private static let interfaceLimit = 1 << 16

  /// The link types of the interfaces before the first packet.
  private(set) var openingLinkTypes: [Int32] = []

  /// `nil`: no section header, or one in no known byte order.
  init?(_ source: inout ByteSource) {
    guard source.ensure(28), source.uint32(0, swapped: false) == BlockType.section,
      let order = Self.order(source)
    else { return nil }
    isSwapped = order
    var at = 0
    // Looks only as far as what is usual before packets: names and secrets may be long.
    while at < Self.openingLimit, source.ensure(at + 12) {
      let type = source.uint32(at, swapped: order)
      let length = Int(source.uint32(at + 4, swapped: order))
      let isPacket = [BlockType.enhancedPacket, BlockType.simplePacket, BlockType.oldPacket]
        .contains(type)
      guard length >= 12, length % 4 == 0, !isPacket else { break }
      if type == BlockType.interface {
        openingLinkTypes.append(Int32(source.uint16(at + 8, swapped: order)))
      }
      at += length
    }
  }

  private static let openingLimit = 1 << 22

  private static func order(_ source: borrowing ByteSource) -> Bool? {
    switch source.uint32(8, swapped: false) {
    case 0x1A2B_3C4D: false
    case 0x4D3C_2B1A: true
    default: nil
    }
  }

  mutating func next(
    _ source: inout ByteSource, _ record: inout PacketRecord
  ) -> ContainerStep {
    while true {
      guard source.ensure(12) else {
        return source.available == 0 ? .end : .damage(cut(source))
      }
      source.foresee(0)
      if source.uint32(0, swapped: false) == BlockType.section {
        guard let order = Self.order(source) else {
          return resume(&source, "a section without a byte order")
        }
        isSwapped = order
      }
      let type = source.uint32(0, swapped: isSwapped)
      let length = Int(source.uint32(4, swapped: isSwapped))
      guard length >= 12, length % 4 == 0, length <= Self.longestBlock else {
        return resume(&source, "a block claims \(length) bytes")
      }
      guard source.ensure(length) else { return .damage(cut(source)) }
      guard source.uint32(length - 4, swapped: isSwapped) == UInt32(length) else {
        return resume(&source, "a block's two lengths differ")
      }
      let problem = read(type, length, source, &record)
      let offset = source.offset
      source.advance(length)
      if let problem {
        return .damage(
          ContainerDamage(
            kind: .damagedRecord, offset: offset, text: problem + "; the block is left out",
            isLast: false))
      }
      if type == BlockType.enhancedPacket || type == BlockType.simplePacket
        || type == BlockType.oldPacket
      {
        return .packet
      }
    }
  }

  /// What is wrong with the block, if anything.
  private mutating func read(
    _ type: UInt32, _ length: Int, _ source: borrowing ByteSource, _ record: inout PacketRecord
  ) -> String? {
    switch type {
    case BlockType.enhancedPacket: return readPacket(source, length, isOld: false, &record)
    case BlockType.oldPacket: return readPacket(source, length, isOld: true, &record)
    case BlockType.simplePacket: return readSimplePacket(source, length, &record)
    case BlockType.interface: return readInterface(source, length)
    case BlockType.section:
      sectionStart = interfaces.count
      return nil
    case BlockType.secrets: return readSecrets(source, length)
    default: return nil  // Names, statistics, custom blocks: no packets in them.
    }
  }

  // MARK: Packets

  private mutating func readPacket(
    _ source: borrowing ByteSource, _ length: Int, isOld: Bool, _ record: inout PacketRecord
  ) -> String? {
    guard length >= 32 else { return "a packet block of \(length) bytes" }
    let number =
      isOld ? Int(source.uint16(8, swapped: isSwapped)) : Int(source.uint32(8, swapped: isSwapped))
    let index = sectionStart + number
    guard index < interfaces.count else { return "a packet of unknown interface \(number)" }
    let captured = Int(source.uint32(20, swapped: isSwapped))
    guard captured <= length - 32 else {
      return "a packet of \(captured) bytes in a block of \(length)"
    }
    let stamp =
      UInt64(source.uint32(12, swapped: isSwapped)) << 32
      | UInt64(source.uint32(16, swapped: isSwapped))
    record.time = interfaces[index].clock.instant(stamp)
    lastTime = record.time
    unsafe record.bytes = source.bytes(28, captured)
    record.wireLength = Int(source.uint32(24, swapped: isSwapped))
    record.interface = index
    let padded = 28 + (captured + 3) & ~3
    if padded + 8 <= length - 4 {
      forEachOption(source, padded, length - 4) { code, at, count in
        if code == 1 { findings.comment(source.array(at, count)) }
      }
    }
    return nil
  }

  /// Without time and interface number: those of the section's first interface.
  private func readSimplePacket(
    _ source: borrowing ByteSource, _ length: Int, _ record: inout PacketRecord
  ) -> String? {
    guard length >= 16 else { return "a simple packet block of \(length) bytes" }
    guard sectionStart < interfaces.count else { return "a packet of unknown interface 0" }
    let wireLength = Int(source.uint32(8, swapped: isSwapped))
    let captured = min(wireLength, length - 16, interfaces[sectionStart].snapLength)
    record.time = lastTime
    unsafe record.bytes = source.bytes(12, captured)
    record.wireLength = wireLength
    record.interface = sectionStart
    return nil
  }

  // MARK: Interfaces, secrets, options

  private mutating func readInterface(_ source: borrowing ByteSource, _ length: Int) -> String? {
    guard length >= 20 else { return "an interface block of \(length) bytes" }
    guard interfaces.count < Self.interfaceLimit else { return "too many interfaces" }
    let snapLength = Int(source.uint32(12, swapped: isSwapped))
    var interface = CaptureInterface(
      linkType: Int32(source.uint16(8, swapped: isSwapped)),
      snapLength: snapLength == 0 ? Self.longestBlock : snapLength)
    forEachOption(source, 16, length - 4) { code, at, count in
      if code == 9, count >= 1 {
        interface.clock.isBinary = source.uint8(at) & 0x80 != 0
        interface.clock.digits = source.uint8(at) & 0x7F
      } else if code == 2, interface.name.isEmpty {
        interface.name = String(decoding: source.array(at, count), as: UTF8.self)
      } else if code == 14, count >= 8 {
        let low = UInt64(source.uint32(isSwapped ? at + 4 : at, swapped: isSwapped))
        let high = UInt64(source.uint32(isSwapped ? at : at + 4, swapped: isSwapped))
        interface.clock.offset = Int64(bitPattern: high << 32 | low)
      }
    }
    interfaces.append(interface)
    return nil
  }

  private mutating func readSecrets(_ source: borrowing ByteSource, _ length: Int) -> String? {
    guard length >= 20 else { return "a secrets block of \(length) bytes" }
    let count = Int(source.uint32(12, swapped: isSwapped))
    guard count <= length - 20 else { return "secrets of \(count) bytes in a block of \(length)" }
    findings.secrets(kind: source.uint32(8, swapped: isSwapped), source.array(16, count))
    return nil
  }

  private func forEachOption(
    _ source: borrowing ByteSource, _ start: Int, _ end: Int, _ body: (UInt16, Int, Int) -> Void
  ) {
    var at = start
    while at + 4 <= end {
      let code = source.uint16(at, swapped: isSwapped)
      let count = Int(source.uint16(at + 2, swapped: isSwapped))
      guard code != 0, at + 4 + count <= end else { return }
      body(code, at + 4, count)
      at += 4 + (count + 3) & ~3
    }
  }

  // MARK: Damage

  private func cut(_ source: borrowing ByteSource) -> ContainerDamage {
    let failure = source.failure.map { " (\($0))" } ?? ""
    return ContainerDamage(
      kind: .truncatedFile, offset: source.offset,
      text: "the file ends inside of a block, of which \(source.available) bytes are there"
        + "\(failure); everything before was read", isLast: true)
  }

  /// Finds the next block whose two lengths agree.
  private func resume(_ source: inout ByteSource, _ what: String) -> ContainerStep {
    let from = source.offset
    var isFound = false
    while !isFound, source.ensure(16) {
      source.advance(4)  // Blocks are aligned to 4 bytes.
      isFound = isPlausible(&source)
    }
    let skipped = source.offset - from
    let text =
      what + "; "
      + (isFound ? "reading goes on \(skipped) bytes later" : "nothing after it makes sense")
    return .damage(
      ContainerDamage(kind: .damagedRecord, offset: from, text: text, isLast: !isFound))
  }

  private func isPlausible(_ source: inout ByteSource) -> Bool {
    let type = source.uint32(0, swapped: isSwapped)
    guard type == BlockType.section || (1...11).contains(type) else { return false }
    let length = Int(source.uint32(4, swapped: isSwapped))
    guard length >= 12, length % 4 == 0, length <= 1 << 20, source.ensure(length) else {
      return false
    }
    return source.uint32(length - 4, swapped: isSwapped) == UInt32(length)
  }
}

/// What pcapng holds beside packets.
struct PcapngFindings {
  private(set) var comments: [[UInt8]] = []
  private(set) var secrets: [CaptureSecrets] = []
  private var secretBytes = 0
  /// A block of 64 MiB has room for 16 million comments without a word.
  private static let commentLimit = 1000
  /// Secrets beyond this are left out: a key log of 100,000 connections is 20 MB.
  private static let secretLimit = 1 << 26

  var isEmpty: Bool { comments.isEmpty && secrets.isEmpty }

  mutating func comment(_ text: [UInt8]) {
    if comments.count < Self.commentLimit { comments.append(text) }
  }

  mutating func secrets(kind: UInt32, _ bytes: [UInt8]) {
    guard secretBytes + bytes.count <= Self.secretLimit else { return }
    secretBytes += bytes.count
    secrets.append(CaptureSecrets(kind: kind, bytes: bytes))
  }

  mutating func clear() {
    comments.removeAll()
    secrets.removeAll()
  }
}
