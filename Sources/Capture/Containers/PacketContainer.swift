internal import Timeline

/// An open capture of either format, compressed or not.
struct PacketContainer: ~Copyable {
  let name: String
  private var source: ByteSource
  private let decompressor: Decompressor?
  private var pcap: PcapContainer?
  private var pcapng: PcapngContainer?

  /// - Parameters:
  ///   - path: a file, or `-` for standard input.
  ///   - isMapped: the file is looked at in memory, if it can be.
  ///   - notice: told what whoever waits should know.
  init(
    path: String, isMapped: Bool = false, notice: CaptureNotice? = nil
  ) throws(CaptureError) {
    let descriptor = try FileProbe.open(path)
    try self.init(
      name: path, ByteSource(isMapped ? .mapped(descriptor) : .descriptor(descriptor)),
      notice: notice)
  }

  /// A capture that is still being made.
  init(_ feed: any CaptureFeed) throws(CaptureError) {
    try self.init(name: feed.name, ByteSource(.feed(feed)), notice: nil)
  }

  private init(
    name path: String, _ source: consuming ByteSource, notice: CaptureNotice?
  ) throws(CaptureError) {
    var plain = source
    let first = plain.peek(FileProbe.firstBytes)
    if let failure = plain.failure { throw .unreadable(file: path, reason: failure) }
    if first.isEmpty { throw .empty(file: path) }
    guard let kind = FileProbe.compression(first) else {
      try self.init(name: path, plain, first, nil)
      return
    }
    guard let decompressor = Decompressor(kind, plain, notice: notice) else {
      throw .noDecompressor(file: path, kind: kind.rawValue)
    }
    var source = ByteSource(.decompressor(decompressor))
    let inside = source.peek(FileProbe.firstBytes)
    if inside.isEmpty, let failure = source.failure {
      throw .damagedHeader(file: path, offset: 0, expected: failure)
    }
    if inside.isEmpty { throw .empty(file: path) }
    if let again = FileProbe.compression(inside) {
      throw .notACapture(file: path, found: "\(again.rawValue) inside of \(kind.rawValue)")
    }
    try self.init(name: path, source, inside, decompressor)
  }

  private init(
    name: String, _ source: consuming ByteSource, _ first: [UInt8], _ decompressor: Decompressor?
  ) throws(CaptureError) {
    guard let format = FileProbe.format(first) else {
      throw .notACapture(file: name, found: FileProbe.guess(first))
    }
    var source = source
    var pcap: PcapContainer?
    var pcapng: PcapngContainer?
    switch format {
    case .pcap: pcap = PcapContainer(&source)
    case .pcapng: pcapng = PcapngContainer(&source)
    }
    guard pcap != nil || pcapng != nil else {
      let expected =
        format == .pcap
        ? "a pcap header of \(PcapContainer.fileHeaderLength) bytes, version 2"
        : "a section header block of at least 28 bytes with its byte order"
      throw .damagedHeader(file: name, offset: 0, expected: expected)
    }
    self.name = name
    self.source = source
    self.decompressor = decompressor
    self.pcap = pcap
    self.pcapng = pcapng
  }

  /// Has the bytes of packets that are read now, and keeps them for whoever holds it.
  var lastingBytes: FilePiece? { source.piece }

  /// Packets are all there is, and all are of the first interface.
  var hasOneInterface: Bool { pcap != nil }

  @inline(__always)
  mutating func next(_ record: inout PacketRecord) -> ContainerStep {
    if pcap != nil { return pcap!.next(&source, &record) }
    return pcapng!.next(&source, &record)
  }

  func interface(_ index: Int) -> CaptureInterface {
    pcap?.interface ?? pcapng!.interfaces[index]
  }

  /// What is odd about the compression of what was read so far.
  var expansion: String? { decompressor?.expansion }

  /// The link types that are known before the first packet.
  var openingLinkTypes: [Int32] {
    pcap.map { [$0.interface.linkType] } ?? pcapng!.openingLinkTypes
  }

  /// Shows the next packets of a pcap file that lie there wholly, without using them, until one is
  /// not wanted. They stay until `pass`.
  ///
  /// - Returns: how many bytes the wanted ones take, for `pass`.
  @inline(__always)
  mutating func lookAhead(_ isWanted: (UnsafeRawBufferPointer, Instant) -> Bool) -> Int {
    unsafe pcap == nil ? 0 : pcap!.lookAhead(&source, isWanted)
  }

  /// The wanted ones are used.
  mutating func pass(_ length: Int) { pcap!.pass(&source, length) }

  /// What was found beside packets since this was last asked.
  mutating func takeFindings() -> PcapngFindings? {
    if pcap != nil { return nil }
    guard let found = pcapng?.findings, !found.isEmpty else { return nil }
    pcapng!.findings.clear()
    return found
  }
}
