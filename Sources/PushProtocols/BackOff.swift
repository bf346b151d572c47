internal import Custody
internal import Timeline

/// The pauses of a client between its attempts: doubling from a minimum to a maximum, and longer by
/// a share that differs between devices and attempts, so that devices that lost one server don't
/// come back at once.
struct BackOff {
  var minimum: Nanoseconds
  var maximum: Nanoseconds
  /// The most by which a pause is longer, as `jitter.share` of `jitter.whole` of it.
  var jitter: (share: UInt64, whole: UInt64)

  /// - Parameters:
  ///   - failures: attempts in a row that came to nothing.
  ///   - attempt: all attempts of the run so far: what makes one pause differ from the next.
  @inline(__always)
  func pause(after failures: UInt32, of node: NodeID, attempt: UInt32) -> Nanoseconds {
    let doubled = minimum * (1 << UInt64(min(failures, 20)))
    let plain = min(doubled, maximum)
    var hash = UInt64(node.index) << 32 | UInt64(attempt)
    hash = (hash ^ 0x9e37_79b9_7f4a_7c15) &* 0xff51_afd7_ed55_8ccd
    let part = (hash >> 40) % 1024
    return plain + Nanoseconds(plain.count / 1024 / jitter.whole &* jitter.share &* part)
  }
}
