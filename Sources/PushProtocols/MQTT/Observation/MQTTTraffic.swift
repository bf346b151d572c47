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
  /// How many acknowledgements may be unconfirmed.
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
  /// There are more of them in flight than `objects` has room for.
  var hasManyObjects = false
  var hasEarlyAnswers = false
  /// The conversation knows of pings without an answer.
  var hasEarlierPings = false
  var unconfirmedCount: UInt8 = 0
  /// Of those in flight, how many are not known to have reached the client's TCP.
  var awaiting: UInt16 = 0

  // The same as of the conversation, its record, its transport and its silence.
  var ended = RecordedMoment(time: .start, frame: 0)
  var lastServerSign = MQTTCompactDelivery.none
  var lastServerBytes = MQTTCompactDelivery.none
  var lastServerPacket = MQTTCompactDelivery.none
  var lastHeard = MQTTCompactDelivery.none
  /// The only PINGREQ without an answer.
  var ping = MQTTCompactDelivery.none
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
  var flight = MQTTFlight()
  /// The packet identifiers of objects in flight.
  var objects = MQTTIdentifiers()
  var memory = MQTTCompactMemory()
  /// Acknowledgements of the subscriber so far.
  var acknowledgements: UInt64 = 0
  var unconfirmed = InlineArray<4, Unconfirmed>(repeating: Unconfirmed())
  var counts = Counts()

  fileprivate init(_ conversation: MQTTConversation) {
    unsafe self.conversation = conversation
  }

  fileprivate mutating func free() {
    flight.free()
    objects.free()
    memory.free()
  }

  // MARK: In flight

  /// An object has this identifier in flight.
  @inline(__always)
  func isOfObject(_ id: UInt16) -> Bool {
    unsafe objects.contains(id)
      || (hasManyObjects && conversation.subscriber?.inFlight[id] != nil)
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
