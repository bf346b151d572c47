internal import Timeline
internal import Wire

/// What one client said about itself in a CONNECT: what has to be equal for two connections to be
/// of one device.
struct MQTTDeviceTraits: Hashable {
  var version: MQTTVersion
  var keepAlive: UInt16
  var cleanStart: Bool
  /// 5.0, seconds.
  var sessionExpiry: UInt32
  var receiveMaximum: UInt16
  var will: MQTTWill?

  init(_ connect: MQTTConnect) {
    version = connect.version
    keepAlive = connect.keepAlive
    cleanStart = connect.cleanStart
    sessionExpiry = connect.properties.sessionExpiryInterval ?? 0
    receiveMaximum = connect.properties.receiveMaximum ?? .max
    will = connect.will
  }

  /// The server forgets the session when the connection ends.
  var isTransient: Bool { version == .v5 ? sessionExpiry == 0 : cleanStart }
}

/// One accepted connection of the story.
struct MQTTStorySession {
  let recording: MQTTRecording
  let connect: MQTTConnect
  let connack: MQTTConnack
  let connackMoment: Moment
  /// Position in `MQTTStory.identities`.
  let identity: Int
  let traits: MQTTDeviceTraits
  /// For each packet of the recording the publication that it is about.
  var marks: [MQTTMark]

  var subscribes: Bool {
    recording.packets.contains { if case .subscribe = $0.packet { true } else { false } }
  }

  /// The client said goodbye.
  var goodbye: Moment? {
    for item in recording.packets where item.direction == .toServer {
      if case .disconnect = item.packet { return item.moment }
    }
    return nil
  }

  /// From now on the client does not use the connection any more; `nil`: it still did at the end
  /// of the capture, or nobody can tell.
  var over: Moment? {
    let client = recording.ends.first { $0.direction == .toServer }?.moment
    let first = [goodbye, client].compactMap(\.self).min { $0.time < $1.time }
    return first ?? recording.ends.first?.moment
  }

  var lastClientPacket: Moment {
    recording.packets.last { $0.direction == .toServer }?.moment ?? recording.began
  }
}

/// Which publication a packet is about.
enum MQTTMark: Hashable {
  case nothing
  /// Position in `MQTTStory.publications`.
  case publication(Int)
  /// Position in `MQTTStory.sessions` of the session whose will it is.
  case will(Int)
}

/// A message on its way through the server, as the capture shows it.
struct MQTTStoryPublication {
  /// Position in `sessions`; `nil` when the capture does not show who published it.
  var session: Int?
  var topic: String
  var digest: UInt64
  var quality: UInt8
  var retain: Bool
  /// Seconds.
  var expiry: UInt32?
  /// When it was first written; for an unseen publisher, when the server first sent it.
  var moment: Moment
  /// For an unseen publisher: who got it first, on which session, and whether it lay in wait there.
  var firstSession: Int?
  var wasQueued = false
}

/// All sessions of a capture, and which packet is about which publication.
struct MQTTStory {
  let origin: Instant
  let end: Moment
  private(set) var sessions: [MQTTStorySession] = []
  /// Client identifiers in order of appearance; each anonymous session has one of its own.
  private(set) var identities: [String] = []
  private(set) var publications: [MQTTStoryPublication] = []
  /// Connections that speak MQTT and can't be replayed, with the reason.
  private(set) var leftOut: [(moment: Moment, text: String)] = []
  /// Connection attempts that the server refused.
  private(set) var refusals: [Moment] = []

  /// Identities that subscribe or are sent something, in order of appearance.
  var subscribers: [Int] {
    var seen = Array(repeating: false, count: identities.count)
    for session in sessions where session.subscribes || session.isSentTo {
      seen[session.identity] = true
    }
    return seen.indices.filter { seen[$0] }
  }

  init(_ recordings: [MQTTRecording], origin: Instant, end: Moment) {
    self.origin = origin
    self.end = end
    var numbers: [String: Int] = [:]
    for recording in recordings {
      guard let connect = recording.connect else {
        if recording.refused { refusals.append(recording.began) }
        continue
      }
      guard let (connack, moment) = recording.connack else {
        leftOut.append((recording.began, "a connection got no CONNACK"))
        continue
      }
      guard connack.isAccepted else {
        leftOut.append((moment, "the server refused a connection"))
        continue
      }
      var name = connect.clientIdentifier
      if name.isEmpty { name = connack.properties.assignedClientIdentifier ?? "" }
      let number: Int
      if let known = numbers[name], !name.isEmpty {
        number = known
      } else {
        number = identities.count
        identities.append(connect.clientIdentifier)
        numbers[name] = number
      }
      sessions.append(
        MQTTStorySession(
          recording: recording, connect: connect, connack: connack, connackMoment: moment,
          identity: number, traits: MQTTDeviceTraits(connect),
          marks: Array(repeating: .nothing, count: recording.packets.count)))
    }
    joinPublications()
  }

  private mutating func joinPublications() {
    var joiner = MQTTPublicationJoiner(identities: identities.count)
    // Packets in the order of the capture; a stable order, as one frame may hold several.
    var order: [(frame: UInt32, session: Int, packet: Int)] = []
    for (number, session) in sessions.enumerated() {
      for (position, item) in session.recording.packets.enumerated() {
        order.append((item.moment.frame, number, position))
      }
    }
    order.sort { ($0.frame, $0.session, $0.packet) < ($1.frame, $1.session, $1.packet) }
    for (_, session, packet) in order {
      sessions[session].marks[packet] = joiner.join(
        sessions[session].recording.packets[packet], session, sessions, &publications)
    }
  }

  /// Whether anybody published something between the two.
  func publishes(between a: Moment, and b: Moment) -> Bool {
    publications.contains { $0.moment.frame > a.frame && $0.moment.frame < b.frame }
  }

  /// How long after the start of the capture.
  func time(_ moment: Moment) -> Instant {
    Instant(nanoseconds: (moment.time - origin).count)
  }
}

extension MQTTStorySession {
  var isSentTo: Bool {
    recording.packets.contains {
      if case .publish = $0.packet { $0.direction == .toClient } else { false }
    }
  }
}
