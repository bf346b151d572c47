public import Timeline

/// All that one protocol's observer learned from a capture.
public struct CaptureObservation: Hashable, Sendable {
  /// In the order of their numbers.
  public var sessions: [SessionRecord] = []
  /// In the order of their numbers; empty when they were to be counted only.
  public var deliveries: [DeliveryRecord] = []
  /// How they ended, in the order of each subscriber's first one.
  public var tallies: [DeliveryTally] = []
  /// Violations first, then what could not be decided, then stories that ended well; each in the
  /// order of the capture.
  public var findings: [FindingRecord] = []
  public var warnings: [WarningRecord] = []

  public init() {}
}

/// Something that makes a report less certain than it looks.
public struct WarningRecord: Hashable, Sendable {
  /// `nil` when it concerns the whole capture.
  public var frame: UInt32?
  public var text: String

  public init(frame: UInt32? = nil, _ text: String) {
    self.frame = frame
    self.text = text
  }
}

/// Connections that no observer claimed, by what they looked like.
public struct UnrecognisedConnections: Hashable, Sendable {
  /// `TLS`, `HTTP`, `SSH`, `no payload`, `unknown`.
  public var kind: String
  public var count: UInt32
  /// The server endpoints, each once, in the order of the capture; at most four.
  public var servers: [String]

  public init(kind: String, count: UInt32, servers: [String]) {
    self.kind = kind
    self.count = count
    self.servers = servers
  }
}

/// What is said about a capture itself.
public struct CaptureRecord: Hashable, Sendable {
  /// As given by the user.
  public var path: String
  public var packets: UInt64 = 0
  public var connections: UInt32 = 0
  /// Times of the first and the last packet.
  public var began = Instant.start
  public var ended = Instant.start
  public var unrecognised: [UnrecognisedConnections] = []
  /// Why the file could not be read to its end; `nil` when it could.
  public var damage: String?
  public var warnings: [WarningRecord] = []

  public var duration: Nanoseconds { ended - began }

  public init(path: String) { self.path = path }
}

/// The answer to "what happened in this capture?".
public struct InspectionRecord: Hashable, Sendable {
  public var capture: CaptureRecord
  public var observation: CaptureObservation
  /// Those with something around their protocol, sessions or not, in the order of their numbers.
  public var connections: [ConnectionRecord] = []

  public init(capture: CaptureRecord, observation: CaptureObservation) {
    self.capture = capture
    self.observation = observation
  }

  /// Whether there is anything that was not as the protocol promises.
  public var hasViolations: Bool {
    observation.findings.contains { $0.verdict == .violated }
  }
}
