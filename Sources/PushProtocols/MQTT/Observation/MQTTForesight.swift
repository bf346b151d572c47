import Custody
import Wire

/// Fetching from memory what the next events of many conversations will ask for.
///
/// A capture of thousands of clients touches another conversation with every packet, and what is
/// kept of it has left the cache since the last one. Nothing here depends on another read of the
/// same step, so a processor waits for all of them together and not for one after the other.
extension MQTTTrafficPlace {
  /// - Parameter step: 0 the traffic, then what it leads to: deliveries while it is routine, else
  ///   1 the conversation and 2 its subscriber.
  /// - Returns: nothing of meaning.
  func glimpse(step: Int) -> Int {
    if step == 0 {
      return unsafe MQTTConversation.glimpse(
        UnsafeRawPointer(pointer), lines: MemoryLayout<MQTTTraffic>.size / 64)
    }
    if !traffic.isRoutine { return unsafe traffic.conversation.glimpse(step: step) }
    if step == 2 { return 0 }
    var sum = 0
    if let memory = unsafe traffic.memory.place {
      sum &+= unsafe MQTTConversation.glimpse(memory, lines: 2)
    }
    if let flight = unsafe traffic.flight {
      sum &+= unsafe MQTTConversation.glimpse(UnsafeRawPointer(flight), lines: 2)
    }
    if let letters = unsafe traffic.topicBytes.baseAddress {
      sum &+= unsafe MQTTConversation.glimpse(letters, lines: 1)
    }
    return sum
  }
}

extension MQTTConversation {
  fileprivate func glimpse(step: Int) -> Int {
    if step == 1 {
      let start = unsafe UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
      return unsafe Self.glimpse(start, lines: Self.hotLines)
    }
    guard let subscriber else { return 0 }
    let start = unsafe UnsafeRawPointer(Unmanaged.passUnretained(subscriber).toOpaque())
    return unsafe Self.glimpse(start, lines: MQTTSubscriber.lines)
  }

  fileprivate static func glimpse(_ start: UnsafeRawPointer, lines: Int) -> Int {
    var sum: UInt8 = 0
    for line in 0..<lines { sum &+= unsafe start.load(fromByteOffset: line * 64, as: UInt8.self) }
    return Int(sum)
  }

  /// A conversation has these and more, so all of the lines lie inside of it.
  private static let hotLines =
    (MemoryLayout<SessionRecord>.size + MemoryLayout<BothWays<MQTTFramer>>.size
      + MemoryLayout<MQTTSilence>.size + MemoryLayout<MQTTTransportState>.size
      + 2 * MemoryLayout<MQTTOutstanding>.size + 4 * MemoryLayout<Moment?>.size) / 64
}

extension MQTTSubscriber {
  /// A subscriber has these and more.
  fileprivate static let lines =
    (MemoryLayout<MQTTSessionState>.size + 2 * MemoryLayout<String>.size
      + 12 * MemoryLayout<Int>.size) / 64
}
