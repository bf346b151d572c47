public import BasicContainers
public import Custody
public import Timeline

extension World {
  // MARK: - Who believes in a connection

  /// Compares what both ends believe of a link and measures how long they disagreed.
  @inlinable
  mutating func settleBelief(_ link: LinkID, final: Bool) {
    let index = Int(link.index)
    var client = false
    if links[index].client == .open {
      client = Self.believes(&clients[links[index].device.device], link)
    }
    var server = false
    if links[index].server == .open { server = self.server.believesConnected(on: link) }
    if !final, client == links[index].clientBelieves, server == links[index].serverBelieves {
      return
    }
    changeBelief(index, client, server, final: final)
  }

  /// Asked in place (`inout`): a read through the array's subscript would copy the machine, with a
  /// retain and a release for each of its arrays.
  @inlinable @inline(__always)
  static func believes(_ client: inout Client, _ link: LinkID) -> Bool {
    client.believesConnected(on: link)
  }

  @inlinable @inline(__always)
  static func abstractState(_ client: inout Client, _ link: LinkID?) -> UInt16 {
    client.abstractState(on: link)
  }

  @inlinable @inline(never)
  mutating func changeBelief(_ index: Int, _ client: Bool, _ server: Bool, final: Bool) {
    let old = links[index]
    links[index].clientBelieves = client
    links[index].serverBelieves = server
    if tracing { noteBelief(index, old) }
    let disagreed = old.clientBelieves != old.serverBelieves
    let swapped = client != old.clientBelieves && server != old.serverBelieves
    if disagreed, client == server || swapped || final { judgeDisagreement(old) }
    if client != server, !disagreed || swapped {
      links[index].disagreeSince = now
      links[index].pauseThen = pausedTotal(of: client ? .client : .server, old.device)
    }
    if client, server { noteBack(old.device) }
    if old.clientBelieves, old.serverBelieves { devices[old.device.device].lastTogether = now }
  }

  @inlinable @inline(never)
  mutating func noteBelief(_ index: Int, _ old: Link) {
    let link = LinkID(UInt16(index))
    let new = links[index]
    if new.clientBelieves != old.clientBelieves {
      note(.believes(.client, new.clientBelieves), device: old.device, link: link)
    }
    if new.serverBelieves != old.serverBelieves {
      note(.believes(.server, new.serverBelieves), device: old.device, link: link)
    }
  }

  /// The end that believes in the connection gets a message: from now on its bound counts anew.
  @inlinable @inline(never)
  mutating func noteLife(_ index: Int, to side: Side) {
    let believes = side == .client ? links[index].clientBelieves : links[index].serverBelieves
    guard believes else { return }
    links[index].disagreeSince = now
    links[index].pauseThen = pausedTotal(of: side, links[index].device)
  }

  @inlinable
  mutating func judgeDisagreement(_ link: Link) {
    let side: Side = link.clientBelieves ? .client : .server
    let bounds = bounds[link.device.device]
    let bound = side == .client ? bounds.client : bounds.server
    guard bound != .forever else { return }
    // A node that is paused can't notice anything.
    let paused = pausedTotal(of: side, link.device) - link.pauseThen
    let lasted = now - link.disagreeSince - paused
    let allowed = bound + slack + path.rtt * 4
    guard lasted > allowed else { return }
    let index = link.device.device
    if lasted - allowed > record.ledger.devices[index].zombieFor {
      record.ledger.devices[index].zombieFor = lasted - allowed
      record.ledger.devices[index].deceived = side == .client ? .client : .server
    }
  }

  // MARK: - Novelty

