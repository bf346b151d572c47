internal import BasicContainers
internal import CPrefetch
import Timeline
import Wire

/// Turns the TCP segments of a capture into connections and their events.
@safe struct TCPReassembler: ~Copyable {
  private let sink: any ConnectionSink
  private var table = FlowTable()
  private var slots = UniqueArray<TrackedConnection>()
  private var freeSlots: [Int] = []
  /// Of the last packet: the next one is often of the same connection.
  private var lastSlot = 0
  private(set) var connections: UInt32 = 0
  /// Of the last segment.
  private(set) var latest = ConnectionID(0)
  /// Connections that were reset, and those that are over, in the order of their time to go.
  private var lingering = WaitingLine()
  private var buried = WaitingLine()
  /// Connections with bytes held back, the longest waiting first.
  private var holders = WaitingLine()
  /// Where the search for idle connections goes on.
  private var idleHand = 0
  /// Where the search for connections without a packet for very long goes on.
  private var ageHand = 0
  /// Often enough to find each soon, seldom enough to cost nothing.
  private static let packetsPerLook: UInt32 = 32

  /// Found out once: it is asked for with every packet.
  private let plainBytes = TrackedConnection.plainBytes

  /// Plain packets that come, and how many.
  private let group: UnsafeMutablePointer<PlainPacket>
  private var foreseen = 0
  private static let foresight = 16

  init(sink: any ConnectionSink) {
    self.sink = sink
    unsafe group = .allocate(capacity: Self.foresight)
    unsafe group.initialize(repeating: PlainPacket(), count: Self.foresight)
  }

  deinit { unsafe group.deallocate() }

  /// Bytes of packets that come now stay where they are.
  func lend(_ memory: (any LastingBytes)?) { sink.lend(memory) }

  /// Looks at a plain packet that comes: what it will ask for is fetched meanwhile.
  /// `receiveForeseen` takes those that were looked at.
  ///
  /// - Returns: `false` when they are enough.
  @inline(__always)
  mutating func foresee(_ packet: PlainPacket, at time: Instant) -> Bool {
    guard foreseen < Self.foresight else { return false }
    var packet = packet
    packet.time = time
    packet.hash = table.hash(packet.flow)
    table.foresee(packet.hash)
    unsafe group[foreseen] = packet
    foreseen &+= 1
    return true
  }

  /// Fetches a connection from memory, as far as a plain segment asks for it.
  @inline(__always)
  private func foreseeConnection(_ hash: UInt32) {
    let slot = table.slot(hash) { _ in true }
    if slot < 0 { return }
    unsafe slots.span.withUnsafeBufferPointer {
      let start = unsafe UnsafeRawPointer($0.baseAddress! + slot)
      var at = 0
      while at < plainBytes {
        unsafe prefetch_line(start + at)
        at &+= 64
      }
    }
  }

  /// Takes the packets that were looked at.
  ///
  /// - Parameter moment: of the packet before; of the last one afterwards.
  /// - Returns: how many there were.
  mutating func receiveForeseen(after moment: inout Moment, _ books: inout Bookkeeping) -> Int {
    let count = foreseen
    foreseen = 0
    for index in 0..<count { unsafe foreseeConnection(group[index].hash) }
    for index in 0..<count {
      unsafe moment.time = group[index].time
      moment.frame &+= 1
      unsafe receivePlain(group[index], at: moment, &books)
    }
    return count
  }

  mutating func receive(
    _ packet: PlainPacket, at moment: Moment, _ books: inout Bookkeeping
  ) {
    var packet = packet
    packet.hash = table.hash(packet.flow)
    receivePlain(packet, at: moment, &books)
  }

