internal import Custody
internal import Simulation
internal import Timeline

/// Says "at the server's third publish" instead of "at +61.0402s": it means more to a reader, and
/// it stays true when round-trip times change.
public struct AnchorAtMessages: ShrinkPass {
  public static let name = "anchor-at-messages"
  public init() {}

  public func run(on target: inout ShrinkTarget) {
    for index in target.scenario.faults.indices {
      if case .message = target.scenario.faults[index].anchor { continue }
      guard let time = target.strikeTime(ofFault: index) else { continue }
      let node = target.scenario.faults[index].node
      for anchor in candidates(at: time, node: node, trace: target.trace()) {
        if target.consider({ $0.faults[index].anchor = anchor }) { break }
      }
    }
  }

  /// The messages next to this time: of each side the first one since, then the last one before.
  private func candidates(at time: Instant, node: NodeID, trace: [TraceEntry]) -> [Anchor] {
    var counts: [[UInt16]] = [[], []]
    var before: [Anchor?] = [nil, nil]
    var since: [Anchor?] = [nil, nil]
    for entry in trace where node.isServer || entry.device == node {
      guard case .wrote(let side) = entry.what, entry.kind != 0 else { continue }
      let row = Int(side.rawValue)
      while counts[row].count <= Int(entry.kind) { counts[row].append(0) }
      counts[row][Int(entry.kind)] += 1
      let anchor = Anchor.message(
        sender: side, kind: entry.kind, ordinal: counts[row][Int(entry.kind)])
      if entry.time < time {
        before[row] = anchor
      } else if since[row] == nil {
        since[row] = anchor
      }
    }
    return (since + before).compactMap { $0 }
  }
}
