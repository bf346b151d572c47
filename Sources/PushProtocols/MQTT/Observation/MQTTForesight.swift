internal import CPrefetch
import Custody
import Wire

/// Fetching from memory what the next segments of many conversations will ask for.
///
/// A capture of thousands of clients touches another conversation with every packet, and what is
/// kept of it has left the near caches since the last one. A processor that is told early fetches
/// all of it together while it works on something else.
@safe struct MQTTForesight {
  /// What comes next, in its order, as far as it is known.
  private var coming = InlineArray<32, Coming?>(repeating: nil)
  private var count = 0
  private var next = 0

  private struct Coming: BitwiseCopyable {
    var connection: ConnectionID
    var place: MQTTTrafficPlace
  }

  /// In turns, each for all of them: what one turn has fetched says where the next one's pieces
  /// are.
  mutating func foresee(
    _ connections: UnsafeBufferPointer<ConnectionID>, in traffics: ConnectionTable<MQTTTrafficPlace>
  ) {
    for unsafe connection in unsafe connections { traffics.foresee(connection) }
    (count, next) = (0, 0)
    for unsafe connection in unsafe connections {
      guard count < coming.count, let place = traffics[connection] else { continue }
      coming[count] = Coming(connection: connection, place: place)
      count += 1
      unsafe Memory.fetch(place.pointer, bytes: MemoryLayout<MQTTTraffic>.size)
    }
    for index in 0..<count { coming[index]?.place.foreseeFollowing() }
    for index in 0..<count { coming[index]?.place.foreseeObjects() }
  }

  /// The place of a connection's traffic, if it is the one that was to come now.
  @inline(__always)
  mutating func place(of connection: ConnectionID) -> MQTTTrafficPlace? {
    while next < count {
      guard let one = coming[next] else { return nil }
      if one.connection == connection { return one.place }
      next += 1
    }
    return nil
  }

  /// Places may not be what they were.
  mutating func forget() { (count, next) = (0, 0) }
}

extension MQTTTrafficPlace {
  /// What the traffic leads to, when that is there: deliveries, or the conversation.
  @inline(__always)
  fileprivate func foreseeFollowing() {
    if !traffic.isRoutine {
      unsafe traffic.conversation.foresee()
      return
    }
    let record = MemoryLayout<MQTTCompactDelivery>.size
    if let youngest = unsafe traffic.flight.youngest {
      unsafe Memory.fetch(youngest.row, bytes: 2 * record)
      unsafe prefetch_line(youngest.identifier)
    }
    if let memory = unsafe traffic.memory.place { unsafe Memory.fetch(memory, bytes: record) }
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
