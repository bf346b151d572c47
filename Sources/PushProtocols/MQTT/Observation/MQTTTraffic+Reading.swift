import Custody
import Timeline
import Wire

/// The quick way: packets that are as they nearly always are, read where they lie and followed
/// without an object, a copy or a look anywhere else.
///
/// Each step asks first and changes after: what is in any way unusual is left, untouched, to
/// `MQTTConversation`, which follows the usual the same.
extension MQTTTraffic {
  /// - Parameter prepared: the hash of the message that the bytes are, if `MQTTPreparation` made
  ///   one.
  /// - Returns: how many of the bytes were whole packets of the usual kind, from the first one on.
  mutating func take(
    _ segment: PlainSegment, _ bytes: UnsafeRawBufferPointer, prepared: UInt64,
    at moment: Moment, _ observer: MQTTCaptureObserver
  ) -> Int {
    if ended.time < moment.time { ended = moment }
    switch segment.direction {
    case .toClient:
      if moment.time >= lastServerSign.time { lastServerSign = moment }
      if segment.acknowledges { confirmToServer(upTo: segment.acknowledged, at: moment) }
      if bytes.count == 0 { return 0 }
      lastServerBytes = moment
      sentUpTo.toClient = max(sentUpTo.toClient, segment.offset + UInt64(bytes.count))
      let stop = segment.offset + UInt64(bytes.count)
      return unsafe takePackets(bytes, from: segment.offset) { traffic, first, body, end in
        // Only a packet that is all of its segment was prepared.
        unsafe traffic.takeFromServer(
          first, body, end: end, prepared: end == stop ? prepared : 0, at: moment, observer)
      }
    case .toServer:
      if segment.acknowledges { confirmToClient(upTo: segment.acknowledged, at: moment) }
      if bytes.count == 0 { return 0 }
      sentUpTo.toServer = max(sentUpTo.toServer, segment.offset + UInt64(bytes.count))
      return unsafe takePackets(bytes, from: segment.offset) { traffic, first, body, end in
        unsafe traffic.takeFromClient(first, body, end: end, at: moment, observer)
      }
    }
  }

  /// A segment that says no more than that its sender was there.
  mutating func takeSign(of direction: Direction, at moment: Moment) {
    if ended.time < moment.time { ended = moment }
    if direction == .toClient, moment.time >= lastServerSign.time { lastServerSign = moment }
  }

  /// Cuts whole packets out of a segment for as long as they are taken.
  @inline(__always)
  private mutating func takePackets(
    _ bytes: UnsafeRawBufferPointer, from offset: UInt64,
    _ take: (inout MQTTTraffic, UInt8, UnsafeRawBufferPointer, UInt64) -> Bool
  ) -> Int {
    var at = 0
    while at + 2 <= bytes.count {
      let first = unsafe bytes[at]
      var length = Int(unsafe bytes[at + 1])
      var header = 2
      if length >= 0x80 {
        // Two more bytes of length at most: 2 MB. None of them may be a zero that is not needed.
        guard at + 3 <= bytes.count else { return at }
        let second = Int(unsafe bytes[at + 2])
        if second == 0 { return at }
        length = length & 0x7F | (second & 0x7F) << 7
        header = 3
        if second >= 0x80 {
          guard at + 4 <= bytes.count, case let third = Int(unsafe bytes[at + 3]), third != 0,
            third < 0x80
          else { return at }
          length |= third << 14
          header = 4
        }
      }
      let end = at + header + length
      guard end <= bytes.count else { return at }
      let body = unsafe UnsafeRawBufferPointer(rebasing: bytes[(at + header)..<end])
      guard unsafe take(&self, first, body, offset + UInt64(end)) else { return at }
      at = end
    }
    return at
  }

  // MARK: What TCP acknowledges

  private mutating func confirmToServer(upTo: UInt64, at moment: Moment) {
    acknowledgedUpTo.toServer = max(acknowledgedUpTo.toServer, upTo)
    if hasUnconfirmedObjects {
      hasUnconfirmedObjects = unsafe conversation.confirmObjects(.toServer, upTo: upTo, at: moment)
    }
    var kept = 0
    for place in 0..<Int(unconfirmedCount) where unconfirmed[place].end > upTo {
      if kept < place { unconfirmed[kept] = unconfirmed[place] }
      kept += 1
    }
    unconfirmedCount = UInt8(kept)
  }

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
  private func isSilent(at moment: Moment) -> Bool { moment.time - lastHeard.time > tolerated }

  @inline(__always)
  private mutating func takeFromServer(
    _ first: UInt8, _ body: UnsafeRawBufferPointer, end: UInt64, prepared: UInt64,
    at moment: Moment, _ observer: MQTTCaptureObserver
  ) -> Bool {
    if isSilent(at: moment) { return false }
    switch first {
    case 0x32, 0x34:
      guard
        unsafe takeDelivery(first, body, end: end, prepared: prepared, at: moment, observer)
      else { return false }
    case 0x30, 0x31:
      // With QoS 0. The session owes nothing, so it can't be something owed with more.
      guard case let start = unsafe takeTopic(body, observer), start > 0,
        unsafe isWithoutProperties(body, at: start)
      else { return false }
      sentAtMostOnce += 1
    case 0x62:
      guard body.count == 2, case let at = flight.place(of: unsafe Self.number(body, 0)), at >= 0,
        flight[at].isReceived, flight[at].completing.frame == 0
      else { return false }
      flight[at].completing = moment
    case 0xD0:
      guard body.count == 0 else { return false }
      answerPing()
    case _: return false
    }
    lastServerPacket = moment
    note(.toClient, first, body.count)
    return true
  }