  @inline(__always)
  private mutating func receivePlain(
    _ packet: PlainPacket, at moment: Moment, _ books: inout Bookkeeping
  ) {
    tend(at: moment, &books)
    let flow = packet.flow
    var slot = lastSlot
    if slot >= slots.count || slots[slot].flow != flow {
      slot = table.slot(packet.hash) { slots[$0].flow == flow }
    }
    if slot >= 0, let plain = slots[slot].receivePlain(packet, at: moment) {
      lastSlot = slot
      latest = slots[slot].id
      if plain.acknowledges || packet.wireLength > 0 {
        unsafe tell(plain, packet.payload, at: moment)
      }
      return
    }
    unsafe receiveAny(TCPSegment(packet), packet.payload.bytes, at: moment, &books)
  }

  mutating func receive(
    _ segment: TCPSegment, _ payload: RawSpan, at moment: Moment, _ books: inout Bookkeeping
  ) {
    tend(at: moment, &books)
    receiveAny(segment, payload, at: moment, &books)
  }

  /// What time brings.
  @inline(__always)
  private mutating func tend(at moment: Moment, _ books: inout Bookkeeping) {
    if lingering.isDue(at: moment.time) { endLingering(at: moment, &books) }
    if buried.isDue(at: moment.time) { forgetBuried(at: moment, books.limits) }
    if moment.frame % Self.packetsPerLook == 0 { retireIdle(at: moment, &books) }
  }

  @inline(never)
  private mutating func receiveAny(
    _ segment: TCPSegment, _ payload: RawSpan, at moment: Moment, _ books: inout Bookkeeping
  ) {
    let (key, fromFirst) = FlowKey.of(segment)
    var slot = table.slot(table.hash(key)) { slots[$0].key == key }
    if slot < 0 {
      slot = open(segment, key, fromFirst, at: moment, &books)
    } else if segment.flags.contains(.syn),
      slots[slot].isSuperseded(by: segment, fromFirst: fromFirst)
    {
      retire(slot, .reused, at: moment, &books)
      slot = open(segment, key, fromFirst, at: moment, &books)
    }
    lastSlot = slot
    latest = slots[slot].id
    if receivePlain(segment, payload, fromFirst, at: moment) { return }
    let phase = slots[slot].phase
    slots[slot].receive(segment, payload, fromFirst: fromFirst, at: moment, &books)
    if slots[slot].phase != phase { note(slot, at: moment, &books) }
    if slots[slot].hasHole, !slots[slot].isQueuedAsHolder { queueHolder(slot) }
    if books.bufferedBytes > books.limits.bufferedBytes { releaseHolders(&books) }
  }

  /// Of the latest connection, whatever its packets came in.
  private mutating func receivePlain(
    _ segment: TCPSegment, _ payload: RawSpan, _ fromFirst: Bool, at moment: Moment
  ) -> Bool {
    unsafe payload.withUnsafeBytes { bytes in
      guard bytes.count == segment.wireLength, bytes.count <= Int(UInt16.max) else { return false }
      let packet = unsafe PlainPacket(
        flow: .none, payload: bytes.baseAddress, sequence: segment.sequence,
        acknowledgement: segment.acknowledgement, wireLength: UInt16(bytes.count),
        window: segment.window, flags: segment.flags, fromFirst: fromFirst)
      guard let plain = slots[lastSlot].receivePlain(packet, at: moment) else { return false }
      if plain.acknowledges || bytes.count > 0 { unsafe tell(plain, bytes, at: moment) }
      return true
    }
  }

  @inline(__always)
  private func tell(_ plain: PlainSegment, _ payload: UnsafeRawBufferPointer, at moment: Moment) {
    if unsafe sink.takes(plain, of: latest, bytes: payload, at: moment) { return }
    unsafe sink.receive(
      eventsOf: plain, of: latest, slots[lastSlot].outlet.description, bytes: payload, at: moment)
  }

  /// A connection was reset, or is over.
  private mutating func note(_ slot: Int, at moment: Moment, _ books: inout Bookkeeping) {
    if slots[slot].wasRefused { slots[slot].conclude(.refused, at: moment, &books) }
    tidyLines()
    if slots[slot].isOver {
      buried.append(slots[slot].id, slot, until: moment.time + books.limits.afterlife)
    } else {
      lingering.append(slots[slot].id, slot, until: moment.time + books.limits.resetLinger)
    }
  }

