internal import CPrefetch
import Custody
import Wire

/// Fetching from memory what the next segments of many conversations will ask for.
///
/// A capture of thousands of clients touches another conversation with every packet, and what is
/// kept of it has left the near caches since the last one. A processor that is told early fetches
/// all of it together while it works on something else.
@safe struct MQTTForesight {
  /// Of all conversations.
  var traffics = ConnectionTable<MQTTTrafficPlace>()

  /// A segment that comes.
  private struct Coming {
    var connection = ConnectionID(0)
    var direction = Direction.toServer
    var place: MQTTTrafficPlace?
  }

  /// What comes next, in its order, as far as it is known: a ring, and the places in it counted on
  /// and on.
  private var coming = InlineArray<64, Coming>(repeating: Coming())
  /// Behind the last one.
  private var end = 0
  /// The first one that may still come.
  private var next = 0
  /// The first one of which nothing but its traffic has been fetched.
  private var followed = 0
  private let lines = MQTTTrafficLines()

  private static let mask = 63

  /// Fetches the traffic of what comes. What that leads to is fetched when it has arrived.
  mutating func foresee(_ run: SegmentRun) {
    for index in 0..<run.count { traffics.foresee(run[index].connection) }
    for index in 0..<run.count {
      let connection = run[index].connection
      guard let place = traffics[connection] else { continue }
      let direction = run[index].segment.direction
      coming[end & Self.mask] = Coming(connection: connection, direction: direction, place: place)
      end &+= 1
      place.foresee(direction, lines)
    }
    next = max(next, end &- coming.count)
    followed = max(followed, next)
  }

  /// Fetches what the traffic of some more leads to.
  ///
  /// - Parameter count: how many from the next one on.
  mutating func follow(_ count: Int) {
    let limit = min(end, next &+ count)
    if followed >= limit { return }
    var unusual = 0
    for index in followed..<limit {
      guard let place = coming[index & Self.mask].place else { continue }
      if !place.foreseeFollowing(coming[index & Self.mask].direction) { unusual &+= 1 }
    }
    if unusual > 0 {
      for index in followed..<limit { coming[index & Self.mask].place?.foreseeObjects() }
    }
    followed = limit
  }

  /// The place of a connection's traffic, if it is known to come.
  @inline(__always)
  mutating func place(of connection: ConnectionID) -> MQTTTrafficPlace? {
    var index = next
    while index < end {
      if coming[index & Self.mask].connection == connection {
        next = index &+ 1
        return coming[index & Self.mask].place
      }
      index &+= 1
    }
    return nil
  }

  /// The connection's traffic is no more.
  mutating func forget(_ connection: ConnectionID) {
    for index in next..<end where coming[index & Self.mask].connection == connection {
      coming[index & Self.mask].place = nil
    }
  }
}

/// Where in its memory a conversation's traffic has what segments ask for, in bytes.
private struct MQTTTrafficLines {
  /// All of them: up to there.
  let shared = MemoryLayout<MQTTTraffic>.offset(of: \.unusual)!
  /// Besides, those of the server.
  var ofServer: Int { shared }
  let ofClient = MemoryLayout<MQTTTraffic>.offset(of: \.memory)!
}

extension MQTTTrafficPlace {
  /// What a segment asks for.
  @inline(__always)
  fileprivate func foresee(_ direction: Direction, _ lines: MQTTTrafficLines) {
    unsafe Memory.fetch(pointer, bytes: lines.shared)
    let own = direction == .toClient ? lines.ofServer : lines.ofClient
    unsafe prefetch_line(UnsafeRawPointer(pointer) + own)
  }

  /// What the traffic leads to, when that is there: deliveries, or the conversation.
  ///
  /// - Returns: whether that is all of it.
  @inline(__always)
  fileprivate func foreseeFollowing(_ direction: Direction) -> Bool {
    if !traffic.isRoutine {
      unsafe traffic.conversation.foresee()
      return false
    }
    let record = MemoryLayout<MQTTCompactDelivery>.size
    switch direction {
    case .toClient:
      guard let next = unsafe traffic.flight.next else { return true }
      unsafe Memory.fetch(next.row, bytes: record)
      unsafe prefetch_line(next.identifier)
    case .toServer:
      if let youngest = unsafe traffic.flight.youngest {
        unsafe Memory.fetch(youngest.row, bytes: record)
        unsafe prefetch_line(youngest.identifier)
      }
      if let memory = unsafe traffic.memory.place { unsafe Memory.fetch(memory, bytes: record) }
    }
    return true
  }

  /// What the conversation leads to.
  fileprivate func foreseeObjects() {
    if !traffic.isRoutine { unsafe traffic.conversation.foreseeSubscriber() }
  }
}

extension MQTTConversation {
  fileprivate func foresee() {
    let start = unsafe UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
    unsafe Memory.fetch(start, bytes: Self.hotBytes)
  }

  fileprivate func foreseeSubscriber() {
    guard let subscriber else { return }
    let start = unsafe UnsafeRawPointer(Unmanaged.passUnretained(subscriber).toOpaque())
    unsafe Memory.fetch(start, bytes: MQTTSubscriber.hotBytes)
  }

  private static let hotBytes =
    MemoryLayout<SessionRecord>.size + MemoryLayout<BothWays<MQTTFramer>>.size
    + MemoryLayout<MQTTSilence>.size + MemoryLayout<MQTTTransportState>.size
    + 2 * MemoryLayout<MQTTOutstanding>.size + 4 * MemoryLayout<Moment?>.size
}

extension MQTTSubscriber {
  fileprivate static let hotBytes =
    MemoryLayout<MQTTSessionState>.size + 2 * MemoryLayout<String>.size
    + 12 * MemoryLayout<Int>.size
}

private enum Memory {
  private static let line = 64

  @inline(__always)
  static func fetch(_ start: UnsafeRawPointer, bytes: Int) {
    var at = 0
    while at < bytes {
      unsafe prefetch_line(start + at)
      at += line
    }
  }
}
