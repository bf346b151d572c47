internal import Timeline
internal import Wire

/// One reading of a capture, from its first packet to its summary.
struct CaptureRun: ~Copyable {
  private var summary: CaptureSummary
  private var times = TimesOfPackets()
  private var books: Bookkeeping
  private var decoder = PacketDecoder()
  private var reassembler: TCPReassembler
  private var moment = Moment(time: .start, frame: 0)
  private let filterText: String?
  /// Compiled for each link type that has come up.
  /// `nil` for a link type that the filter does not go with.
  private var filters: [Int32: PacketFilter?] = [:]
  /// The first layer of each file's interfaces; `nil` for those that can't be read.
  private var firstLayers: [[Layer?]]
  private var unknownLinkTypes: [Int32] = []
  private var packetsOfUnknownLinkType: UInt64 = 0
  /// Told of secrets as they come.
  var secrets: ((CaptureSecrets) -> Void)?
  /// Shown each packet after it was told.
  var onlooker: ((CapturedPacket) -> Void)?
  /// Has the bytes of the packets that are read now.
  private var lent: FilePiece?
  /// On the packet that is being read; for the onlooker.
  private var comments: [String] = []

  /// Files may be merged; more comments than this are left out.
  private static let commentLimit = 1000
  /// Unknown link types beyond these are not named one by one: each packet asks whether its own is
  /// among them.
  private static let linkTypeLimit = 16

  init(sink: any ConnectionSink, files: [String], filter: String?, limits: CaptureLimits) {
    summary = CaptureSummary(files: files)
    books = Bookkeeping(limits: limits)
    reassembler = TCPReassembler(sink: sink)
    filterText = filter
    firstLayers = Array(repeating: [], count: files.count)
  }

  // MARK: Packets

  /// Takes all packets of the only file.
  mutating func readAll(_ container: inout PacketContainer) {
    var record = PacketRecord()
    while find(&record, &container, file: 0) {
      if container.lastingBytes !== lent {
        lent = container.lastingBytes
        reassembler.lend(lent)
      }
      take(record, &container, file: 0)
      if mayBeSimple(container) {
        while takePlain(&container) {}
      }
    }
  }

  /// Nothing is wanted of a packet but what is in it, and all of them are Ethernet.
  private func mayBeSimple(_ container: borrowing PacketContainer) -> Bool {
    guard onlooker == nil, filterText == nil, container.hasOneInterface, summary.files.count == 1,
      case .ethernet? = firstLayers[0].first ?? nil
    else { return false }
    return true
  }

  /// What `take` does, for the next packets that are as nearly all are and have been read; `false`
  /// when the next one is any other.
  ///
  /// With thousands of connections none of what is kept of them is near. So several packets are
  /// looked at before the first of them is taken, and what they will ask for is fetched meanwhile:
  /// first where their connections are, then those.
  private mutating func takePlain(_ container: inout PacketContainer) -> Bool {
    var bytes = 0
    let length = unsafe container.lookAhead { frame, time in
      guard let packet = unsafe PlainFrame.decode(frame), reassembler.foresee(packet, at: time)
      else { return false }
      times.note(time)
      bytes &+= frame.count
      return true
    }
    if length == 0 { return false }
    let count = reassembler.receiveForeseen(after: &moment, &books)
    summary.packets += UInt64(count)
    summary.bytes += UInt64(bytes)
    decoder.countPlain(count)
    container.pass(length)
    return true
  }

  /// Finds the next packet of a file and takes it; `false` at the end.
  mutating func readOne(_ container: inout PacketContainer, file: Int) -> Bool {
    var record = PacketRecord()
    guard find(&record, &container, file: file) else { return false }
    take(record, &container, file: file)
    return true
  }

  /// Goes on to the next packet of a file, past what is damaged; `false` at the end.
  @inline(__always)
  mutating func find(
    _ record: inout PacketRecord, _ container: inout PacketContainer, file: Int
  ) -> Bool {
    while true {
      let step = container.next(&record)
      if case .packet = step { return true }
      if note(step, &container, file: file) { return false }
    }
  }

  /// Whether nothing follows.
  private mutating func note(
    _ step: ContainerStep, _ container: inout PacketContainer, file: Int
  ) -> Bool {
    switch step {
    case .packet: return false
    case .end:
      // Blocks behind the last packet.
      if let found = container.takeFindings() { note(found) }
      noteExpansion(container, file: file)
      return true
    case .damage(let damage):
      books.warnings.file = summary.files[file]
      books.warnings.add(
        damage.kind, frame: moment.frame &+ 1, offset: damage.offset, damage.text)
      if damage.isLast { noteExpansion(container, file: file) }
      return damage.isLast
    }
  }

