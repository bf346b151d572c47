internal import Simulation
internal import Timeline
internal import Wire

/// What the capture says about the network and how fast both ends react.
///
/// The round trip is the shortest that was seen. The reactions are medians, but never so long that
/// an answer would come after what the app did next: programs that publish, wait and leave act on
/// the answer within microseconds, and a run must not have them leave too early.
struct MQTTPathMeasure {
  var rtt = Nanoseconds.zero
  /// From where the capture was made to the server and back, and to the clients and back.
  var toServer = Nanoseconds.zero
  var toClient = Nanoseconds.zero
  var serverDelay = Nanoseconds.zero
  var deviceDelay = Nanoseconds.zero
  /// Median of the clients' reactions at the place of the capture.
  var clientReaction = Nanoseconds.zero

  private struct Samples {
    var server: [Nanoseconds] = []
    var client: [Nanoseconds] = []
    /// The shortest between something and what an app did after it.
    var serverBound = Nanoseconds.forever
    var clientBound = Nanoseconds.forever
    /// The shortest from SYN to CONNECT.
    var opening = Nanoseconds.forever
  }

  init(_ story: MQTTStory, _ included: [Int]) {
    var samples = Samples()
    var handshake = Nanoseconds.forever
    var acknowledged = [Nanoseconds.forever, .forever]
    for number in included {
      let recording = story.sessions[number].recording
      Self.collect(number, story, into: &samples)
      if let established = recording.established {
        handshake = min(handshake, established.time - recording.began.time)
        samples.opening = min(
          samples.opening, recording.packets[0].moment.time - recording.began.time)
      }
      for index in 0...1 {
        acknowledged[index] = min(
          acknowledged[index], recording.flows[index].quickestAcknowledgement ?? .forever)
      }
    }
    // Without a handshake nobody knows how much of an answer's time is the path's: none, then.
    if handshake == .forever { handshake = .microseconds(2) }
    let quickestServer = min(samples.server.min() ?? .forever, samples.serverBound)
    let quickestClient = min(samples.client.min() ?? .forever, samples.clientBound)
    toServer = min(acknowledged[0], quickestServer, handshake)
    toClient = min(acknowledged[1], quickestClient, handshake)
    if toServer + toClient > handshake {
      let total = max((toServer + toClient).count, 1)
      toServer = Nanoseconds(
        UInt64(Double(toServer.count) / Double(total) * Double(handshake.count)))
      toClient = handshake - toServer
      toClient = min(toClient, quickestClient)
    }
    toServer = toServer.wholeMicroseconds
    toClient = toClient.wholeMicroseconds
    rtt = toServer + toClient
    clientReaction = Self.median(samples.client)
    let server = min(Self.median(samples.server), samples.serverBound)
    let client = min(clientReaction, samples.clientBound)
    serverDelay = (server - toServer).wholeMicroseconds
    // A microsecond less, so that what arrives is there before what was done because of it.
    deviceDelay = (client - toClient - .microseconds(1)).wholeMicroseconds
    if samples.opening != .forever {
      deviceDelay = min(deviceDelay, (samples.opening - rtt - toClient / 2).wholeMicroseconds)
    }
  }

  var settings: PathSettings {
    var path = PathSettings()
    path.rtt = rtt
    path.serverDelay = serverDelay
    path.deviceDelay = deviceDelay
    return path
  }

  static func median(_ samples: [Nanoseconds]) -> Nanoseconds {
    samples.isEmpty ? .microseconds(100) : samples.sorted()[samples.count / 2]
  }

  private static func collect(_ number: Int, _ story: MQTTStory, into samples: inout Samples) {
    let session = story.sessions[number]
    let packets = session.recording.packets
    var previous: [Int?] = [nil, nil]
    for (position, item) in packets.enumerated() {
      let index = Int(item.direction.rawValue)
      if let request = requestPosition(of: item, at: position, in: packets) {
        let gap = item.moment.time - packets[request].moment.time
        if item.direction == .toClient {
          samples.server.append(gap)
        } else {
          samples.client.append(gap)
        }
      }
      if item.direction == .toServer, item.isDoneByApp, let before = previous[1] {
        samples.clientBound = min(
          samples.clientBound, item.moment.time - packets[before].moment.time)
        if let request = requestPosition(of: packets[before], at: before, in: packets) {
          samples.serverBound = min(
            samples.serverBound, packets[before].moment.time - packets[request].moment.time)
        } else if case .publication(let mark) = session.marks[before],
          let publisher = story.publications[mark].session, publisher != number,
          packets[before].moment.frame > story.publications[mark].moment.frame
        {
          samples.serverBound = min(
            samples.serverBound,
            packets[before].moment.time - story.publications[mark].moment.time)
        }
      }
      previous[index] = position
    }
  }

  /// Where the packet is that this one answers, if it answers one.
  private static func requestPosition(
    of answer: MQTTRecordedPacket, at position: Int, in packets: [MQTTRecordedPacket]
  ) -> Int? {
    var index = position - 1
    // An answer follows soon, or it is no measure of how fast an end reacts.
    let limit = max(0, position - 64)
    while index >= limit {
      let item = packets[index]
      if item.direction != answer.direction, item.isAnswered(by: answer) { return index }
      index -= 1
    }
    return nil
  }
}

extension Nanoseconds {
  /// Rounded down.
  var wholeMicroseconds: Nanoseconds { Nanoseconds(count / 1000 * 1000) }
}

extension MQTTRecordedPacket {
  /// Whether an app decides when it is sent, or whether it follows from what was received.
  var isDoneByApp: Bool {
    switch packet {
    case .publish, .subscribe, .unsubscribe, .disconnect: true
    case .connect, .connack, .puback, .pubrec, .pubrel, .pubcomp, .suback, .unsuback, .pingreq,
      .pingresp, .auth:
      false
    }
  }

  /// The answer that the protocol demands for it.
  var awaitedAnswer: MQTTPacketType? {
    switch packet {
    case .connect: .connack
    case .publish(let publish):
      switch publish.qos {
      case .atMostOnce: nil
      case .atLeastOnce: .puback
      case .exactlyOnce: .pubrec
      }
    case .pubrec(let answer): answer.reasonCode.isFailure ? nil : .pubrel
    case .pubrel: .pubcomp
    case .subscribe: .suback
    case .unsubscribe: .unsuback
    case .pingreq: .pingresp
    case .connack, .puback, .pubcomp, .suback, .unsuback, .pingresp, .disconnect, .auth: nil
    }
  }

  func isAnswered(by answer: MQTTRecordedPacket) -> Bool {
    answer.packet.type == awaitedAnswer && answer.packet.packetID == packet.packetID
  }
}
