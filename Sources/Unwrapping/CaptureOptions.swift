public import Capture
public import TLS
internal import Wire

/// How a capture is to be read.
public struct CaptureOptions: Sendable {
  /// Which packets, in pcap-filter(7) syntax.
  public var filter: String?
  /// What opens TLS; a capture's own secrets are added to it.
  public var secrets: TLSSecrets
  /// Who speaks what, where content would say something else or nothing.
  public var assignments: PortAssignments
  /// Off where what is in TLS is wanted as it is.
  public var takesOffWebSocket = true
  /// Bytes that may wait to be complete, over all connections.
  public var unfinishedBytes = UnfinishedBytes.usualLimit
  /// What topics of APNs are called; on the wire they are hashes of that.
  public var topicNames: [String] = []
  /// Told while files are read what whoever waits for the end should know.
  public var notice: CaptureNotice?

  public init(
    filter: String? = nil, secrets: TLSSecrets = TLSSecrets(),
    assignments: PortAssignments = PortAssignments()
  ) {
    self.filter = filter
    self.secrets = secrets
    self.assignments = assignments
  }
}
