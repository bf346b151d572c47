internal import Timeline
public import Wire

/// A capture file: tells the connections in it to a sink, packet by packet.
///
/// Memory does not depend on the length of the file. What can't be read is warned about, and
/// everything before it was told.
public struct CaptureFile: ~Copyable {
  public let path: String
  private let reader: PacketReader
  private let filter: PacketFilter?
  private let firstLayer: Layer
  private let limits: CaptureLimits

  /// - Parameter filter: which packets to read, in pcap-filter(7) syntax.
  public init(
    path: String, filter: String? = nil, limits: CaptureLimits = CaptureLimits()
  ) throws(CaptureError) {
    _ = try FileProbe.container(of: path)
    let reader = try PacketReader(path: path)
    guard let layer = LinkType.firstLayer(reader.linkType) else {
      throw .unknownLinkType(file: path, number: reader.linkType, name: reader.linkTypeName)
    }
    let compiled: PacketFilter? =
      if let filter {
        try PacketFilter(filter, linkType: reader.linkType, snapLength: reader.snapLength)
      } else {
        nil
      }
    self.path = path
    self.reader = reader
    self.filter = compiled
    self.firstLayer = layer
    self.limits = limits
  }

  /// Reads the file to its end.
  ///
  /// Frame numbers count all packets of the file, those that the filter leaves out included.
  public consuming func read(into sink: any ConnectionSink) -> CaptureSummary {
    var summary = CaptureSummary(files: [path])
    var books = Bookkeeping(limits: limits)
    books.warnings.file = path
    var decoder = PacketDecoder()
    var reassembler = TCPReassembler(sink: sink)
    var moment = Moment(time: .start, frame: 0)
    reading: while true {
      switch reader.next() {
      case .packet(let packet):
        moment = Moment(time: packet.time, frame: moment.frame &+ 1)
        summary.count(length: packet.length, at: moment.time)
        if let filter, unsafe !filter.accepts(packet.header, packet.bytes) {
          summary.filteredPackets += 1
          continue
        }
        let bytes = unsafe UnsafeRawBufferPointer(start: packet.bytes, count: packet.length)
        unsafe decoder.decode(
          bytes.bytes, wireLength: packet.wireLength, from: firstLayer, at: moment, &reassembler,
          &books)
      case .damaged(let truncated, let reason):
        let frame = moment.frame &+ 1
        books.warnings.add(
          truncated ? .truncatedFile : .damagedRecord, frame: frame, offset: reader.offset,
          truncated
            ? "the file ends inside of frame \(frame): cut off; everything before it was read"
            : "frame \(frame) can't be read (\(reason)); everything before it was read")
        break reading
      case .end:
        break reading
      }
    }
    reassembler.conclude(at: moment, &books)
    summary.tcpPackets = decoder.tcpPackets
    summary.packetsNotTCP = decoder.packetsNotTCP
    summary.connections = UInt64(reassembler.connections)
    summary.note(books.warnings)
    return summary
  }
}

extension CaptureSummary {
  mutating func count(length: Int, at time: Instant) {
    packets += 1
    bytes += UInt64(length)
    if firstTime.map({ time < $0 }) ?? true { firstTime = time }
    if lastTime.map({ time > $0 }) ?? true { lastTime = time }
  }

  mutating func note(_ log: borrowing WarningLog) {
    warnings = log.kept
    warningCounts = zip(CaptureWarning.Kind.allCases, log.counts).filter { $0.1 > 0 }.map { ($0, $1) }
  }
}
