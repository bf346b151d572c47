public import Capture
public import Custody
internal import PushProtocols
public import Timeline
public import Unwrapping
internal import Wire

/// Inspects a capture while it is being made.
///
/// It has no clock: whoever looks after the feed says now and then what time it is.
public final class LiveInspection {
  private let options: CaptureOptions
  private let wrapped: WrappedConnections
  private let observers: CaptureObservers
  private let latest = LatestPacket()
  private var packetsDropped: UInt64 = 0
  private let unwrapping: UnwrappingSink
  private let connections: LiveConnections

  /// - Parameters:
  ///   - keepsDeliveries: the record lists every delivery; else it counts them, and memory does not
  ///     depend on how long this goes on.
  ///   - patience: how long a delivery may wait for its acknowledgement before that is news.
  ///   - moreSecrets: asked for what was added to the key logs since it was last asked; programs
  ///     write them while their packets come.
  public init(
    _ options: CaptureOptions, keepsDeliveries: Bool, patience: Nanoseconds,
    moreSecrets: (() -> [UInt8])? = nil
  ) {
    self.options = options
    wrapped = WrappedConnections(options)
    observers = CaptureInspection.observers(options, keepsDeliveries: keepsDeliveries, wrapped)
    observers.watch(patience: patience)
    connections = LiveConnections(observers, wrapped)
    unwrapping = UnwrappingSink(options, to: connections, noting: wrapped)
    unwrapping.moreSecrets = moreSecrets
  }

  /// Of the latest packet; `nil` before the first one.
  public var latestPacket: RecordedMoment? { latest.moment }
  /// Of the first packet.
  public private(set) var began: Instant?

  /// What has become known since this was last asked.
  ///
  /// - Parameters:
  ///   - now: by the clock that stamps the packets; all packets before were told.
  ///   - dropped: packets that the kernel had no room for, so far.
  public func news(at now: Instant, dropped: UInt64) -> [LiveEvent] {
    began = began ?? latest.first
    unwrapping.letGo(after: now)
    var events: [LiveEvent] = []
    if dropped > packetsDropped {
      events.append(drop(dropped - packetsDropped, at: now))
      packetsDropped = dropped
    }
    return events + observers.news(at: now) + connections.news(at: now)
  }

  private func drop(_ count: UInt64, at now: Instant) -> LiveEvent {
    let what = count == 1 ? "1 packet" : "\(count) packets"
    observers.missedPackets(
      "the kernel dropped \(what) while capturing",
      at: Moment(time: now, frame: latest.moment?.frame ?? 0))
    return LiveEvent(
      .packetsDropped, RecordedMoment(time: now, frame: 0),
      text: "the kernel dropped \(what): what was not seen of all that is open proves nothing")
  }

  /// Reads to the end of the feed.
  ///
  /// - Parameters:
  ///   - mayBeQuiet: no TCP at all is no reason to complain.
  ///   - onlooker: shown each packet.
  ///   - end: asked when the feed is over: until when nothing else came; `nil`: until the last
  ///     packet.
  public func run(
    _ feed: any CaptureFeed, filter: String?, mayBeQuiet: Bool,
    showing onlooker: ((CapturedPacket) -> Void)?,
    until end: () -> Instant?
  ) throws(InspectionError) -> InspectionRecord {
    let file: CaptureFile
    do {
      file = try CaptureFile(feed: feed, filter: filter)
    } catch {
      throw .capture(error)
    }
    latest.onlooker = onlooker
    let unwrapping = unwrapping
    let latest = latest
    var summary = file.read(into: unwrapping) { secrets in
      if secrets.isTLSKeyLog { unwrapping.add(keyLog: secrets.bytes) }
    } showing: { packet in
      latest.see(packet)
    }
    if !mayBeQuiet { try CaptureInspection.checkHasTCP(summary, feed.name, filter) }
    if let end = end() { summary.extend(to: end) }
    if feed.droppedPackets > packetsDropped {
      _ = drop(feed.droppedPackets - packetsDropped, at: summary.lastTime ?? .start)
    }
    var record = CaptureInspection.conclude(observers, wrapped, summary, path: feed.name)
    if feed.droppedPackets > 0 {
      record.capture.warnings.insert(
        WarningRecord(
          "the kernel dropped \(feed.droppedPackets) packets while capturing: what was not seen "
            + "proves nothing. Narrow the --filter"), at: 0)
    }
    if let failure = feed.failure { record.capture.damage = "capturing ended: \(failure)" }
    return record
  }
}

/// The packet that was read last.
private final class LatestPacket {
  private(set) var moment: RecordedMoment?
  private(set) var first: Instant?
  var onlooker: ((CapturedPacket) -> Void)?

  func see(_ packet: CapturedPacket) {
    moment = RecordedMoment(time: packet.moment.time, frame: packet.moment.frame)
    if first == nil { first = packet.moment.time }
    onlooker?(packet)
  }
}
