internal import Custody
internal import PushProtocols
internal import Simulation
internal import Timeline

extension Fidelity {
  /// What makes two messages the same.
  struct Likeness: Hashable {
    var kind: UInt8
    var publication: UInt16
    var text: String
  }

  private struct Stream: Hashable {
    var device: NodeID
    var sender: Side
  }

  /// Puts beside each other what corresponds: in each stream the longest common sequence.
  mutating func align(_ simulated: [SimulatedMessage]) {
    for device in history.scenario.devices.indices {
      for sender in Side.allCases {
        let stream = Stream(device: NodeID(device: device), sender: sender)
        let captured = history.messages.filter {
          $0.device == stream.device && $0.sender == sender
        }
        let run = simulated.filter { $0.device == stream.device && $0.sender == sender }
        align(captured, run)
        countApplication(captured, run)
      }
    }
    // Stable, so that equal times keep the order of their stream.
    let order = lines.indices.sorted { (lines[$0].time, $0) < (lines[$1].time, $1) }
    lines = order.map { lines[$0] }
    for line in lines { all.add(line) }
  }

  /// Counts application messages, whatever other packets stand between them.
  private mutating func countApplication(
    _ captured: [CapturedMessage], _ simulated: [SimulatedMessage]
  ) {
    let wanted = captured.filter(\.isApplication)
    let had = simulated.filter { applicationKinds.contains($0.kind) }
    var missing = 0
    var extra = 0
    for change in wanted.map(\.likeness).difference(from: had.map(\.likeness)) {
      switch change {
      case .insert: missing += 1
      case .remove: extra += 1
      }
    }
    application.captured += wanted.count
    application.reproduced += wanted.count - missing
    application.extra += extra
  }

  private mutating func align(
    _ captured: [CapturedMessage], _ simulated: [SimulatedMessage]
  ) {
    let before = simulated.map(\.likeness)
    let changes = captured.map(\.likeness).difference(from: before)
    var removed = Set<Int>()
    var inserted = Set<Int>()
    for change in changes {
      switch change {
      case .remove(let offset, _, _): removed.insert(offset)
      case .insert(let offset, _, _): inserted.insert(offset)
      }
    }
    var (c, s) = (0, 0)
    while c < captured.count || s < simulated.count {
      if c < captured.count, inserted.contains(c) {
        lines.append(Line(captured: captured[c], isApplication: captured[c].isApplication))
        c += 1
      } else if s < simulated.count, removed.contains(s) {
        lines.append(
          Line(
            simulated: simulated[s],
            isApplication: applicationKinds.contains(simulated[s].kind)))
        s += 1
      } else {
        lines.append(
          Line(
            captured: captured[c], simulated: simulated[s],
            isApplication: captured[c].isApplication))
        c += 1
        s += 1
      }
    }
  }

  // MARK: - Why

  /// Finds a cause for each line that has no counterpart.
  mutating func explain(_ format: ExtractedProtocol) {
    for (index, line) in lines.enumerated() where !line.isSame {
      let (cause, reason) = cause(of: line, format)
      differences.append(Difference(line: index, cause: cause, reason: reason))
    }
  }

  private func cause(
    of line: Line, _ format: ExtractedProtocol
  ) -> (Difference.Cause, String) {
    if let other = counterpart(of: line) {
      let (early, late) = (min(other.time, line.time), max(other.time, line.time))
      let way = (other.time < line.time) == (line.captured != nil) ? "earlier" : "later"
      return (.timing, "the run has it \((late - early).seconds3) \(way), in another order")
    }
    let device = line.captured?.device ?? line.simulated?.device ?? .server
    if let event = history.unmodelled.last(where: {
      ($0.device == device || $0.device.isServer) && $0.time <= line.time + .seconds(1)
    }) {
      let frame = event.frame > 0 ? " (frame \(event.frame))" : ""
      return (.unmodelled, event.text + frame)
    }
    if line.captured == nil, isLost(device, at: line.time) {
      return (.unmodelled, "written while the path lost everything: no capture need show it")
    }
    // What was on its way when the capture ended.
    let path = history.scenario.path
    let settling = (path.rtt + path.serverDelay + path.deviceDelay) * 4
    if line.time + max(.milliseconds(1), settling) > history.end {
      return (.timing, "the capture ends there")
    }
    let kind = line.captured?.kind ?? line.simulated?.kind ?? 0
    if format.timedKinds.contains(kind) {
      return (.timing, "depends on when the last message was, which the run has a little earlier")
    }
    return line.captured != nil
      ? (.machine, "the machines say nothing of the kind")
      : (.machine, "the captured software says nothing of the kind")
  }

  /// The same message without a counterpart on the other side of the same stream.
  private func counterpart(of line: Line) -> Line? {
    let wanted = line.captured?.likeness ?? line.simulated?.likeness
    let device = line.captured?.device ?? line.simulated?.device
    let sender = line.captured?.sender ?? line.simulated?.sender
    return lines.first { other in
      guard !other.isSame, (other.captured == nil) == (line.captured != nil) else { return false }
      return (other.captured?.likeness ?? other.simulated?.likeness) == wanted
        && (other.captured?.device ?? other.simulated?.device) == device
        && (other.captured?.sender ?? other.simulated?.sender) == sender
    }
  }

  private func isLost(_ device: NodeID, at time: Instant) -> Bool {
    history.scenario.faults.contains { fault in
      guard case .lose(_, let length) = fault.kind, case .at(let from) = fault.anchor else {
        return false
      }
      return fault.node == device && from <= time && time <= from + length
    }
  }
}

extension Fidelity.Count {
  fileprivate mutating func add(_ line: Fidelity.Line) {
    if line.captured != nil { captured += 1 } else { extra += 1 }
    if line.isSame { reproduced += 1 }
  }
}

extension CapturedMessage {
  fileprivate var likeness: Fidelity.Likeness {
    .init(kind: kind, publication: publication, text: text)
  }
}

extension Fidelity.SimulatedMessage {
  fileprivate var likeness: Fidelity.Likeness {
    .init(kind: kind, publication: publication, text: text)
  }
}
