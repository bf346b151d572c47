import Custody
import Timeline
import Wire

/// A delivery that goes the way that nearly all go, in as little memory as tells its story: sent
/// once and known to have reached the client's TCP before it is answered.
///
/// An `MQTTDelivery` is made of it as soon as anything else happens to it.
///
/// Two lines of memory of 64 bytes: the first has what is asked for while it is in flight.
struct MQTTCompactDelivery: BitwiseCopyable {
  /// Stream offset behind its PUBLISH; once it is acknowledged, its ordinal.
  private var endOrOrdinal: UInt64
  /// Its place in the order of the sendings of the connection.
  var order: UInt64
  // Moments, by their parts: as they are, each would have a hole.
  private var sentTime: Instant
  private var transportTime = Instant.start
  private var sentFrame: UInt32
  private var transportFrame: UInt32 = 0
  private var receivedFrame: UInt32 = 0
  private var completingFrame: UInt32 = 0
  private var acknowledgedFrame: UInt32 = 0
  var id: DeliveryID
  var session: SessionID
  var packetID: UInt16
  var isExactlyOnce: Bool

  var content: MQTTContent
  private var receivedTime = Instant.start
  private var completingTime = Instant.start
  private var acknowledgedTime = Instant.start
  /// In the observer's table of them.
  var topic: UInt32
  private var unused = InlineArray<5, UInt32>(repeating: 0)

  init(
    content: MQTTContent, end: UInt64, sent: Moment, id: DeliveryID, topic: UInt32,
    session: SessionID, order: UInt64, packetID: UInt16, isExactlyOnce: Bool
  ) {
    self.content = content
    endOrOrdinal = end
    sentTime = sent.time
    sentFrame = sent.frame
    self.id = id
    self.topic = topic
    self.session = session
    self.order = order
    self.packetID = packetID
    self.isExactlyOnce = isExactlyOnce
  }

  /// Stream offset behind its PUBLISH, until it is acknowledged.
  var end: UInt64 { endOrOrdinal }

  /// Its place in the order of the subscriber's acknowledgements, when it is acknowledged.
  var ordinal: UInt64 { endOrOrdinal }

  var sent: Moment { Moment(time: sentTime, frame: sentFrame) }

  var transportAcknowledged: Moment {
    get { Moment(time: transportTime, frame: transportFrame) }
    set { (transportTime, transportFrame) = (newValue.time, newValue.frame) }
  }

  /// QoS 2: its PUBREC.
  var received: Moment {
    get { Moment(time: receivedTime, frame: receivedFrame) }
    set { (receivedTime, receivedFrame) = (newValue.time, newValue.frame) }
  }

  /// QoS 2: its PUBREL.
  var completing: Moment {
    get { Moment(time: completingTime, frame: completingFrame) }
    set { (completingTime, completingFrame) = (newValue.time, newValue.frame) }
  }

  var acknowledged: Moment { Moment(time: acknowledgedTime, frame: acknowledgedFrame) }

  /// - Parameter ordinal: its place in the order of the subscriber's acknowledgements.
  mutating func acknowledge(at moment: Moment, ordinal: UInt64) {
    (acknowledgedTime, acknowledgedFrame) = (moment.time, moment.frame)
    endOrOrdinal = ordinal
  }

  /// Frames count from 1.
  static let none = Moment(time: .start, frame: 0)

  var isTransportAcknowledged: Bool { transportFrame != 0 }
  var isReceived: Bool { receivedFrame != 0 }
}

extension MQTTDelivery {
  /// What it would be had nothing been left out on the way.
  convenience init(_ compact: MQTTCompactDelivery, topic: String, subscriber: MQTTSubscriber) {
    self.init(
      publication: nil, topic: topic, content: compact.content,
      qos: compact.isExactlyOnce ? .exactlyOnce : .atLeastOnce, claim: .possible,
      to: subscriber.addressee)
    id = compact.id
    isReported = true
    attempts = 1
    packetID = compact.packetID
    sendOrder = compact.order
    firstSent = compact.sent
    lastSent = compact.sent
    lastSession = compact.session
    phase = compact.isReceived ? .received : .sent
    retell(compact)
    guard compact.acknowledged.frame != 0 else {
      flight = compact.session
      return
    }
    acknowledgedAt = compact.acknowledged
    acknowledgedIn = compact.session
    settle(.acknowledged, "")
    isLetGo = true
  }

