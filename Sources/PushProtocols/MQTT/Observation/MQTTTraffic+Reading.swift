import Custody
import Timeline
import Wire

/// The quick way: packets that are as they nearly always are, read where they lie and followed
/// without an object, a copy or a look anywhere else.
///
/// Each step asks first and changes after: what is in any way unusual is left, untouched, to
/// `MQTTConversation`, which follows the usual the same.
extension MQTTTraffic {
  /// - Returns: how many of the segment's bytes were whole packets of the usual kind, from the
  ///   first one on.
  @inline(__always)
  mutating func take(
    _ segment: UnsafePointer<SegmentOfRun>, _ observer: MQTTCaptureObserver
  ) -> Int {
    let moment = unsafe segment.pointee.moment
    if ended.time < moment.time { ended = moment }
    if unsafe segment.pointee.segment.direction == .toClient {
      return unsafe takeOfServer(segment, at: moment, observer)
    } else {
      return unsafe takeOfClient(segment, at: moment, observer)
    }
  }

  @inline(__always)
  private mutating func takeOfServer(
    _ segment: UnsafePointer<SegmentOfRun>, at moment: Moment, _ observer: MQTTCaptureObserver
  ) -> Int {
    if moment.time >= lastServerSign.time { lastServerSign = moment }
    if unsafe segment.pointee.segment.acknowledges {
      confirmToServer(upTo: unsafe segment.pointee.segment.acknowledged, at: moment)
    }
    let bytes = unsafe segment.bytes
    if bytes.count == 0 { return 0 }
    let start = unsafe segment.pointee.segment.offset
    lastServerBytes = moment
    sentUpTo.toClient = max(sentUpTo.toClient, start &+ UInt64(truncatingIfNeeded: bytes.count))
    if isSilent(at: moment) { return 0 }
    let taken = unsafe takePackets(
      ofServer: bytes, from: start, prepared: segment.preparation, at: moment, observer)
    if taken == 0 { return 0 }
    lastServerPacket = moment
    passed.toClient &+= UInt64(truncatingIfNeeded: taken)
    return taken
  }

  @inline(__always)
  private mutating func takeOfClient(
    _ segment: UnsafePointer<SegmentOfRun>, at moment: Moment, _ observer: MQTTCaptureObserver
  ) -> Int {
    if unsafe segment.pointee.segment.acknowledges {
      confirmToClient(upTo: unsafe segment.pointee.segment.acknowledged, at: moment)
    }
    let bytes = unsafe segment.bytes
    if bytes.count == 0 { return 0 }
    let start = unsafe segment.pointee.segment.offset
    sentUpTo.toServer = max(sentUpTo.toServer, start &+ UInt64(truncatingIfNeeded: bytes.count))
    if isSilent(at: moment) { return 0 }
    let taken = unsafe takePackets(ofClient: bytes, from: start, at: moment, observer)
    if taken == 0 { return 0 }
    lastHeard = moment
    passed.toServer &+= UInt64(truncatingIfNeeded: taken)
    return taken
  }

  /// A segment that says no more than that its sender was there.
  mutating func takeSign(of direction: Direction, at moment: Moment) {
    if ended.time < moment.time { ended = moment }
    if direction == .toClient, moment.time >= lastServerSign.time { lastServerSign = moment }
  }

  /// The bytes of the fixed header of the packet that begins there, and of all of it; no bytes when
  /// it is not whole, or no usual packet.
  @inline(__always)
  private static func measure(
    _ bytes: UnsafeRawBufferPointer, _ at: Int
  ) -> (header: Int, length: Int) {
    let left = bytes.count &- at
    if left < 2 { return (0, 0) }
    var length = Int(unsafe bytes[at &+ 1])
    var header = 2
    if length >= 0x80 {
      // Two more bytes of length at most: 2 MB. None of them may be a zero that is not needed.
      guard left >= 3, case let second = Int(unsafe bytes[at &+ 2]), second != 0 else {
        return (0, 0)
      }
      length = length & 0x7F | (second & 0x7F) << 7
      header = 3
      if second >= 0x80 {
        guard left >= 4, case let third = Int(unsafe bytes[at &+ 3]), third != 0, third < 0x80
        else { return (0, 0) }
        length |= third << 14
        header = 4
      }
    }
    length &+= header
    return length <= left ? (header, length) : (0, 0)
  }

  // MARK: What TCP acknowledges

  @inline(__always)
  private mutating func confirmToServer(upTo: UInt64, at moment: Moment) {
    acknowledgedUpTo.toServer = max(acknowledgedUpTo.toServer, upTo)
    if hasUnconfirmedObjects {
      hasUnconfirmedObjects = unsafe conversation.confirmObjects(.toServer, upTo: upTo, at: moment)
    }
    if unconfirmedCount == 0 { return }
    var kept = 0
    for place in 0..<Int(unconfirmedCount) where unconfirmed[place].end > upTo {
      if kept < place { unconfirmed[kept] = unconfirmed[place] }
      kept += 1
    }
    unconfirmedCount = UInt8(kept)
  }

