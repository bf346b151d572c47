internal import CPrefetch
import Custody
import Wire

/// Fetching from memory what the next segments of many conversations will ask for.
///
/// A capture of thousands of clients touches another conversation with every packet, and what is
/// kept of it has left the near caches since the last one. A processor that is told early fetches
/// all of it together while it works on something else.
extension MQTTTrafficPlace {
  /// - Parameter step: 0 the traffic, then what it leads to: deliveries while it is routine, else
  ///   1 the conversation and 2 its subscriber.
  /// - Returns: whether there is another step.
  func foresee(step: Int) -> Bool {
    if step == 0 {
      unsafe Memory.fetch(pointer, bytes: MemoryLayout<MQTTTraffic>.size)
      return true
    }
    if !traffic.isRoutine {
      unsafe traffic.conversation.foresee(step: step)
      return step == 1
    }
    if step == 1 {
      let record = MemoryLayout<MQTTCompactDelivery>.size
      if let youngest = unsafe traffic.flight.youngest {
        unsafe Memory.fetch(youngest.row, bytes: 2 * record)
        unsafe prefetch_line(youngest.identifier)
      }
      if let memory = unsafe traffic.memory.place { unsafe Memory.fetch(memory, bytes: record) }
      unsafe prefetch_line(traffic.topicBytes.baseAddress)
    }
    return false
  }
}

extension MQTTConversation {
  fileprivate func foresee(step: Int) {
    if step == 1 {
      let start = unsafe UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
      unsafe Memory.fetch(start, bytes: Self.hotBytes)
    } else if let subscriber {
      let start = unsafe UnsafeRawPointer(Unmanaged.passUnretained(subscriber).toOpaque())
      unsafe Memory.fetch(start, bytes: MQTTSubscriber.hotBytes)
    }
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
