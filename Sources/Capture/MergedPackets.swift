internal import Timeline

/// The packets of one file, or of several in the order of their times.
struct MergedPackets: ~Copyable {
  /// A file and its next packet.
  private final class Source {
    var container: PacketContainer
    var record = PacketRecord()
    var isOver = false

    init(_ container: consuming PacketContainer) { self.container = container }
  }

  /// The only file; merging is left out then.
  private var single: PacketContainer?
  private var sources: [Source] = []
  private var areFirstsRead = false
  let names: [String]

  init(paths: [String], areMapped: Bool, notice: CaptureNotice?) throws(CaptureError) {
    names = paths
    if paths.count == 1 {
      single = try Self.open(
        PacketContainer(path: paths[0], isMapped: areMapped, notice: notice))
    } else {
      single = nil
      for path in paths {
        let container = try PacketContainer(path: path, isMapped: areMapped, notice: notice)
        sources.append(Source(try Self.open(container)))
      }
    }
  }

  init(_ feed: any CaptureFeed) throws(CaptureError) {
    names = [feed.name]
    single = try Self.open(PacketContainer(feed))
  }

  private static func open(
    _ container: consuming PacketContainer
  ) throws(CaptureError) -> PacketContainer {
    let types = container.openingLinkTypes
    if let type = types.first, types.allSatisfy({ LinkType.firstLayer($0) == nil }) {
      throw .unknownLinkType(
        file: container.name, number: type, name: PacketFilter.name(ofLinkType: type))
    }
    return container
  }

  /// Reads all packets there are.
  mutating func readAll(_ run: inout CaptureRun) {
    guard var only = single.take() else {
      while next(&run) {}
      return
    }
    run.readAll(&only)
  }

  /// Reads one packet of several files; `false` when there are no more.
  private mutating func next(_ run: inout CaptureRun) -> Bool {
    if !areFirstsRead {
      areFirstsRead = true
      for index in sources.indices { advance(index, &run) }
    }
    var earliest: Int?
    for (index, source) in sources.enumerated() where !source.isOver {
      // Files with equal times are read in the order they were named.
      if earliest.map({ source.record.time < sources[$0].record.time }) ?? true {
        earliest = index
      }
    }
    guard let earliest else { return false }
    run.take(sources[earliest].record, &sources[earliest].container, file: earliest)
    advance(earliest, &run)
    return true
  }

  private func advance(_ index: Int, _ run: inout CaptureRun) {
    let source = sources[index]
    source.isOver = !run.find(&source.record, &source.container, file: index)
  }
}
