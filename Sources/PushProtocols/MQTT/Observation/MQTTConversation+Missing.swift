import Timeline
import Wire

/// Bytes that are not there, or have to go.
extension MQTTConversation {
  /// A hole in a stream: what was in it is unknown, and so is what it might have changed.
  func miss(
    _ direction: Direction, offset: UInt64, length: UInt64, _ kind: GapKind, at moment: Moment
  ) {
    if !hasStarted[direction] {
      hasStarted[direction] = true
      framers[direction] = MQTTFramer(startingAt: offset)
    }
    framers[direction].gap(of: length)
    beginnings[direction] = nil
    countUnfinished(direction, at: moment)
    transport.sent(direction, upTo: offset + length)
    // What nobody ever got changed nothing at the other end; but it was meant to.
    doubt("\(length) bytes \(sender(direction)) \(kind.words)", direction, at: moment)
  }

  /// What waits here has to go, to make room.
  func giveUpUnfinished(_ direction: Direction, at moment: Moment) {
    catchUp()
    let count = framers[direction].abandonPending()
    beginnings[direction] = nil
    countUnfinished(direction, at: moment)
    doubt(
      "\(count) bytes \(sender(direction)) \(GapKind.givenUp.words)", direction, at: moment)
  }

  func countUnfinished(_ direction: Direction, at moment: Moment) {
    observer.countUnfinished(
      framers[direction].pendingBytes, known: &counted[direction], self, direction, at: moment)
  }

  /// Something that was sent is not known, and so is what it might have changed.
  private func doubt(_ why: String, _ direction: Direction, at moment: Moment) {
    evidenceMissing = evidenceMissing.isEmpty ? why : evidenceMissing
    silence.isUnjudgeable = true
    if direction == .toClient {
      missedFromServer = true
      assumeConnected(at: moment)
    }
    subscriber?.taint(why)
    observer.warn("\(name): \(why)", at: moment)
  }

  /// Packets of either direction may be missing without leaving a hole.
  func missedPackets(_ why: String) {
    catchUp()
    if evidenceMissing.isEmpty { evidenceMissing = why }
    silence.isUnjudgeable = true
    subscriber?.taint(why)
  }
}
