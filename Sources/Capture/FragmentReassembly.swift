internal import Timeline
internal import Wire

/// Puts IP packets together again that were sent in fragments (RFC 791 §3.2, RFC 8200 §4.5).
///
/// Of overlapping fragments the first copy counts.
struct FragmentReassembly {
  fileprivate struct Key: Equatable {
    var source: IPAddress
    var destination: IPAddress
    var identification: UInt32
    var ipProtocol: UInt8
  }

  fileprivate struct Packet {
    var key: Key
    var began: Moment
    var bytes: [UInt8] = []
    /// Which units of 8 bytes are there.
    var isFilled: [Bool] = []
    var filledUnits = 0
    /// The packets of the capture that it came in.
    var frames: [UInt32] = []
    /// Known once the last fragment has come.
    var length: Int?
    /// The first fragment says what is inside; in IPv6 others need not.
    var ipProtocol: UInt8
  }

  private var packets: [Packet] = []

  /// The longest payload of an IP packet that can be fragmented.
  private static let longest = 65_535

  /// A packet that is whole now, and what is inside.
  struct Whole {
    var bytes: [UInt8]
    var ipProtocol: UInt8
    /// The packets of the capture that it came in, the last one included.
    var frames: [UInt32]
  }

  mutating func add(
    _ cursor: borrowing PacketCursor, at moment: Moment, _ books: inout Bookkeeping
  ) -> Whole? {
    let fragment = cursor.fragment
    let bytes = cursor.rest
    let isCut = bytes.byteCount < cursor.wireRemaining
    let end = fragment.offset + bytes.byteCount
    guard !isCut, end <= Self.longest, bytes.byteCount > 0,
      fragment.isLast || bytes.byteCount % 8 == 0
    else {
      books.warnings.add(
        .fragments, frame: moment.frame,
        isCut
          ? "a fragment was not stored whole (snap length); its packet is left out"
          : "a fragment from byte \(fragment.offset) to \(end) can't be; it is left out")
      return nil
    }
    let index = self.index(of: cursor, at: moment, &books)
    packets[index].frames.append(moment.frame)
    let isNew = packets[index].fill(bytes, fragment)
    if !isNew {
      books.warnings.add(
        .fragments, frame: moment.frame,
        "bytes \(fragment.offset) to \(end) of a fragmented packet again, with other content; "
          + "the first copy is kept")
    }
    guard let length = packets[index].length, packets[index].filledUnits == (length + 7) / 8 else {
      return nil
    }
    let packet = packets.remove(at: index)
    return Whole(
      bytes: Array(packet.bytes.prefix(length)), ipProtocol: packet.ipProtocol,
      frames: packet.frames)
  }

  private mutating func index(
    of cursor: borrowing PacketCursor, at moment: Moment, _ books: inout Bookkeeping
  ) -> Int {
    let fragment = cursor.fragment
    // IPv6 tells packets apart without the protocol (RFC 8200 §4.5).
    let key = Key(
      source: cursor.source, destination: cursor.destination,
      identification: fragment.identification,
      ipProtocol: cursor.source.isIPv6 ? 0 : fragment.ipProtocol)
    while let oldest = packets.first,
      moment.time - oldest.began.time > books.limits.fragmentLifetime
    {
      giveUp(0, &books)
    }
    if let known = packets.firstIndex(where: { $0.key == key }) { return known }
    if packets.count >= books.limits.fragmentedPackets { giveUp(0, &books) }
    packets.append(Packet(key: key, began: moment, ipProtocol: fragment.ipProtocol))
    return packets.count - 1
  }

  private mutating func giveUp(_ index: Int, _ books: inout Bookkeeping) {
    let packet = packets.remove(at: index)
    books.warnings.add(
      .fragments, frame: packet.began.frame,
      "a fragmented IP packet (identification \(packet.key.identification)) never became whole: "
        + "\(packet.filledUnits * 8) of \(packet.length.map { "\($0)" } ?? "unknown") bytes")
  }

  /// The capture is over.
  mutating func conclude(_ books: inout Bookkeeping) {
    while !packets.isEmpty { giveUp(0, &books) }
  }
}

extension FragmentReassembly.Packet {
  /// Fills in what is missing; `false` when bytes that are there already differ.
  mutating func fill(_ new: RawSpan, _ fragment: IPFragment) -> Bool {
    let end = fragment.offset + new.byteCount
    if bytes.count < end {
      bytes += [UInt8](repeating: 0, count: end - bytes.count)
      isFilled += [Bool](repeating: false, count: (end + 7) / 8 - isFilled.count)
    }
    var agrees = true
    for at in stride(from: 0, to: new.byteCount, by: 8) {
      let unit = (fragment.offset + at) / 8
      let isKnown = isFilled[unit]
      for byte in at..<min(at + 8, new.byteCount) {
        let value = unsafe new.unsafeLoad(fromByteOffset: byte, as: UInt8.self)
        if !isKnown {
          bytes[fragment.offset + byte] = value
        } else if bytes[fragment.offset + byte] != value {
          agrees = false
        }
      }
      if !isKnown {
        isFilled[unit] = true
        filledUnits += 1
      }
    }
    if fragment.isLast, length == nil { length = end }
    if fragment.offset == 0 { ipProtocol = fragment.ipProtocol }
    return agrees
  }
}