  @inline(__always)
  private mutating func takeDelivery(
    _ first: UInt8, _ body: UnsafeRawBufferPointer, end: UInt64, prepared: UInt64,
    at moment: Moment, _ observer: MQTTCaptureObserver
  ) -> Bool {
    guard case let start = unsafe takeTopic(body, observer), start > 0, start + 2 <= body.count
    else { return false }
    let id = unsafe Self.number(body, start)
    guard id != 0, unsafe isWithoutProperties(body, at: start + 2), !flight.contains(id),
      flight.hasRoom, inFlightHere < receiveMaximum, !isUnusual(id)
    else { return false }
    let payload = start + (isVersion5 ? 3 : 2)
    sends += 1
    inFlightHere += 1
    sent += 1
    awaiting += 1
    if flight.isFull { unsafe flight.grow(in: conversation.near) }
    flight.append(
      MQTTCompactDelivery(
        content: unsafe isVersion5 || prepared == 0
          ? MQTTContent(UnsafeRawBufferPointer(rebasing: body[payload...]).bytes)
          : MQTTContent(size: UInt64(body.count - payload), hash: prepared),
        end: end, sent: moment, id: observer.numbers.nextDelivery(), topic: topic, session: session,
        order: sends, packetID: id, isExactlyOnce: first == 0x34))
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
  private func isWithoutProperties(_ body: UnsafeRawBufferPointer, at start: Int) -> Bool {
    unsafe !isVersion5 || start < body.count && body[start] == 0
  }

  private static func number(_ body: UnsafeRawBufferPointer, _ at: Int) -> UInt16 {
    unsafe UInt16(bigEndian: body.loadUnaligned(fromByteOffset: at, as: UInt16.self))
  }

  // MARK: The client's packets

  @inline(__always)
  private mutating func takeFromClient(
    _ first: UInt8, _ body: UnsafeRawBufferPointer, end: UInt64, at moment: Moment,
    _ observer: MQTTCaptureObserver
  ) -> Bool {
    if isSilent(at: moment) { return false }
    if first == 0xC0 {
      guard body.count == 0 else { return false }
      takePing(at: moment)
    } else {
      guard body.count == 2, case let at = flight.place(of: unsafe Self.number(body, 0)), at >= 0,
        flight[at].isTransportAcknowledged, unconfirmedCount < Self.unconfirmedLimit
      else { return false }
      guard takeAnswer(first, at, end: end, at: moment, observer) else { return false }
    }
    lastHeard = moment
    note(.toServer, first, body.count)
    return true
  }

  /// PUBACK, PUBREC or PUBCOMP for the delivery at a place.
  @inline(__always)
  private mutating func takeAnswer(
    _ first: UInt8, _ at: Int, end: UInt64, at moment: Moment, _ observer: MQTTCaptureObserver
  ) -> Bool {
    var delivery = flight[at]
    switch first {
    case 0x40:
      guard !delivery.isExactlyOnce, delivery.order >= lastPubackOrder else { return false }
      lastPubackOrder = delivery.order
    case 0x50:
      guard delivery.isExactlyOnce, delivery.order >= lastPubrecOrder, !delivery.isReceived
      else { return false }
      lastPubrecOrder = delivery.order
      flight[at].received = moment
      awaitConfirmation(Unconfirmed(end: end, order: delivery.order, wasComplete: false))
      return true
    case 0x70:
      guard delivery.isExactlyOnce, delivery.isReceived else { return false }
    case _: return false
    }
    acknowledgements += 1
    delivery.acknowledge(at: moment, ordinal: acknowledgements)
    awaitConfirmation(Unconfirmed(end: end, order: delivery.order, wasComplete: true))
    if memory.wantsToGrow(limit: observer.memoryLimit) {
      unsafe memory.grow(in: conversation.near)
    }
    memory.add(delivery)
    flight.remove(at: at)
    plain += 1
    firstPlain = min(firstPlain, delivery.id)
    acknowledged += 1
    inFlightHere -= 1
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

  private mutating func awaitConfirmation(_ one: Unconfirmed) {
    unconfirmed[Int(unconfirmedCount)] = one
    unconfirmedCount += 1
  }

  private mutating func note(_ direction: Direction, _ first: UInt8, _ length: Int) {
    switch first >> 4 {
    // By what they do.
    case 3, 4: break
    case 5: counts.pubrec += 1
    case 6: counts.pubrel += 1
    case 7: counts.pubcomp += 1
    case 12: counts.pingreq += 1
    case _: counts.pingresp += 1
    }
    // The fixed header has two bytes, and one more from 128 and from 16,384 on.
    let header = length < 0x80 ? 2 : length < 0x4000 ? 3 : 4
    passed[direction] += UInt64(header + length)
  }
}