  @inline(__always)
  private mutating func confirmToClient(upTo: UInt64, at moment: Moment) {
    acknowledgedUpTo.toClient = max(acknowledgedUpTo.toClient, upTo)
    if hasAwaitingObjects {
      hasAwaitingObjects = unsafe conversation.confirmObjects(.toClient, upTo: upTo, at: moment)
    }
    // They are among the youngest.
    var left = awaiting
    var place = flight.count
    while left > 0 {
      place -= 1
      if flight[place].isTransportAcknowledged { continue }
      left -= 1
      if flight[place].end > upTo { continue }
      flight[place].transportAcknowledged = moment
      awaiting -= 1
    }
  }

  // MARK: The server's packets

  /// After too long a silence of the client everything is worth a closer look.
  @inline(__always)
  private func isSilent(at moment: Moment) -> Bool { moment.time - lastHeard.time > tolerated }

  @inline(__always)
  private mutating func takePackets(
    ofServer bytes: UnsafeRawBufferPointer, from offset: UInt64, prepared: UInt64,
    at moment: Moment, _ observer: MQTTCaptureObserver
  ) -> Int {
    var at = 0
    while true {
      let (header, length) = unsafe Self.measure(bytes, at)
      if length == 0 { return at }
      let first = unsafe bytes[at]
      let body = unsafe UnsafeRawBufferPointer(
        start: bytes.baseAddress! + (at &+ header), count: length &- header)
      switch first {
      case 0x32, 0x34:
        // Only a packet that is all of its segment was prepared.
        guard
          unsafe takeDelivery(
            first, body, end: offset &+ UInt64(truncatingIfNeeded: at &+ length),
            prepared: length == bytes.count ? prepared : 0, at: moment, observer)
        else { return at }
      case 0x30, 0x31:
        // With QoS 0. The session owes nothing, so it can't be something owed with more.
        guard case let start = unsafe takeTopic(body, observer), start > 0,
          unsafe isWithoutProperties(body, at: start)
        else { return at }
        sentAtMostOnce &+= 1
      case 0x62:
        guard body.count == 2, case let place = flight.place(of: unsafe Self.number(body, 0)),
          place >= 0, flight[place].isReceived, flight[place].completing.frame == 0
        else { return at }
        flight[place].completing = moment
        counts.pubrel &+= 1
      case 0xD0:
        guard body.count == 0 else { return at }
        answerPing()
        counts.pingresp &+= 1
      case _: return at
      }
      at &+= length
    }
  }

  @inline(__always)
  private mutating func takeDelivery(
    _ first: UInt8, _ body: UnsafeRawBufferPointer, end: UInt64, prepared: UInt64,
    at moment: Moment, _ observer: MQTTCaptureObserver
  ) -> Bool {
    guard case let start = unsafe takeTopic(body, observer), start > 0, start + 2 <= body.count
    else { return false }
    let id = unsafe Self.number(body, start)
    guard id != 0, unsafe isWithoutProperties(body, at: start + 2), flight.hasRoom,
      inFlightHere < receiveMaximum, !isUnusual(id)
    else { return false }
    let payload = start + (isVersion5 ? 3 : 2)
    let content =
      unsafe isVersion5 || prepared == 0
      ? MQTTContent(UnsafeRawBufferPointer(rebasing: body[payload...]).bytes)
      : MQTTContent(size: UInt64(body.count - payload), hash: prepared)
    if flight.contains(id), !gives(id, to: content, at: moment) { return false }
    sends &+= 1
    inFlightHere &+= 1
    sent &+= 1
    awaiting &+= 1
    if flight.isFull { unsafe flight.grow(in: conversation.near) }
    flight.append(
      MQTTCompactDelivery(
        content: content, end: end, sent: moment, id: observer.numbers.nextDelivery(),
        topic: topic, session: session, order: sends, packetID: id, isExactlyOnce: first == 0x34))
    return true
  }

  /// The server gives the identifier of a delivery that nobody acknowledges to another message.
  ///
  /// - Returns: whether it is as plain as that, and done.
  @inline(never)
  private mutating func gives(
    _ id: UInt16, to content: MQTTContent, at moment: Moment
  ) -> Bool {
    let place = flight.place(of: id)
    let old = flight[place]
    guard old.content != content || old.topic != topic, old.isTransportAcknowledged,
      !old.isReceived
    else { return false }
    flight.remove(at: place)
    inFlightHere &-= 1
    unsafe conversation.replaced(old, at: moment)
    return true
  }

