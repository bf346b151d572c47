internal import Custody
internal import Simulation
internal import Timeline

// Store and forward: one notification for each app of a device that is not there, the newest; or as
// many as the scenario says.
extension APNsServer {
  /// Takes a push for one device: to its connection, or into the store.
  mutating func route(
    _ message: APNsMessage, to identity: Int, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) {
    let deadline =
      message.first == .max ? Instant.never : clock.now + Nanoseconds(message.first)
    let entry = Entry(
      publication: message.publication, identity: UInt16(truncatingIfNeeded: identity),
      topic: message.topic, quality: message.quality, deadline: deadline,
      token: registration(identity, Int(message.topic)))
    let link = devices[identity].link
    if link != Self.noLink, wants(link, message.topic) {
      entries.append(entry)
      write(entries.count &- 1, to: link, at: clock, into: &effects)
      return
    }
    if message.first == 0 || policy.storesNothing {
      effects.append(
        .drop(
          publication: message.publication, receiver: NodeID(device: identity), .messageExpired))
      return
    }
    var newer = 1
    for index in entries.indices.reversed()
    where entries[index].identity == entry.identity && entries[index].topic == entry.topic
      && entries[index].link == Self.noLink
    {
      if newer >= settings.storedPerApp { forget(index, .superseded, into: &effects) }
      newer &+= 1
    }
    entries.append(entry)
  }

  func wants(_ link: LinkID, _ topic: UInt16) -> Bool {
    let connection = connections[Int(link.index)]
    return connection.state == .online && connection.wanted >> UInt64(min(63, topic)) & 1 == 1
  }

  /// Writes what is stored for the device of a connection.
  /// - Returns: whether there was something.
  @discardableResult
  mutating func flush(
    _ link: LinkID, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) -> Bool {
    let identity = connections[Int(link.index)].identity
    var wrote = false
    var index = 0
    while index < entries.count {
      let entry = entries[index]
      guard entry.identity == identity, entry.link == Self.noLink,
        wants(link, entry.topic) || policy.flushesBeforeFilter
      else {
        index &+= 1
        continue
      }
      if entry.deadline <= clock.now {
        forget(index, .messageExpired, into: &effects)
        continue
      }
      entries[index].wasStored = true
      wrote = true
      let count = entries.count
      write(index, to: link, at: clock, into: &effects)
      if entries.count == count { index &+= 1 }
    }
    return wrote
  }

  private mutating func write(
    _ index: Int, to link: LinkID, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    let entry = entries[index]
    var message = APNsMessage(.notification)
    message.identity = entry.identity
    message.token = policy.sendsToOldToken ? entry.token : devices[Int(entry.identity)].token
    message.publication = entry.publication
    message.topic = entry.topic
    message.quality = entry.quality
    message.id = nextID
    message.first = entry.deadline == .never ? .max : (entry.deadline - clock.now).count
    if entry.wasStored { message.flags.insert(.stored) }
    entries[index].id = nextID
    entries[index].link = link
    nextID &+= 1
    connections[Int(link.index)].unacked &+= 1
    effects.send(message, on: link)
    if policy.countsDoneOnWrite || policy.flushesBeforeFilter {
      effects.append(
        .countDone(
          publication: entry.publication, receiver: NodeID(device: Int(entry.identity))))
      entries.remove(at: index)
    }
    // What is stored may all be written at once.
    let limit = max(Int(settings.unackedLimit), kinds.count * settings.storedPerApp)
    if settings.unackedLimit > 0, Int(connections[Int(link.index)].unacked) > limit {
      close(link, at: clock, into: &effects)
    }
  }

  mutating func takeAck(
    _ message: APNsMessage, on link: LinkID, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) {
    guard connections[Int(link.index)].state == .online else {
      effects.append(.blame(rule: APNsConduct.connectFirst.rawValue, link))
      close(link, at: clock, into: &effects)
      return
    }
    guard let index = entries.firstIndex(where: { $0.link == link && $0.id == message.id })
    else { return }  // A second ack of one id, or of another connection's.
    if connections[Int(link.index)].unacked > 0 { connections[Int(link.index)].unacked &-= 1 }
    entries.remove(at: index)
  }

  /// What was written to a connection that is over and not acknowledged goes back to the store, and
  /// only the newest of each app stay.
  mutating func storeUnacked(
    of link: LinkID, identity: UInt16, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    var index = entries.count
    while index > 0 {
      index &-= 1
      guard entries[index].link == link else { continue }
      if policy.forgetsUnacked {
        entries.remove(at: index)
        continue
      }
      entries[index].link = Self.noLink
      if entries[index].quality == 0 || entries[index].deadline <= clock.now {
        forget(index, .messageExpired, into: &effects)
      }
    }
    index = entries.count
    while index > 0 {
      index &-= 1
      let entry = entries[index]
      guard entry.identity == identity, entry.link == Self.noLink else { continue }
      // Later in the list means newer.
      let newer = entries[(index + 1)...].reduce(0) {
        $0 + ($1.identity == identity && $1.topic == entry.topic ? 1 : 0)
      }
      if newer >= settings.storedPerApp { forget(index, .superseded, into: &effects) }
    }
    // Stored for a device that is back already, on another connection.
    let current = devices[Int(identity)].link
    if current != Self.noLink, current != link, connections[Int(current.index)].state == .online {
      flush(current, at: clock, into: &effects)
    }
  }

  private mutating func forget(
    _ index: Int, _ reason: DropReason, into effects: inout Effects<APNsMessage>
  ) {
    let entry = entries[index]
    effects.append(
      .drop(
        publication: entry.publication, receiver: NodeID(device: Int(entry.identity)), reason))
    entries.remove(at: index)
  }
}
