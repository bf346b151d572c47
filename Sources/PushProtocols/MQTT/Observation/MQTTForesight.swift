import Custody
import Wire

/// Fetching from memory what the next events of many conversations will ask for.
///
/// A capture of thousands of clients touches another conversation with every packet, and what is
/// kept of it has left the cache since the last one. Nothing here depends on another read of the
/// same step, so a processor waits for all of them together and not for one after the other.
extension MQTTConversation {
  /// - Parameters:
  ///   - start: where a conversation lies in memory.
  ///   - step: 0 the conversation, 1 its subscriber, 2 the subscriber's tables.
  /// - Returns: nothing of meaning.
  static func glimpse(_ start: UnsafeRawPointer, step: Int) -> Int {
    if step == 0 { return unsafe glimpse(start, lines: hotLines) }
    let conversation = unsafe Unmanaged<MQTTConversation>.fromOpaque(start)
    return unsafe conversation._withUnsafeGuaranteedRef { conversation in
      guard let subscriber = conversation.subscriber else { return 0 }
      if step == 2 { return subscriber.tableSizes }
      let start = unsafe UnsafeRawPointer(Unmanaged.passUnretained(subscriber).toOpaque())
      return unsafe glimpse(start, lines: MQTTSubscriber.lines)
    }
  }

  private static func glimpse(_ start: UnsafeRawPointer, lines: Int) -> Int {
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