  /// Where time stands still nothing is ever due, and four-tuples that are used again and again
  /// leave entries behind: those go before they are more than the connections.
  private mutating func tidyLines() {
    let limit = 2 * slots.count + 64
    if lingering.count > limit {
      var line = lingering
      tidy(&line) { $0.isLingering }
      lingering = line
    }
    if buried.count > limit {
      var line = buried
      tidy(&line) { $0.isOver }
      buried = line
    }
  }

  private func tidy(
    _ line: inout WaitingLine, where waits: (borrowing TrackedConnection) -> Bool
  ) {
    line.removeAll { slots[$0].id != $1 || !waits(slots[$0]) }
  }

  // MARK: Beginning

  private mutating func open(
    _ segment: TCPSegment, _ key: FlowKey, _ fromFirst: Bool, at moment: Moment,
    _ books: inout Bookkeeping
  ) -> Int {
    if table.count >= books.limits.connections { evictIdle(at: moment, &books) }
    let (senderIsClient, rule) = Self.senderIsClient(segment)
    let sender = Endpoint(segment.source, segment.sourcePort)
    let receiver = Endpoint(segment.destination, segment.destinationPort)
    let description = ConnectionDescription(
      client: senderIsClient ? sender : receiver, server: senderIsClient ? receiver : sender,
      clientRule: rule)
    let connection = TrackedConnection(
      key: key,
      outlet: EventOutlet(
        sink: sink, connection: ConnectionID(connections), description: description),
      clientIsFirst: fromFirst == senderIsClient, at: moment)
    connections += 1
    let slot: Int
    if let free = freeSlots.popLast() {
      slot = free
      slots[slot] = connection
    } else {
      slot = slots.count
      slots.append(connection)
    }
    table.insert(table.hash(key), slot: slot)
    connection.outlet.send(.began(handshake: segment.flags.contains(.syn)), at: moment)
    return slot
  }

  /// Who is the client: the one who sends a SYN, else the one who gets a SYN/ACK, else the one
  /// whose port is no registered push, web or mail port, else the one with the higher port.
  static func senderIsClient(
    _ segment: TCPSegment
  ) -> (Bool, ConnectionDescription.ClientRule) {
    if segment.flags.contains(.syn) {
      return segment.flags.contains(.ack) ? (false, .synAckReceiver) : (true, .synSender)
    }
    let source = isServerPort(segment.sourcePort)
    let destination = isServerPort(segment.destinationPort)
    if source != destination { return (destination, .port) }
    if segment.sourcePort != segment.destinationPort {
      return (segment.sourcePort > segment.destinationPort, .port)
    }
    return (true, .firstSpeaker)
  }

  private static func isServerPort(_ port: UInt16) -> Bool {
    switch port {
    case 80, 443, 1883, 2195, 2196, 2197, 5222, 5223, 5228, 5229, 5230, 5269, 8080, 8883: true
    case 21, 22, 25, 53, 110, 143, 389, 445, 3306, 5432, 5672: true
    default: false
    }
  }

  // MARK: Ends

  private mutating func endLingering(at moment: Moment, _ books: inout Bookkeeping) {
    while let (slot, id) = lingering.popDue(at: moment.time) {
      guard slots[slot].id == id, slots[slot].isLingering else { continue }
      let last = slots[slot].lastMoment
      let quietUntil = last.time + books.limits.resetLinger
      if quietUntil > moment.time {
        lingering.append(id, slot, until: quietUntil)
      } else {
        slots[slot].conclude(.reset, at: last, &books)
        buried.append(id, slot, until: moment.time + books.limits.afterlife)
      }
    }
  }

