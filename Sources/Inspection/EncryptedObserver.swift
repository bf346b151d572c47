import Custody
import PushProtocols
import TLS
import Timeline
import Unwrapping
import Wire

/// Follows the connections that nobody can decrypt: what times, sizes and TCP prove by themselves.
///
/// Never a violation. Inside of TLS a notification looks like anything else, so all that it finds
/// is inconclusive and says so.
final class EncryptedObserver: CaptureObserver {
  private let wrapped: WrappedConnections
  private var open: [ConnectionID: EncryptedConversation] = [:]
  private var findings: [FindingRecord] = []

  init(_ wrapped: WrappedConnections) { self.wrapped = wrapped }

  /// Both directions stay closed, and nothing was read of either.
  func recognise(_ opening: ConnectionOpening) -> Recognition {
    guard opening.toServer.isEmpty, opening.toClient.isEmpty else { return .notMine }
    if opening.isUnreadable == [true, true] { return .mine }
    guard opening.isUnreadable.contains(true) else { return .notMine }
    return opening.isComplete ? .mine : .undecided
  }

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    open[connection, default: EncryptedConversation(description)].receive(event, at: moment)
    guard case .ended = event, let conversation = open.removeValue(forKey: connection) else {
      return
    }
    // Requests and their answers: the last word is the server's, and nobody answers it.
    if wrapped[connection]?.tls?.speaksHTTP == true { return }
    findings += conversation.findings(at: moment)
  }

  func finish(at end: Moment) -> CaptureObservation {
    for connection in open.keys.sorted() { findings += open[connection]?.findings(at: end) ?? [] }
    var observation = CaptureObservation()
    observation.findings = findings
    return observation
  }
}

extension TLSFacts {
  /// Or may, if the server is willing.
  var speaksHTTP: Bool {
    offeredProtocols.contains { $0 == "h2" || $0.hasPrefix("http/") }
  }
}
