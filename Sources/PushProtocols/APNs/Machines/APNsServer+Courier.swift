internal import Custody
internal import Simulation
internal import Timeline

// Connections of devices to the courier, and of providers to APNs.
extension APNsServer {
  mutating func accept(
    _ link: LinkID, _ port: Port, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    while connections.count <= Int(link.index) { connections.append(Connection()) }
    connections[Int(link.index)] = Connection()
    connections[Int(link.index)].port = port
    connections[Int(link.index)].lastIn = clock.now
    // A provider is known by each of its requests, a device by its connect.
    connections[Int(link.index)].state = port == .provider ? .online : .fresh
    if port == .provider {
      expectKeepAlive(link, settings.presumedInterval, into: &effects)
    } else if port == .push {
      effects.setTimer(
        TimerID(kind: TimerKind.handshake, subject: link.index), after: settings.filterTimeout)
    }
  }

  mutating func takeConnect(
    _ message: APNsMessage, on link: LinkID, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) {
    guard connections[Int(link.index)].state == .fresh else {
      effects.append(.blame(rule: APNsConduct.secondConnect.rawValue, link))
      close(link, at: clock, into: &effects)
      return
    }
    let device = book(message.identity)
    let refusal = refusal(of: message, from: device, at: clock)
    guard refusal == .ok else {
      noteRefusal(refusal, of: device, at: clock)
      var response = APNsMessage(.connectResponse, status: refusal)
      response.first =
        refusal == .triedTooOften ? settings.throttle.count : clock.wall.nanoseconds
      effects.send(response, on: link)
      close(link, at: clock, into: &effects)
      return
    }
    if devices[device].redirects < settings.redirects
      || (policy.redirectsInCircle && devices[device].connects > 0)
    {
      devices[device].redirects &+= 1
      var response = APNsMessage(.connectResponse)
      response.identity = message.identity
      response.flags.insert(.redirect)
      effects.send(response, on: link)
      close(link, at: clock, into: &effects)
      return
    }
    devices[device].redirects = 0
    devices[device].refusals = 0
    devices[device].connects &+= 1
    let rotates =
      settings.rotateEvery > 0 && devices[device].connects % settings.rotateEvery == 0
    if message.token == 0 || rotates {
      devices[device].token = nextToken
      nextToken &+= 1
    }
    let old = devices[device].link
    devices[device].link = link
    connections[Int(link.index)].state = .presented
    connections[Int(link.index)].identity = message.identity
    connections[Int(link.index)].credential = Instant(nanoseconds: message.first)
    expectKeepAlive(link, settings.presumedInterval, into: &effects)
    endWithCredential(link, at: clock, into: &effects)
    var response = APNsMessage(.connectResponse)
    response.identity = message.identity
    response.token = devices[device].token
    response.first = clock.wall.nanoseconds
    effects.send(response, on: link)
    if old != Self.noLink { close(old, at: clock, into: &effects) }
    if policy.flushesBeforeFilter {
      connections[Int(link.index)].wanted = .max
      flush(link, at: clock, into: &effects)
    }
  }

  /// `.ok`, or why the device is not let in.
  private func refusal(of message: APNsMessage, from device: Int, at clock: Clock) -> APNsStatus {
    if settings.refusalLimit > 0, devices[device].refusals >= settings.refusalLimit,
      clock.now - devices[device].refusedAt < settings.throttle
    {
      return .triedTooOften
    }
    let nonce = Instant(nanoseconds: message.second)
    let off = nonce > clock.wall ? nonce - clock.wall : clock.wall - nonce
    if off > settings.nonceTolerance { return .badNonce }
    if message.token != 0, message.token != devices[device].token { return .refused }
    let ends = Instant(nanoseconds: message.first)
    if ends != .never {
      if ends <= devices[device].revokedUpTo { return .refused }
      if ends + settings.clockTolerance <= clock.wall { return .refused }
    }
    return .ok
  }