  /// Reads the topic name of a PUBLISH.
  ///
  /// - Returns: where what follows it begins; 0 when it is not a good topic.
  @inline(__always)
  private mutating func takeTopic(
    _ body: UnsafeRawBufferPointer, _ observer: MQTTCaptureObserver
  ) -> Int {
    guard body.count >= 2 else { return 0 }
    let end = 2 + Int(unsafe Self.number(body, 0))
    guard end <= body.count else { return 0 }
    let letters = unsafe UnsafeRawBufferPointer(rebasing: body[2..<end])
    if topic != .max, unsafe MQTTBytes.areSame(letters, topicBytes) { return end }
    guard let number = unsafe observer.goodTopics.number(of: letters) else { return 0 }
    topic = number
    unsafe topicBytes = observer.goodTopics.bytes(number)
    return end
  }

  /// The properties of a PUBLISH of 5.0, which begin there, are none.
  @inline(__always)
  private func isWithoutProperties(_ body: UnsafeRawBufferPointer, at start: Int) -> Bool {
    unsafe !isVersion5 || start < body.count && body[start] == 0
  }

  @inline(__always)
  private static func number(_ body: UnsafeRawBufferPointer, _ at: Int) -> UInt16 {
    unsafe UInt16(bigEndian: body.loadUnaligned(fromByteOffset: at, as: UInt16.self))
  }

  // MARK: The client's packets

  @inline(__always)
  private mutating func takePackets(
    ofClient bytes: UnsafeRawBufferPointer, from offset: UInt64, at moment: Moment,
    _ observer: MQTTCaptureObserver
  ) -> Int {
    var at = 0
    while true {
      let (header, length) = unsafe Self.measure(bytes, at)
      if length == 0 { return at }
      let first = unsafe bytes[at]
      if first == 0xC0 {
        guard length == header else { return at }
        takePing(at: moment)
        counts.pingreq &+= 1
      } else {
        guard length == header &+ 2,
          case let place = flight.place(of: unsafe Self.number(bytes, at &+ header)), place >= 0,
          flight[place].isTransportAcknowledged, unconfirmedCount < Self.unconfirmedLimit,
          takeAnswer(
            first, place, end: offset &+ UInt64(truncatingIfNeeded: at &+ length), at: moment,
            observer)
        else { return at }
      }
      at &+= length
    }
  }

  /// PUBACK, PUBREC or PUBCOMP for the delivery at a place.
  @inline(__always)
  private mutating func takeAnswer(
    _ first: UInt8, _ at: Int, end: UInt64, at moment: Moment, _ observer: MQTTCaptureObserver
  ) -> Bool {
    let order = flight[at].order
    switch first {
    case 0x40:
      guard !flight[at].isExactlyOnce, order >= lastPubackOrder else { return false }
      lastPubackOrder = order
    case 0x50:
      guard flight[at].isExactlyOnce, order >= lastPubrecOrder, !flight[at].isReceived
      else { return false }
      lastPubrecOrder = order
      flight[at].received = moment
      counts.pubrec &+= 1
      awaitConfirmation(Unconfirmed(end: end, order: order, wasComplete: false))
      return true
    case 0x70:
      guard flight[at].isExactlyOnce, flight[at].isReceived else { return false }
      counts.pubcomp &+= 1
    case _: return false
    }
    acknowledgements &+= 1
    awaitConfirmation(Unconfirmed(end: end, order: order, wasComplete: true))
    if memory.wantsToGrow(limit: observer.memoryLimit) {
      unsafe memory.grow(in: conversation.near)
    }
    firstPlain = min(firstPlain, flight[at].id)
    memory.add(flight[at], acknowledgedAt: moment, ordinal: acknowledgements)
    flight.remove(at: at)
    plain &+= 1
    acknowledged &+= 1
    inFlightHere &-= 1
    if inFlightHere == 0 { idleSince = moment }
    return true
  }

  private mutating func takePing(at moment: Moment) {
    if !hasManyPings, Int(pingCount) < pings.count {
      pings[Int(pingCount)] = moment
      pingCount += 1
      return
    }
    unsafe conversation.note(pings: &self)
    hasManyPings = true
    unsafe conversation.receivePing(at: moment)
  }

  /// The server answers the first ping that waits.
  private mutating func answerPing() {
    if hasManyPings {
      unsafe conversation.receivePingResponse()
    } else if pingCount > 0 {
      pingCount -= 1
      pings[0] = pings[1]
    }
  }

  @inline(__always)
  private mutating func awaitConfirmation(_ one: Unconfirmed) {
    unconfirmed[Int(unconfirmedCount)] = one
    unconfirmedCount += 1
  }
}