  @inlinable
  mutating func observeStates(device: NodeID, link: LinkID?) {
    let index = device.device
    let client = Self.abstractState(&clients[index], link)
    let server = server.abstractState(on: link)
    let (entersClient, entersServer) = Self.enter(&devices[index], client, server)
    if hasStateAnchors {
      if entersClient { strikeAtState(client, of: .client, device: device) }
      if entersServer { strikeAtState(server, of: .server, device: device) }
    }
    var view: UInt32 = 0
    if let link {
      let at = Int(link.index)
      view = UInt32(links[at].client.rawValue) | UInt32(links[at].server.rawValue) << 2
      if links[at].toServer.deadFrom <= now { view |= 16 }
      if links[at].toClient.floor > now { view |= 32 }
    }
    if hasCredentials, lifetimes[index] != .forever,
      devices[index].credentialExpires <= trueWall()
    {
      view |= 64
    }
    var key = UInt32(client) &* 0x85eb_ca6b ^ UInt32(server) &* 0xc2b2_ae35
    key = (key ^ view &* 0x27d4_eb2f) &* 0x9e37_79b1
    if edgeCount == edges.count { growEdges() }
    Self.pass(&devices[index].jointKey, to: key, &edges, &edgeCount)
  }

  /// Notes the edge from the last joint state, unless it is still the same: written in any case and
  /// counted or not, because every other guess of a processor would be wrong.
  @inlinable @inline(__always)
  static func pass(
    _ last: inout UInt32, to key: UInt32, _ edges: inout UniqueArray<UInt32>, _ count: inout Int
  ) {
    let old = last
    last = key
    edges[count] = (old << 5 | old >> 27) ^ key
    count &+= key == old ? 0 : 1
  }

  @inlinable @inline(never)
  mutating func growEdges() {
    for _ in 0..<max(1024, edges.count) { edges.append(0) }
  }

  @inlinable @inline(__always)
  static func enter(
    _ device: inout DeviceState, _ client: UInt16, _ server: UInt16
  ) -> (client: Bool, server: Bool) {
    let entered = (client != device.clientState, server != device.serverState)
    device.clientState = client
    device.serverState = server
    return entered
  }

  // MARK: - Storms

  @inlinable
  mutating func resetBudgets() {
    let budget = scenario.budget
    let connects = (Int(budget.connects) + 1) * devices.count
    let refreshes = (Int(budget.refreshes) + 1) * devices.count
    if connectTimes.count != connects {
      connectTimes = Array(repeating: .start, count: connects)
    }
    if refreshTimes.count != refreshes {
      refreshTimes = Array(repeating: .start, count: refreshes)
    }
  }

  /// A program that has just started can't know how often the one before it tried.
  @inlinable
  mutating func forgiveBudgets(of index: Int) {
    let connects = Int(scenario.budget.connects) + 1
    for slot in index * connects..<(index + 1) * connects { connectTimes[slot] = .never }
    let refreshes = Int(scenario.budget.refreshes) + 1
    for slot in index * refreshes..<(index + 1) * refreshes { refreshTimes[slot] = .never }
  }

  @inlinable
  mutating func countConnect(of index: Int) {
    let count = Int(record.ledger.devices[index].connects)
    let size = Int(scenario.budget.connects) + 1
    let slot = index * size + (count - 1) % size
    if count > size, connectTimes[slot] != .never,
      now - connectTimes[slot] < scenario.budget.per
    {
      record.ledger.devices[index].storm = .connects
    }
    connectTimes[slot] = now
  }

  @inlinable
  mutating func countRefresh(of index: Int) {
    let count = Int(record.ledger.devices[index].refreshes)
    let size = Int(scenario.budget.refreshes) + 1
    let slot = index * size + (count - 1) % size
    if count > size, refreshTimes[slot] != .never,
      now - refreshTimes[slot] < scenario.budget.per,
      record.ledger.devices[index].storm == .none
    {
      record.ledger.devices[index].storm = .refreshes
    }
    refreshTimes[slot] = now
  }

  // MARK: - Credentials

  @inlinable
  mutating func requestCredential(_ device: NodeID) {
    guard !device.isServer else { return }
    let index = device.device
    record.ledger.devices[index].refreshes &+= 1
    countRefresh(of: index)
    if tracing { note(.requestedCredential, device: device, link: nil) }
    let state = devices[index]
    var delay = path.rtt + .milliseconds(20)
    if state.refreshSlowUntil > now { delay = delay + state.refreshSlowBy }
    if state.refreshLostUntil > now { return }
    var answer = CredentialAnswer.issued(expires: .never)
    if state.refreshThrottledUntil > now {
      answer = .throttled(retryAfter: state.refreshThrottledUntil - now)
    } else if state.refreshRefusedUntil > now {
      answer = .refused
    } else if state.refreshStaleUntil > now {
      answer = .issued(expires: trueWall() - .seconds(1))
    } else if lifetimes[index] != .forever {
      answer = .issued(expires: trueWall() + delay + lifetimes[index])
    }
    queue.push(Event(.credential(answer), device: device), at: now + delay)
  }