  /// Whoever shows again and again what is refused is not heard, until it has been quiet: the
  /// attempts in vain count, too.
  private mutating func noteRefusal(_ refusal: APNsStatus, of device: Int, at clock: Clock) {
    guard refusal == .refused || refusal == .triedTooOften else { return }
    if clock.now - devices[device].refusedAt >= settings.throttle { devices[device].refusals = 0 }
    devices[device].refusals = min(devices[device].refusals, .max - 1) + 1
    devices[device].refusedAt = clock.now
  }

  mutating func takeFilter(
    _ message: APNsMessage, on link: LinkID, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) {
    let connection = connections[Int(link.index)]
    guard connection.state == .presented || connection.state == .online, connection.port == .push
    else {
      effects.append(.blame(rule: APNsConduct.connectFirst.rawValue, link))
      close(link, at: clock, into: &effects)
      return
    }
    effects.cancelTimer(TimerID(kind: TimerKind.handshake, subject: link.index))
    let isFirst = connection.state == .presented
    connections[Int(link.index)].state = .online
    connections[Int(link.index)].wanted = message.first
    if policy.waitsForState { return }
    if !flush(link, at: clock, into: &effects), isFirst {
      var nothing = APNsMessage(.noStorage)
      nothing.identity = connection.identity
      effects.send(nothing, on: link)
    }
  }

  mutating func takeKeepAlive(
    _ message: APNsMessage, on link: LinkID, into effects: inout Effects<APNsMessage>
  ) {
    effects.send(APNsMessage(.keepAliveResponse), on: link)
    expectKeepAlive(link, Nanoseconds(message.first), into: &effects)
  }

  private mutating func expectKeepAlive(
    _ link: LinkID, _ interval: Nanoseconds, into effects: inout Effects<APNsMessage>
  ) {
    connections[Int(link.index)].interval = interval
    guard !policy.ignoresSilence else { return }
    effects.setTimer(
      TimerID(kind: TimerKind.silence, subject: link.index),
      after: settings.silenceLimit(interval))
  }

  /// The connection is as good as the identity token that it was opened with.
  private mutating func endWithCredential(
    _ link: LinkID, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    let credential = connections[Int(link.index)].credential
    guard settings.enforcesCredentials, credential != .never else { return }
    effects.setTimer(
      TimerID(kind: TimerKind.credential, subject: link.index),
      after: credential + settings.clockTolerance - clock.wall)
  }

  // MARK: - Ending

  /// This end ends it.
  mutating func close(
    _ link: LinkID, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    guard connections[Int(link.index)].state != .over else { return }
    effects.append(.close(link))
    end(link, at: clock, into: &effects)
  }

  /// The connection is over: what was not acknowledged on it is stored again.
  mutating func end(_ link: LinkID, at clock: Clock, into effects: inout Effects<APNsMessage>) {
    guard Int(link.index) < connections.count, connections[Int(link.index)].state != .over else {
      return
    }
    let connection = connections[Int(link.index)]
    connections[Int(link.index)].state = .over
    effects.cancelTimers(
      TimerID(kind: TimerKind.handshake, subject: link.index),
      TimerID(kind: TimerKind.silence, subject: link.index),
      TimerID(kind: TimerKind.credential, subject: link.index))
    guard connection.port == .push, Int(connection.identity) < devices.count else { return }
    if devices[Int(connection.identity)].link == link || policy.oldEndDetachesNew {
      devices[Int(connection.identity)].link = Self.noLink
    }
    storeUnacked(of: link, identity: connection.identity, at: clock, into: &effects)
  }

  /// Identity tokens that end at or before are not valid any more.
  mutating func revoke(
    _ identity: UInt16, upTo: Instant, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    let device = book(identity)
    devices[device].revokedUpTo = max(devices[device].revokedUpTo, upTo)
    let link = devices[device].link
    guard settings.enforcesCredentials, link != Self.noLink,
      connections[Int(link.index)].credential <= upTo
    else { return }
    close(link, at: clock, into: &effects)
  }
}