  private mutating func forgetBuried(at moment: Moment, _ limits: CaptureLimits) {
    while let (slot, id) = buried.popDue(at: moment.time) {
      guard slots[slot].id == id, slots[slot].isOver else { continue }
      let quietUntil = slots[slot].lastMoment.time + limits.afterlife
      if quietUntil > moment.time {
        buried.append(id, slot, until: quietUntil)
      } else {
        forget(slot)
      }
    }
  }

  private mutating func forget(_ slot: Int) {
    table.remove(table.hash(slots[slot].key), slot: slot)
    slots[slot].vacate()
    freeSlots.append(slot)
  }

  private mutating func retire(
    _ slot: Int, _ end: EndOfConnection, at moment: Moment, _ books: inout Bookkeeping
  ) {
    slots[slot].conclude(end, at: moment, &books)
    forget(slot)
  }

  /// Retires the next connection that had no packet since the search last came by, those that are
  /// over before all others.
  private mutating func evictIdle(at moment: Moment, _ books: inout Bookkeeping) {
    while let (slot, id) = buried.popFirst() {
      guard slots[slot].id == id, slots[slot].isOver else { continue }
      forget(slot)
      return
    }
    while true {
      idleHand = idleHand + 1 < slots.count ? idleHand + 1 : 0
      if slots[idleHand].isVacant { continue }
      if slots[idleHand].wasTouched {
        slots[idleHand].wasTouched = false
      } else {
        let connection = slots[idleHand]
        books.warnings.add(
          .connectionLimit, frame: moment.frame,
          "more than \(books.limits.connections) connections at a time: "
            + "\(connection.outlet.description.name(.toServer)), idle since frame "
            + "\(connection.lastMoment.frame), is no longer followed")
        retire(idleHand, .evicted, at: moment, &books)
        return
      }
    }
  }

  /// Looks at one connection after the other, now and then at the next one.
  private mutating func retireIdle(at moment: Moment, _ books: inout Bookkeeping) {
    if slots.isEmpty { return }
    ageHand = ageHand + 1 < slots.count ? ageHand + 1 : 0
    if slots[ageHand].isVacant || slots[ageHand].isOver { return }
    let length = moment.time - slots[ageHand].lastMoment.time
    guard length > books.limits.idle else { return }
    let connection = slots[ageHand]
    books.warnings.add(
      .idleConnection, frame: moment.frame,
      "\(connection.outlet.description.name(.toServer)) had no packet since frame "
        + "\(connection.lastMoment.frame), \(length.count / 3_600_000_000_000) hours ago: it is no "
        + "longer followed")
    retire(ageHand, .evicted, at: moment, &books)
  }

  private mutating func queueHolder(_ slot: Int) {
    if holders.count > 2 * slots.count {
      holders.removeAll()
      for slot in 0..<slots.count {
        slots[slot].isQueuedAsHolder = slots[slot].hasHole
        if slots[slot].hasHole { holders.append(slots[slot].id, slot, until: .start) }
      }
      return
    }
    slots[slot].isQueuedAsHolder = true
    holders.append(slots[slot].id, slot, until: .start)
  }

  private mutating func releaseHolders(_ books: inout Bookkeeping) {
    while books.bufferedBytes > books.limits.bufferedBytes, let (slot, id) = holders.popFirst() {
      guard slots[slot].id == id else { continue }
      slots[slot].isQueuedAsHolder = false
      slots[slot].giveUpHoles(&books)
    }
  }

  /// The capture is over: tells the end of every connection, in the order they began.
  mutating func conclude(at moment: Moment, _ books: inout Bookkeeping) {
    let open = (0..<slots.count).filter { !slots[$0].isVacant }
      .sorted { slots[$0].id < slots[$1].id }
    for slot in open { slots[slot].conclude(.captureOver, at: moment, &books) }
    slots = UniqueArray()
    freeSlots = []
    table = FlowTable()
  }
}

extension Endpoint {
  init(_ address: IPAddress, _ port: UInt16) {
    self.init(high: address.high, low: address.low, isIPv6: address.isIPv6, port: port)
  }
}