  private func retell(_ compact: MQTTCompactDelivery) {
    func note(
      _ step: CustodyEvent.Step, _ moment: Moment, _ holder: CustodyEvent.Holder, _ text: String
    ) {
      if moment.frame != 0 {
        self.note(step, moment, in: compact.session, holder: holder, text)
      }
    }
    note(.sent, compact.sent, .server, "")
    note(.transportAcknowledged, compact.transportAcknowledged, .server, "")
    note(.received, compact.received, .server, "PUBREC")
    note(.completing, compact.completing, .server, "PUBREL")
    note(
      .acknowledged, compact.acknowledged, .nobody, compact.isExactlyOnce ? "PUBCOMP" : "PUBACK")
  }
}

/// The last deliveries of a subscriber that went the usual way and were acknowledged.
@safe struct MQTTCompactMemory {
  private var records: UnsafeMutablePointer<MQTTCompactDelivery>?
  /// A power of two, or 0.
  private var capacity: UInt32 = 0
  /// Where the next one goes, counted on and on.
  private var next: UInt32 = 0
  private var count: UInt32 = 0

  private static let smallest: UInt32 = 16

  /// Gives the memory back; nothing is remembered.
  mutating func free(to near: MQTTNearMemory) {
    if let records = unsafe records { unsafe near.free(records, Self.byteCount(capacity)) }
    unsafe records = nil
    (capacity, next, count) = (0, 0, 0)
  }

  private static func byteCount(_ capacity: UInt32) -> Int {
    Int(capacity) * MemoryLayout<MQTTCompactDelivery>.stride
  }

  /// - Parameter limit: how many are to be remembered; a few more may be.
  @inline(__always)
  func wantsToGrow(limit: Int) -> Bool { count == capacity && capacity < limit }

  /// Remembers what was acknowledged just now, after it was made to grow, if it wanted to.
  ///
  /// - Parameter ordinal: its place in the order of the subscriber's acknowledgements.
  @inline(__always)
  mutating func add(
    _ record: borrowing MQTTCompactDelivery, acknowledgedAt moment: Moment, ordinal: UInt64
  ) {
    let place = unsafe records! + Int(next & (capacity - 1))
    unsafe place.initialize(to: copy record)
    unsafe place.pointee.acknowledge(at: moment, ordinal: ordinal)
    next &+= 1
    if count < capacity { count += 1 }
  }

  mutating func grow(in near: MQTTNearMemory) {
    let wider = max(Self.smallest, capacity * 2)
    let memory = unsafe near.allocate(Self.byteCount(wider))
      .bindMemory(to: MQTTCompactDelivery.self, capacity: Int(wider))
    for place in 0..<count {
      unsafe memory[Int(place)] = self[place]
    }
    if let records = unsafe records { unsafe near.free(records, Self.byteCount(capacity)) }
    unsafe records = memory
    capacity = wider
    next = count
  }

  /// From the oldest, 0, on.
  private subscript(place: UInt32) -> MQTTCompactDelivery {
    get { unsafe records![index(place)] }
    set { unsafe records![index(place)] = newValue }
  }

  private func index(_ place: UInt32) -> Int { Int((next &- count &+ place) & (capacity - 1)) }

  /// The latest that answers the description.
  func last(where isWanted: (MQTTCompactDelivery) -> Bool) -> MQTTCompactDelivery? {
    var place = count
    while place > 0 {
      place -= 1
      if isWanted(self[place]) { return self[place] }
    }
    return nil
  }

  mutating func removeAll(where isUnwanted: (MQTTCompactDelivery) -> Bool) {
    var kept: UInt32 = 0
    for place in 0..<count {
      let record = self[place]
      if isUnwanted(record) { continue }
      if kept < place { self[kept] = record }
      kept += 1
    }
    next &-= count - kept
    count = kept
  }

  /// Where the next one will lie, to fetch it from memory beforehand.
  var place: UnsafeRawPointer? {
    guard let records = unsafe records, capacity > 0 else { return nil }
    return unsafe UnsafeRawPointer(records + Int(next & (capacity - 1)))
  }
}
