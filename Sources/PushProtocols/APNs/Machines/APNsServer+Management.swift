internal import Custody
internal import Simulation
internal import Timeline

// The MDM server: a queue of commands for each device, a push that says that something is there,
// and the device's questions and results.
extension APNsServer {
  /// A new command for every enrolled device.
  mutating func enqueue(
    _ message: APNsMessage, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    for identity in devices.indices where registration(identity, Int(message.topic)) != 0 {
      // The administrator's client had no answer and sent it again.
      if commands.contains(where: {
        $0.publication == message.publication && Int($0.identity) == identity
      }) {
        continue
      }
      var command = Command(
        publication: message.publication, topic: message.topic,
        identity: UInt16(truncatingIfNeeded: identity))
      let askedAt = devices[identity].askedAt
      command.isSilent =
        policy.assumesAsking && askedAt != .start && clock.now - askedAt < .seconds(5)
      commands.append(command)
      announce(identity, at: clock, into: &effects)
    }
  }

  /// Pushes that a command is there, and again while nobody has carried it out.
  mutating func announce(
    _ identity: Int, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    guard
      let command = commands.last(where: {
        Int($0.identity) == identity && !$0.isSilent
      })
    else { return }
    var message = APNsMessage(.push)
    message.publication = command.publication
    message.topic = command.topic
    message.quality = 1
    message.first = .max
    let isAccepted = push(message, to: identity, at: clock, into: &effects)
    if isAccepted, policy.dashboardCountsPush {
      for index in commands.indices where Int(commands[index].identity) == identity {
        commands[index].isSilent = true
      }
    }
    scheduleRepush(identity, into: &effects)
  }

  mutating func scheduleRepush(_ identity: Int, into effects: inout Effects<APNsMessage>) {
    guard commands.contains(where: { Int($0.identity) == identity && !$0.isSilent }) else {
      return
    }
    effects.setTimer(
      TimerID(kind: TimerKind.repush, subject: UInt16(truncatingIfNeeded: identity)),
      after: settings.repush)
  }

  mutating func repush(
    _ identity: Int, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    guard identity < devices.count else { return }
    announce(identity, at: clock, into: &effects)
  }

  /// The device asks (Idle), or says what became of a command and asks for the next.
  mutating func takeManagement(
    _ message: APNsMessage, on link: LinkID, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) {
    let identity = book(message.identity)
    connections[Int(link.index)].identity = message.identity
    devices[identity].askedAt = clock.now
    var skipsNotNow = false
    if message.what == .result {
      skipsNotNow = message.status == APNsStatus.notNow.rawValue
      takeResult(message, from: identity, into: &effects)
    }
    let isBlocked =
      policy.blocksOnFailure && message.status == APNsStatus.failed.rawValue
    var answer = APNsMessage(.command)
    answer.identity = message.identity
    answer.topic = message.topic
    // After a NotNow another one: the same would come back in a circle.
    let next = commands.firstIndex {
      Int($0.identity) == identity && $0.topic == message.topic && !($0.wasNotNow && skipsNotNow)
    }
    if let next, !isBlocked {
      answer.publication = commands[next].publication
      if policy.dequeuesOnSend { commands.remove(at: next) }
    }
    effects.send(answer, on: link)
  }

  private mutating func takeResult(
    _ message: APNsMessage, from identity: Int, into effects: inout Effects<APNsMessage>
  ) {
    guard
      let index = commands.firstIndex(where: {
        $0.publication == message.publication && Int($0.identity) == identity
      })
    else { return }  // Given out twice, and answered twice.
    switch APNsStatus(rawValue: message.status) {
    case .notNow:
      commands[index].wasNotNow = true
      if policy.forgetsNotNow { commands[index].isSilent = true }
    case .failed where policy.blocksOnFailure:
      break
    case .failed:
      commands.remove(at: index)
    default:
      effects.append(
        .countDone(publication: message.publication, receiver: NodeID(device: identity)))
      commands.remove(at: index)
    }
  }
}