  @inlinable
  mutating func receiveCredential(_ event: Event<Message>, _ answer: CredentialAnswer) {
    guard admitted(event, to: .client), deviceNodes[event.device.device].processUp
    else { return }
    let index = event.device.device
    if case .issued(let expires) = answer {
      devices[index].credentialExpires = expires
      if expires != .never {
        let left = expires - trueWall()
        queue.push(Event(.credentialExpired, device: event.device), at: now + left)
      }
    }
    record.mix(now.nanoseconds ^ 0xcd)
    if tracing { note(.credential(answer), device: event.device, link: nil) }
    deliver(.credential(answer), to: .client, device: event.device, link: nil)
    let link = devices[index].link
    if link.index != .max { settleBelief(link, final: false) }
    if link.index != .max, links[Int(link.index)].clientBelieves,
      links[Int(link.index)].serverBelieves
    {
      noteBack(event.device)
    }
  }

  @inlinable
  mutating func noteExpiry(of device: NodeID) {
    let index = device.device
    // One that was taken back meanwhile has been noted: it does not end a second time.
    guard devices[index].credentialExpires <= trueWall(),
      record.ledger.devices[index].backAfterExpiry
    else { return }
    record.ledger.devices[index].expiries &+= 1
    record.ledger.devices[index].backAfterExpiry = false
    devices[index].expiredAt = now
    if tracing { note(.credentialExpired, device: device, link: nil) }
  }

  @inlinable
  mutating func noteBack(_ device: NodeID) {
    guard !record.ledger.devices[device.device].backAfterExpiry,
      devices[device.device].credentialExpires > trueWall()
    else { return }
    record.ledger.devices[device.device].backAfterExpiry = true
    if tracing { note(.backAfterExpiry, device: device, link: nil) }
  }

  @inlinable
  mutating func strikeCredential(_ kind: FaultKind, _ device: NodeID) {
    let index = device.device
    switch kind {
    case .expireCredential:
      let old = devices[index].credentialExpires
      guard lifetimes[index] != .forever, old > trueWall() else { return }
      devices[index].credentialExpires = trueWall()
      queue.push(Event(.revoked(upTo: old), device: device), at: now)
      noteExpiry(of: device)
    case .slowRefresh(let by, let length):
      devices[index].refreshSlowBy = by
      devices[index].refreshSlowUntil = now + length
      disturb(for: length + by)
    case .refuseRefresh(let length):
      devices[index].refreshRefusedUntil = now + length
      disturb(for: length)
    case .staleRefresh(let length):
      devices[index].refreshStaleUntil = now + length
      disturb(for: length)
    case .loseRefresh(let length):
      devices[index].refreshLostUntil = now + length
      disturb(for: length)
    case .throttleRefresh(let length):
      devices[index].refreshThrottledUntil = now + length
      disturb(for: length)
    case .delay, .pause, .slow, .clockJump, .lose, .cut, .halfOpen, .reset, .forgetMapping,
      .changeNetwork, .refuse, .restartServer, .killClient, .resubmit:
      preconditionFailure("not a fault of a credential")
    }
  }

  // MARK: - Trace

  /// Only called when the run is traced, so that the hot loop holds none of it.
  @inlinable @inline(never)
  mutating func note(
    _ what: TraceEntry.What, device: NodeID, link: LinkID?, message: Message? = nil,
    publication: UInt16 = 0
  ) {
    let text = describing ? message.map { Model.describe($0, in: scenario) } ?? "" : ""
    record.trace.append(
      TraceEntry(
        time: now, device: device, link: link, what: what,
        publication: message?.publication ?? publication, text: text, kind: message?.kind ?? 0))
  }
}
