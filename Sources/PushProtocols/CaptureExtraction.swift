public import Custody
public import Simulation
public import Timeline
public import Wire

/// One subscriber's history, taken out of a capture: a scenario that repeats it, and what the
/// capture showed, to compare a run with.
///
/// All times count from the first packet of the capture.
public struct ExtractedHistory: Sendable {
  /// The subscriber's identity; empty for a capture in which nobody subscribes.
  public var subscriber: String
  public var scenario: Scenario
  /// What crossed the wire between the scenario's devices and the server, in order of time.
  public var messages: [CapturedMessage] = []
  /// What the capture showed of each delivery, in order of receiver and publication.
  public var deliveries: [CapturedDelivery] = []
  /// What the scenario can't say, or says only nearly, in order of time.
  public var unmodelled: [UnmodelledEvent] = []
  /// Why a step or fault is there, by position; for comments in a scenario file.
  public var stepNotes: [Int: String] = [:]
  public var faultNotes: [Int: String] = [:]
  /// When the capture ended.
  public var end = Instant.start
  /// The device that stands for publishers that the capture does not show: nothing of its
  /// connection can be compared.
  public var unseen: NodeID?

  public init(subscriber: String, scenario: Scenario) {
    self.subscriber = subscriber
    self.scenario = scenario
  }
}

/// A protocol message of a capture in the words of a scenario.
public struct CapturedMessage: Hashable, Sendable {
  public var time: Instant
  public var frame: UInt32
  /// The device at the one end; the server is at the other.
  public var device: NodeID
  public var sender: Side
  /// `WireMessage.kind`.
  public var kind: UInt8
  /// 0 when it concerns none.
  public var publication: UInt16
  /// What the machines would have to say to say the same: no identifiers that an end may choose.
  public var text: String
  /// It carries a notification.
  public var isApplication: Bool

  public init(
    time: Instant, frame: UInt32, device: NodeID, sender: Side, kind: UInt8, publication: UInt16,
    text: String, isApplication: Bool
  ) {
    self.time = time
    self.frame = frame
    self.device = device
    self.sender = sender
    self.kind = kind
    self.publication = publication
    self.text = text
    self.isApplication = isApplication
  }
}

/// What a capture showed of one delivery: the part of a custody chain that the wire can prove.
public struct CapturedDelivery: Hashable, Sendable {
  public var publication: UInt16
  /// The first device of the identity that is to get it; `.server` on the way up.
  public var receiver: NodeID
  public var quality: UInt8
  /// How often it was written to a connection.
  public var sends: UInt16
  /// On a connection whose other end had not closed yet.
  public var isAcknowledged: Bool

  public init(
    publication: UInt16, receiver: NodeID, quality: UInt8, sends: UInt16, isAcknowledged: Bool
  ) {
    self.publication = publication
    self.receiver = receiver
    self.quality = quality
    self.sends = sends
    self.isAcknowledged = isAcknowledged
  }
}

/// Something in a capture that a scenario has no words for.
public struct UnmodelledEvent: Hashable, Sendable {
  public var time: Instant
  /// The packet that shows it; 0 when it is an absence.
  public var frame: UInt32
  /// The device concerned; `.server` for all.
  public var device: NodeID
  public var text: String

  public init(time: Instant, frame: UInt32, device: NodeID, _ text: String) {
    self.time = time
    self.frame = frame
    self.device = device
    self.text = text
  }
}

/// Takes scenarios out of the connections of a capture that speak its protocol; passes over others.
public protocol ScenarioExtractor: ConnectionSink {
  /// The capture is over.
  /// - Parameters:
  ///   - source: what to write into the scenarios as their origin.
  ///   - end: of the last packet.
  /// - Returns: in the order in which the subscribers appeared.
  func finish(source: String, at end: Moment) -> [ExtractedHistory]
}

/// What a protocol brings for `extract` and `replay`. One entry a protocol.
public struct ExtractedProtocol: Sendable {
  public var name: String
  /// Given what the user calls the topics of APNs.
  public var makeExtractor: @Sendable (APNsTopicNames) -> any ScenarioExtractor
  /// Takes the identifiers that an end may choose out of a traced message's text, so that it
  /// compares with `CapturedMessage.text`.
  public var comparableText: @Sendable (_ traced: String) -> String
  /// Kinds of messages that carry notifications.
  public var applicationKinds: [UInt8]
  /// Kinds of messages that timers send.
  public var timedKinds: [UInt8]
  /// Kinds of messages that go over connections which its captures don't show: not compared.
  public var unseenKinds: [UInt8] = []
}

/// The protocols whose captures can be made into scenarios.
public enum ExtractionCatalog {
  public static let all: [ExtractedProtocol] = [
    ExtractedProtocol(
      name: "mqtt", makeExtractor: { _ in MQTTScenarioExtractor() },
      comparableText: { MQTTComparableText.of($0) },
      applicationKinds: [MQTTPacketType.publish.rawValue],
      timedKinds: [MQTTPacketType.pingreq.rawValue, MQTTPacketType.pingresp.rawValue]),
    ExtractedProtocol(
      name: "apns", makeExtractor: { APNsScenarioExtractor(names: $0) },
      comparableText: { APNsComparableText.of($0) },
      applicationKinds: [APNsMessageKind.notification.rawValue],
      timedKinds: [APNsMessageKind.keepAlive.rawValue, APNsMessageKind.keepAliveResponse.rawValue],
      unseenKinds: APNsMessageKind.allCases.filter {
        $0.rawValue > APNsMessageKind.setState.rawValue
      }
      .map(\.rawValue)),
    ExtractedProtocol(
      name: APNsProviderObserver.name, makeExtractor: { _ in APNsProviderScenarioExtractor() },
      comparableText: { APNsProviderComparableText.of($0) },
      applicationKinds: [APNsProviderMessage.Kind.request.rawValue],
      timedKinds: [
        APNsProviderMessage.Kind.ping.rawValue, APNsProviderMessage.Kind.pong.rawValue,
      ]),
  ]
}