  mutating func take(
    _ record: borrowing PacketRecord, _ container: inout PacketContainer, file: Int
  ) {
    if onlooker == nil {
      tell(record, &container, file: file)
      return
    }
    let tcpPackets = decoder.tcpPackets
    decoder.framesOfFragments = []
    comments = []
    tell(record, &container, file: file)
    let interface = container.interface(record.interface)
    unsafe onlooker?(
      CapturedPacket(
        moment: moment, bytes: record.bytes, wireLength: record.wireLength,
        interface: CapturedPacket.Interface(
          file: file, number: record.interface, linkType: interface.linkType,
          snapLength: interface.snapLength, name: interface.name),
        connection: decoder.tcpPackets > tcpPackets ? reassembler.latest : nil,
        frames: decoder.framesOfFragments + [moment.frame], comments: comments))
  }

  private mutating func tell(
    _ record: borrowing PacketRecord, _ container: inout PacketContainer, file: Int
  ) {
    moment.time = record.time
    moment.frame &+= 1
    times.note(record.time)
    summary.packets += 1
    unsafe summary.bytes += UInt64(record.bytes.count)
    if summary.files.count > 1 { books.warnings.file = summary.files[file] }
    if let found = container.takeFindings() { note(found) }
    if firstLayers[file].count <= record.interface { learnInterfaces(record, container, file) }
    guard let layer = firstLayers[file][record.interface] else {
      noteUnknown(container.interface(record.interface).linkType)
      return
    }
    if filterText != nil, !passes(record, container.interface(record.interface)) {
      summary.filteredPackets += 1
      return
    }
    unsafe decoder.decode(
      record.bytes.bytes, wireLength: record.wireLength, from: layer, at: moment, &reassembler,
      &books)
  }

  private mutating func learnInterfaces(
    _ record: borrowing PacketRecord, _ container: borrowing PacketContainer, _ file: Int
  ) {
    books.warnings.file = summary.files[file]
    while firstLayers[file].count <= record.interface {
      let interface = container.interface(firstLayers[file].count)
      firstLayers[file].append(LinkType.firstLayer(interface.linkType))
    }
  }

  private mutating func noteUnknown(_ linkType: Int32) {
    packetsOfUnknownLinkType += 1
    if unknownLinkTypes.count < Self.linkTypeLimit, !unknownLinkTypes.contains(linkType) {
      unknownLinkTypes.append(linkType)
      books.warnings.add(
        .unknownLinkType, frame: moment.frame,
        "packets of link type \(linkType) (\(PacketFilter.name(ofLinkType: linkType))) can't be "
          + "read, here and further on; all others are")
    }
  }

  private mutating func passes(
    _ record: borrowing PacketRecord, _ interface: CaptureInterface
  ) -> Bool {
    if let known = filters[interface.linkType] { return known?.accepts(record) ?? false }
    // None for a filter that has no meaning for this link, such as "ether host" on raw IP.
    let filter = try? PacketFilter(
      filterText ?? "", linkType: interface.linkType, snapLength: 262_144)
    filters[interface.linkType] = .some(filter)
    return filter?.accepts(record) ?? false
  }

  // MARK: Beside packets, and the end

  private mutating func noteExpansion(_ container: borrowing PacketContainer, file: Int) {
    guard let expansion = container.expansion else { return }
    books.warnings.file = summary.files[file]
    books.warnings.add(.expansion, frame: 0, expansion)
  }

  private mutating func note(_ found: PcapngFindings) {
    summary.secrets += found.secrets
    if let secrets { found.secrets.forEach(secrets) }
    if onlooker != nil { comments = found.comments.map { String(decoding: $0, as: UTF8.self) } }
    for comment in found.comments where summary.comments.count < Self.commentLimit {
      summary.comments.append(
        PacketComment(frame: moment.frame, text: String(decoding: comment, as: UTF8.self)))
    }
  }

  consuming func finish() -> CaptureSummary {
    decoder.conclude(&books)
    reassembler.conclude(at: moment, &books)
    summary.tcpPackets = decoder.tcpPackets
    summary.packetsNotTCP = decoder.packetsNotTCP + packetsOfUnknownLinkType
    summary.connections = UInt64(reassembler.connections)
    summary.note(books.warnings)
    if summary.packets > 0 { (summary.firstTime, summary.lastTime) = (times.first, times.last) }
    return summary
  }
}

/// The earliest and the latest time: packets need not be in order.
private struct TimesOfPackets {
  private(set) var first = Instant.never
  private(set) var last = Instant.start

  @inline(__always)
  mutating func note(_ time: Instant) {
    if time < first { first = time }
    if time > last { last = time }
  }
}

extension CaptureSummary {
  mutating func note(_ log: borrowing WarningLog) {
    warnings = log.kept
    warningCounts = zip(CaptureWarning.Kind.allCases, log.counts)
      .filter { $0.1 > 0 }.map { ($0, $1) }
  }
}
