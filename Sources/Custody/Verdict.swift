/// What an oracle says of a history.
public enum Verdict: String, Sendable, BitwiseCopyable {
  case holds, violated
  /// The evidence does not decide: never a ghost, nor a pass.
  case inconclusive
}

/// "The same failure": for de-duplication, file names and shrinking.
///
/// Holds nothing that a mutation of unrelated parts of a scenario changes: no times, no ids.
@frozen
public struct Signature: Hashable, Comparable, Sendable, BitwiseCopyable {
  /// Position in `OracleCatalog.all`.
  public var oracle: UInt8
  /// The oracle's own distinction (for a ghost the quality of service and the last custody step).
  public var detail: UInt32
  /// `true` when the way up (device to server) is concerned.
  public var upward: Bool

  @inlinable public init(oracle: UInt8, detail: UInt32, upward: Bool) {
    self.oracle = oracle
    self.detail = detail
    self.upward = upward
  }

  @inlinable public static func < (a: Self, b: Self) -> Bool {
    (a.oracle, a.upward ? 1 : 0, a.detail) < (b.oracle, b.upward ? 1 : 0, b.detail)
  }
}

/// One thing that an oracle found in a ledger.
@frozen
public struct Violation: Hashable, Sendable, BitwiseCopyable {
  public var signature: Signature
  /// The device concerned (the receiver of the delivery on the way down, the sender on the way up).
  public var device: NodeID
  /// The publication concerned; meaningless for zombie, lockout, storm and protocol.
  public var publication: UInt16

  @inlinable public init(signature: Signature, device: NodeID, publication: UInt16) {
    self.signature = signature
    self.device = device
    self.publication = publication
  }
}
