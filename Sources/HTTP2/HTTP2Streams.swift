import Timeline
public import Wire

/// A time in which one end had more to send and its peer's windows were closed.
public struct HTTP2Stall: Hashable, Sendable, BitwiseCopyable {
  /// Which way nothing could be sent.
  public var direction: Direction
  /// The stream that had to wait.
  public var stream: UInt32
  /// The window of the connection was closed, not only that of the stream.
  public var isConnection: Bool
  public var since: Moment
  public var until: Moment
}

/// One value for each direction.
struct BothDirections<Value> {
  private var toServer: Value
  private var toClient: Value

  init(_ value: Value) {
    toServer = value
    toClient = value
  }

  subscript(direction: Direction) -> Value {
    get { direction == .toServer ? toServer : toClient }
    set { if direction == .toServer { toServer = newValue } else { toClient = newValue } }
  }
}

/// Where a stream stands (RFC 9113 §5.1): what the capture saw of both ends.
struct HTTP2Stream {
  /// HEADERS have been seen.
  var hasBegun = BothDirections(false)
  /// END_STREAM has been seen.
  var hasEnded = BothDirections(false)
  /// Room for DATA less that which a new stream has: when the initial window changes, all streams
  /// change with it (RFC 9113 §6.9.2).
  var windowChange = BothDirections<Int64>(0)

  /// Its sender has begun and not ended: it has, or will have, something to send.
  func isSending(_ direction: Direction) -> Bool { hasBegun[direction] && !hasEnded[direction] }

  /// Both ends are done with it.
  var isClosed: Bool { hasEnded[.toServer] && hasEnded[.toClient] }
}

/// The streams of a connection that are not closed, and the windows of both ends.
struct HTTP2Streams {
  /// More than any peer allows; behind that all are forgotten, so that memory stays bounded.
  private static let most = 65_536
  /// The stalls that are remembered.
  private static let mostStalls = 64

  private(set) var open: [UInt32: HTTP2Stream] = [:]
  private(set) var stalls: [HTTP2Stall] = []
  private var connectionWindow = BothDirections<Int64>(65_535)
  private var initialWindow = BothDirections<Int64>(65_535)
  /// Who waits for room, and since when.
  private var waiting = BothDirections<[UInt32: (isConnection: Bool, since: Moment)]>([:])
  /// The shortest wait that is remembered.
  private let shortestStall: Nanoseconds

  init(shortestStall: Nanoseconds) { self.shortestStall = shortestStall }

  /// - Returns: the room that is left for the stream; negative when the sender took too much.
  private func room(_ stream: HTTP2Stream, _ direction: Direction) -> Int64 {
    initialWindow[direction] + stream.windowChange[direction]
  }

  mutating func begin(_ id: UInt32, _ direction: Direction, ends: Bool, at moment: Moment) {
    if open.count >= Self.most, open[id] == nil { open = [:] }
    open[id, default: HTTP2Stream()].hasBegun[direction] = true
    if ends { end(id, direction, at: moment) } else { judge(id, direction, at: moment) }
  }

  /// - Parameter length: of the frame's payload, padding included.
  /// - Returns: whether there was room for it.
  mutating func send(
    _ length: Int, on id: UInt32, _ direction: Direction, ends: Bool, at moment: Moment
  ) -> Bool {
    connectionWindow[direction] -= Int64(length)
    var isAllowed = connectionWindow[direction] >= 0
    release(id, direction, at: moment)
    if var stream = open[id] {
      stream.windowChange[direction] -= Int64(length)
      isAllowed = isAllowed && room(stream, direction) >= 0
      open[id] = stream
    }
    if ends { end(id, direction, at: moment) } else { judge(id, direction, at: moment) }
    return isAllowed
  }

  mutating func end(_ id: UInt32, _ direction: Direction, at moment: Moment) {
    release(id, direction, at: moment)
    open[id]?.hasEnded[direction] = true
    if open[id]?.isClosed == true { open[id] = nil }
  }

  mutating func reset(_ id: UInt32, at moment: Moment) {
    for direction in Direction.allCases { release(id, direction, at: moment) }
    open[id] = nil
  }

  /// The reader of a direction gives more room.
  ///
  /// - Returns: whether the window is still one that RFC 9113 §6.9.1 allows.
  mutating func grow(
    _ id: UInt32, _ direction: Direction, by increment: UInt32, at moment: Moment
  ) -> Bool {
    if id != 0 {
      guard var stream = open[id] else { return true }
      stream.windowChange[direction] += Int64(increment)
      open[id] = stream
      if room(stream, direction) > 0 { release(id, direction, at: moment) }
      return room(stream, direction) <= Int64(Int32.max)
    }
    connectionWindow[direction] += Int64(increment)
    if connectionWindow[direction] > 0 {
      for id in waiting[direction].filter(\.value.isConnection).keys.sorted() {
        release(id, direction, at: moment)
      }
    }
    return connectionWindow[direction] <= Int64(Int32.max)
  }

  /// What the sender of a direction may send on a new stream, and on all that are open.
  mutating func setInitialWindow(_ size: UInt32, _ direction: Direction, at moment: Moment) {
    initialWindow[direction] = Int64(size)
    for id in waiting[direction].filter({ !$0.value.isConnection }).keys.sorted() {
      guard let stream = open[id], room(stream, direction) > 0 else { continue }
      release(id, direction, at: moment)
    }
  }

  /// Bytes are missing: what is left of the windows is not known any more.
  mutating func lose(_ direction: Direction) {
    connectionWindow[direction] = Int64(Int32.max)
    connectionWindow[direction.opposite] = Int64(Int32.max)
    open = [:]
    waiting = BothDirections([:])
  }

  /// Those that still wait when the connection is over.
  mutating func conclude(at moment: Moment) {
    for direction in Direction.allCases {
      for id in waiting[direction].keys.sorted() { release(id, direction, at: moment) }
    }
  }

  /// Whether its sender has to wait now.
  private mutating func judge(_ id: UInt32, _ direction: Direction, at moment: Moment) {
    guard let stream = open[id], stream.isSending(direction), waiting[direction][id] == nil
    else { return }
    if connectionWindow[direction] <= 0 {
      waiting[direction][id] = (true, moment)
    } else if room(stream, direction) <= 0 {
      waiting[direction][id] = (false, moment)
    }
  }

  private mutating func release(_ id: UInt32, _ direction: Direction, at moment: Moment) {
    guard let wait = waiting[direction].removeValue(forKey: id) else { return }
    guard moment.time >= wait.since.time + shortestStall, stalls.count < Self.mostStalls
    else { return }
    stalls.append(
      HTTP2Stall(
        direction: direction, stream: id, isConnection: wait.isConnection, since: wait.since,
        until: moment))
  }
}
