import Custody
import Timeline
import Wire

/// What nearly every packet of a conversation asks for and changes, in one piece of memory, while
/// the conversation goes on as usual.
///
/// A capture of a gigabyte is millions of PUBLISHes that are acknowledged, on thousands of
/// connections: what such a packet costs is how many places in memory it needs. While
/// `isRoutine`, this is where the truth is, and `MQTTConversation` is behind; whatever is not
/// usual begins with its `catchUp`, and from there on everything is as if there were no quick way.
@safe struct MQTTTraffic {
  /// How many deliveries may be in flight, and acknowledgements unconfirmed.
  static let flightLimit = 32
  static let unconfirmedLimit = 4

  /// An acknowledgement that the server's TCP is not known to have.
  struct Unconfirmed: BitwiseCopyable {
    /// Stream offset behind the packet.
    var end: UInt64 = 0
    /// Of its delivery, twice, and one more if the packet ended it.
    private var orderAndCompletion: UInt64 = 0

    init() {}

    init(end: UInt64, order: UInt64, wasComplete: Bool) {
      self.end = end
      orderAndCompletion = order << 1 | (wasComplete ? 1 : 0)
    }

    var order: UInt64 { orderAndCompletion >> 1 }
    var wasComplete: Bool { orderAndCompletion & 1 != 0 }
  }

  /// How often packets of the kinds came that are taken here.
  struct Counts: BitwiseCopyable {
    var publish: UInt32 = 0
    var puback: UInt32 = 0
    var pubrec: UInt32 = 0
    var pubrel: UInt32 = 0
    var pubcomp: UInt32 = 0
    var pingreq: UInt32 = 0
    var pingresp: UInt32 = 0
  }

  unowned(unsafe) let conversation: MQTTConversation
  var isRoutine = false
  var isVersion5 = false
  /// Objects that a segment may concern: deliveries from before it became routine.
  var hasAwaitingObjects = false
  var hasUnconfirmedObjects = false
  /// There are more of them in flight than `identifiers` has room for.
  var hasObjectsInFlight = false
  var hasEarlyAnswers = false
  var flightCount: UInt8 = 0
  /// Identifiers behind those of `flight`: of objects in flight.
  var objectCount: UInt8 = 0
  /// Of those in flight, how many are not known to have reached the client's TCP.
  var awaiting: UInt8 = 0
  var unconfirmedCount: UInt8 = 0

  // The same as of the conversation, its record, its transport and its silence.
  var ended = RecordedMoment(time: .start, frame: 0)
  var lastServerSign = MQTTCompactDelivery.none
  var lastServerBytes = MQTTCompactDelivery.none
  var lastServerPacket = MQTTCompactDelivery.none
  var lastHeard = MQTTCompactDelivery.none
  var idleSince: Moment?
  /// `forever` when nothing bounds the client's silence.
  var tolerated = Nanoseconds.forever
  var sentUpTo = BothWays<UInt64>(0)
  var acknowledgedUpTo = BothWays<UInt64>(0)
  var sends: UInt64 = 0
  var lastPubackOrder: UInt64 = 0
  var lastPubrecOrder: UInt64 = 0
  var inFlightHere = 0
  var receiveMaximum = UInt32.max

  // What has been added since.
  /// Bytes of whole packets, which the framers have not seen.
  var passed = BothWays<UInt64>(0)
  var sent: UInt32 = 0
  var acknowledged: UInt32 = 0
  var sentAtMostOnce: UInt32 = 0
  /// Deliveries that ended as they should, and the first of them.
  var plain: UInt32 = 0
  var firstPlain = DeliveryID(.max)

  var session = SessionID(0)
  /// The topic of the last PUBLISH.
  var topic: UInt32 = .max
  var topicBytes = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
  /// The packet identifiers of `flight`, in its order; from the other end on those of objects.
  var identifiers = InlineArray<32, UInt16>(repeating: 0)
  private(set) var flight: UnsafeMutablePointer<MQTTCompactDelivery>?
  private var flightCapacity: UInt8 = 0
  var memory = MQTTCompactMemory()
  /// Acknowledgements of the subscriber so far.
  var acknowledgements: UInt64 = 0
  var unconfirmed = InlineArray<4, Unconfirmed>(repeating: Unconfirmed())
  var counts = Counts()

  fileprivate init(_ conversation: MQTTConversation) {
    unsafe self.conversation = conversation
  }

  fileprivate mutating func free() {
    unsafe flight?.deallocate()
    unsafe flight = nil
    flightCapacity = 0
    memory.free()
  }

  // MARK: In flight

  /// For a delivery whose identifier is not in flight, below the limit.
  mutating func takeOff(_ delivery: MQTTCompactDelivery) {
    if flightCount == flightCapacity { growFlight() }
    let at = Int(flightCount)
    unsafe (flight! + at).initialize(to: delivery)
    identifiers[at] = delivery.packetID
    flightCount += 1
    awaiting += 1
  }

  private mutating func growFlight() {
    let wider = max(4, Int(flightCapacity) * 2)
    let memory = UnsafeMutablePointer<MQTTCompactDelivery>.allocate(capacity: wider)
    if let old = unsafe flight {
      unsafe memory.initialize(from: old, count: Int(flightCount))
      unsafe old.deallocate()
    }
    unsafe flight = memory
    flightCapacity = UInt8(wider)
  }

  /// An object has this identifier in flight.
  @inline(__always)
  func isOfObject(_ id: UInt16) -> Bool {
    for at in 0..<Int(objectCount) where identifiers[Self.flightLimit - 1 - at] == id {
      return true
    }
    return unsafe hasObjectsInFlight && conversation.subscriber?.inFlight[id] != nil
  }

  var hasRoomForFlight: Bool { Int(flightCount) + Int(objectCount) < Self.flightLimit }

  /// The place of an identifier in `flight`, or -1.
  @inline(__always)
  func place(of id: UInt16) -> Int {
    for at in 0..<Int(flightCount) where identifiers[at] == id { return at }
    return -1
  }

  /// Takes one out of `flight`; the last one gets its place.
  mutating func land(_ at: Int) {
    flightCount -= 1
    let last = Int(flightCount)
    if at == last { return }
    unsafe flight![at] = flight![last]
    identifiers[at] = identifiers[last]
  }

  /// Those in flight, in the order of their sending.
  func deliveriesInFlight() -> [MQTTCompactDelivery] {
    let all = unsafe UnsafeBufferPointer(start: flight, count: Int(flightCount))
    return unsafe all.sorted { $0.order < $1.order }
  }
}

/// Where a conversation's traffic lies: the same place for as long as the conversation lives.
@safe struct MQTTTrafficPlace: BitwiseCopyable {
  let pointer: UnsafeMutablePointer<MQTTTraffic>

  init(for conversation: MQTTConversation) {
    unsafe pointer = .allocate(capacity: 1)
    unsafe pointer.initialize(to: MQTTTraffic(conversation))
  }

  func free() {
    unsafe pointer.pointee.free()
    unsafe pointer.deinitialize(count: 1)
    unsafe pointer.deallocate()
  }

  var traffic: MQTTTraffic {
    @inline(__always) unsafeAddress { unsafe UnsafePointer(pointer) }
    @inline(__always) nonmutating unsafeMutableAddress { unsafe pointer }
  }
}
