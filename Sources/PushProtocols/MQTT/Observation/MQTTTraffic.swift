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

  /// How often packets came of those kinds that are taken here and not counted otherwise.
  struct Counts: BitwiseCopyable {
    var pubrec: UInt32 = 0
    var pubrel: UInt32 = 0
    var pubcomp: UInt32 = 0
    var pingreq: UInt32 = 0
    var pingresp: UInt32 = 0
  }

  // In lines of 64 bytes, which is what a processor fetches: the first three for everybody. A
  // moment leaves room for four bytes behind it.

  var isRoutine = false
  var isVersion5 = false
  /// Objects that a segment may concern: deliveries from before it became routine.
  var hasAwaitingObjects = false
  var hasUnconfirmedObjects = false
  /// There are more of them than `unusual` has room for.
  var hasManyUnusual = false
  /// PINGREQs without an answer are with the conversation: they are more than `pings` has room for.
  var hasManyPings = false
  var pingCount: UInt8 = 0
  var unconfirmedCount: UInt8 = 0
  /// Of those in flight, how many are not known to have reached the client's TCP.
  var awaiting: UInt16 = 0
  var session = SessionID(0)
  /// `forever` when nothing bounds the client's silence.
  var tolerated = Nanoseconds.forever
  // The same as of the conversation, its record, its transport and its silence.
  var lastHeard = MQTTCompactDelivery.none
  /// The topic of the last PUBLISH.
  var topic: UInt32 = .max
  var ended = Moment(time: .start, frame: 0)
  var inFlightHere: UInt32 = 0
  /// Acknowledgements of the subscriber so far.
  var acknowledgements: UInt64 = 0

  var lastServerSign = MQTTCompactDelivery.none
  // Added since it became routine.
  var sent: UInt32 = 0
  var lastServerBytes = MQTTCompactDelivery.none
  var acknowledged: UInt32 = 0
  var lastServerPacket = MQTTCompactDelivery.none
  /// Deliveries that ended as they should.
  var plain: UInt32 = 0
  var flight = MQTTFlight()

  var sentUpTo = BothWays<UInt64>(0)
  var acknowledgedUpTo = BothWays<UInt64>(0)
  /// Bytes of whole packets, which the framers have not seen.
  var passed = BothWays<UInt64>(0)
  var topicBytes = unsafe UnsafeRawBufferPointer(start: nil, count: 0)

  // One line for the server's segments.

  /// The packet identifiers of objects in flight, and of answers that came before their PUBLISH.
  var unusual = MQTTIdentifiers()
  var receiveMaximum = UInt32.max
  var sentAtMostOnce: UInt32 = 0
  var sends: UInt64 = 0

  // One for the client's.

  var memory = MQTTCompactMemory()
  /// Of the `plain` ones.
  var firstPlain = DeliveryID(.max)
  var lastPubackOrder: UInt64 = 0
  /// `none` while something is in flight.
  var idleSince = MQTTCompactDelivery.none
  var unconfirmed = InlineArray<4, Unconfirmed>(repeating: Unconfirmed())

  // And what few ask for.

  var lastPubrecOrder: UInt64 = 0
  /// PINGREQs without an answer.
  var pings = InlineArray<2, Moment>(repeating: MQTTCompactDelivery.none)
  var counts = Counts()
  unowned(unsafe) let conversation: MQTTConversation

  fileprivate init(_ conversation: MQTTConversation) {
    unsafe self.conversation = conversation
  }

  fileprivate mutating func free(to near: MQTTNearMemory) {
    flight.free(to: near)
    memory.free(to: near)
    unusual.free()
  }

  /// A PUBLISH with this identifier is no usual one.
  @inline(__always)
  func isUnusual(_ id: UInt16) -> Bool {
    unsafe hasManyUnusual ? conversation.isUnusual(id) : unusual.contains(id)
  }
}

/// Where a conversation's traffic lies: the same place for as long as the conversation lives.
@safe struct MQTTTrafficPlace: BitwiseCopyable {
  let pointer: UnsafeMutablePointer<MQTTTraffic>

  init(for conversation: MQTTConversation) {
    unsafe pointer = conversation.near.allocate(MemoryLayout<MQTTTraffic>.size)
      .bindMemory(to: MQTTTraffic.self, capacity: 1)
    unsafe pointer.initialize(to: MQTTTraffic(conversation))
  }

  func free(to near: MQTTNearMemory) {
    unsafe pointer.pointee.free(to: near)
    unsafe pointer.deinitialize(count: 1)
    unsafe near.free(pointer, MemoryLayout<MQTTTraffic>.size)
  }

  var traffic: MQTTTraffic {
    @inline(__always) unsafeAddress { unsafe UnsafePointer(pointer) }
    @inline(__always) nonmutating unsafeMutableAddress { unsafe pointer }
  }
}
