internal import Timeline
public import Wire

/// Told while a capture is read what whoever waits for the end should know: a sentence without a
/// full stop.
public typealias CaptureNotice = @Sendable (String) -> Void

/// A capture, of one file or several: tells the connections in it to a sink, packet by packet.
///
/// Memory does not depend on the length of the files. What can't be read is warned about, and
/// everything else is told.
public struct CaptureFile: ~Copyable {
  private var packets: MergedPackets
  private let filter: String?
  private let limits: CaptureLimits

  /// - Parameters:
  ///   - path: a pcap or pcapng file, compressed or not, or `-` for standard input.
  ///   - filter: which packets to read, in pcap-filter(7) syntax.
  ///   - isMapped: the file is looked at where it lies in memory, if it can be, which is faster. If
  ///     it is cut meanwhile, what is told of it may be wrong: see `CaptureSummary.wasCut`.
  ///   - notice: told on the way.
  public init(
    path: String, filter: String? = nil, limits: CaptureLimits = CaptureLimits(),
    isMapped: Bool = false, notice: CaptureNotice? = nil
  ) throws(CaptureError) {
    try self.init(
      paths: [path], filter: filter, limits: limits, areMapped: isMapped, notice: notice)
  }

  /// Several files that are one capture, such as the ring of `dumpcap -b`: their packets are told
  /// in the order of their times, and numbered in that order.
  public init(
    paths: [String], filter: String? = nil, limits: CaptureLimits = CaptureLimits(),
    areMapped: Bool = false, notice: CaptureNotice? = nil
  ) throws(CaptureError) {
    precondition(!paths.isEmpty, "a capture of no files")
    // A filter that is wrong for every link type is wrong: said before anything is read.
    if let filter { _ = try PacketFilter(filter, linkType: 1, snapLength: 262_144) }
    self.packets = try MergedPackets(paths: paths, areMapped: areMapped, notice: notice)
    self.filter = filter
    self.limits = limits
  }

  /// A capture that is still being made.
  ///
  /// - Parameter filter: for packets that the feed does not filter itself.
  public init(feed: any CaptureFeed, filter: String? = nil) throws(CaptureError) {
    if let filter { _ = try PacketFilter(filter, linkType: 1, snapLength: 262_144) }
    self.packets = try MergedPackets(feed)
    self.filter = filter
    self.limits = CaptureLimits()
  }

  /// Reads to the end.
  ///
  /// Frame numbers count all packets, those that the filter leaves out included.
  /// - Parameters:
  ///   - secrets: told of each block of secrets, before the packets that follow it.
  ///   - onlooker: shown each packet after its events were told.
  public consuming func read(
    into sink: any ConnectionSink, secrets: ((CaptureSecrets) -> Void)? = nil,
    showing onlooker: ((CapturedPacket) -> Void)? = nil
  ) -> CaptureSummary {
    var run = CaptureRun(sink: sink, files: packets.names, filter: filter, limits: limits)
    run.secrets = secrets
    run.onlooker = onlooker
    packets.readAll(&run)
    return run.finish()
  }
}
