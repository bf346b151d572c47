import Custody
import PushProtocols
import Timeline
import Wire

/// A protocol as its observer sees it. The first byte of the input says whether the SYN was seen.
enum ObservationTarget {
  /// - Parameter name: of the protocol, in the catalog.
  static func run(_ input: [UInt8], _ name: String) throws(FuzzFinding) {
    var cursor = InputCursor(input)
    let handshake = cursor.uint8() & 1 == 0
    let talk = Talk(&cursor)
    let whole = observe(talk, name, handshake: handshake, chunk: .max)
    let most = 64 + input.count
    for (what, count) in [
      ("sessions", whole.sessions.count), ("deliveries", whole.deliveries.count),
      ("findings", whole.findings.count), ("warnings", whole.warnings.count),
    ] where count > most {
      throw FuzzFinding("\(count) \(what) of \(input.count) bytes")
    }
    guard handshake, !talk.hasGaps else { return }
    let pieces = observe(talk, name, handshake: handshake, chunk: 1)
    if whole != pieces {
      throw FuzzFinding("told one by one, bytes mean \(pieces) and else \(whole)")
    }
  }

  private static func observe(
    _ talk: Talk, _ name: String, handshake: Bool, chunk: Int
  ) -> CaptureObservation {
    let unfinished = UnfinishedBytes()
    let observers = CaptureObservers(
      assigned: [Talk.server.port: name], unfinished: unfinished)
    let end = talk.tell(observers, handshake: handshake, chunk: chunk)
    return observers.finish(at: end).0
  }
}
