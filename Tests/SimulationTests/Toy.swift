import Custody
import Simulation
import Timeline

/// The smallest protocol that can be wrong: numbered notes and their acknowledgements, plus pings.
struct ToyMessage: WireMessage {
  var kind: UInt8
  var publication: UInt16
  static func note(_ publication: UInt16) -> Self { .init(kind: 1, publication: publication) }
  static func acknowledgement(_ publication: UInt16) -> Self {
    .init(kind: 2, publication: publication)
  }
  static let ping = Self(kind: 3, publication: 0)
}

/// Connects when asked, sends what it is given, sends again on a new connection what was not
/// acknowledged, connects again one second after a loss.
struct ToyClient: ClientMachine {
  var unacknowledged: [UInt16] = []
  var link: LinkID?
  var isOpening = false
  var wants = false
  var pingsEvery = Nanoseconds.forever

  mutating func configure(node: NodeID, device: Device, identity: UInt16, scenario: Scenario) {
    pingsEvery = .forever
    for parameter in device.parameters where parameter.name == "ping" {
      pingsEvery = Nanoseconds(parameter.value)
    }
  }

  mutating func reset() {
    unacknowledged.removeAll(keepingCapacity: true)
    link = nil
    isOpening = false
    wants = false
  }

  mutating func crash() { reset() }

  mutating func receive(
    _ input: Input<ToyMessage>, at clock: Clock, into effects: inout Effects<ToyMessage>
  ) {
    switch input {
    case .action(.connect):
      wants = true
      open(&effects)
    case .action(.disconnect):
      wants = false
      if let link { effects.append(.close(link)) }
      link = nil
    case .action(.submit(let submission)):
      unacknowledged.append(submission.publication)
      if let link { effects.send(.note(submission.publication), on: link) }
    case .opened(let new, _):
      link = new
      isOpening = false
      for publication in unacknowledged { effects.send(.note(publication), on: new) }
      if pingsEvery != .forever { effects.setTimer(TimerID(kind: 1), after: pingsEvery) }
    case .openFailed:
      isOpening = false
      effects.setTimer(TimerID(kind: 0), after: .seconds(1))
    case .closed(let old, _):
      if link == old {
        link = nil
        effects.setTimer(TimerID(kind: 0), after: .seconds(1))
      }
    case .message(let message, _):
      if message.kind == 2 { unacknowledged.removeAll { $0 == message.publication } }
    case .timer(let timer):
      if timer.kind == 0 { open(&effects) }
      if timer.kind == 1, let link {
        effects.send(.ping, on: link)
        effects.setTimer(timer, after: pingsEvery)
      }
    case .launched, .action, .credential, .revoked:
      break
    }
  }

  private mutating func open(_ effects: inout Effects<ToyMessage>) {
    guard wants, link == nil, !isOpening else { return }
    isOpening = true
    effects.append(.open(.push))
  }

  func believesConnected(on link: LinkID) -> Bool { self.link == link }
  func abstractState(on link: LinkID?) -> UInt16 { self.link == nil ? 0 : 1 }
  func holds(publication: UInt16, for receiver: NodeID) -> Bool {
    unacknowledged.contains(publication)
  }
}

/// Acknowledges every note.
struct ToyServer: ServerMachine {
  var links: [LinkID] = []

  mutating func configure(scenario: Scenario) {}
  mutating func reset() { links.removeAll(keepingCapacity: true) }
  mutating func crash() { reset() }
  mutating func wipe() {}

  mutating func receive(
    _ input: Input<ToyMessage>, at clock: Clock, into effects: inout Effects<ToyMessage>
  ) {
    switch input {
    case .opened(let link, _):
      links.append(link)
    case .closed(let link, _):
      links.removeAll { $0 == link }
    case .message(let message, let link):
      if message.kind == 1 { effects.send(.acknowledgement(message.publication), on: link) }
    case .launched, .action, .openFailed, .timer, .credential, .revoked:
      break
    }
  }

  func believesConnected(on link: LinkID) -> Bool { links.contains(link) }
  func abstractState(on link: LinkID?) -> UInt16 { UInt16(min(links.count, 3)) }
  func holds(publication: UInt16, for receiver: NodeID) -> Bool { false }
}

/// Enters every submission as a delivery on the way up.
struct ToyWitness: Witness {
  mutating func configure(scenario: Scenario) {}
  mutating func reset() {}
  mutating func finish(at now: Instant, ledger: inout Ledger) {}
  var nextObligation: Instant { .never }

  mutating func see(
    _ sighting: Sighting<ToyMessage>, device: NodeID, at now: Instant, ledger: inout Ledger
  ) {
    switch sighting {
    case .action(.submit(let submission), reached: true):
      ledger.deliveries.append(
        DeliveryRow(
          publication: submission.publication, sender: device, receiver: .server, quality: 1,
          at: now))
    case .got(let message, by: .server, _) where message.kind == 1:
      if let index = ledger.index(of: message.publication, to: .server) {
        ledger.deliveries[index].facts.insert(.received)
        ledger.deliveries[index].handOvers += 1
      }
    case .transportAcknowledged(let message, by: .server, _) where message.kind == 1:
      if let index = ledger.index(of: message.publication, to: .server) {
        ledger.deliveries[index].facts.insert(.transportAcknowledged)
      }
    case .got(let message, by: .client, _) where message.kind == 2:
      if let index = ledger.index(of: message.publication, to: .server) {
        ledger.deliveries[index].facts.insert(.settled)
      }
    case .action, .wrote, .got, .transportAcknowledged, .handedOver, .applied, .countedDone,
      .dropped, .linkOver, .opened, .clientDied, .serverDied, .gaveUp:
      break
    }
  }
}

enum ToyModel: PushModel {
  typealias Message = ToyMessage
  typealias Watcher = ToyWitness

  static let name = "toy"
  static let messageKinds = ["any", "note", "acknowledgement", "ping"]
  static let deviceParameters = [
    ParameterKind("ping", .duration, standard: 0, "Time between pings."),
    ParameterKind("bound", .duration, standard: 0, "Bound for noticing the other end's absence."),
  ]
  static let serverParameters: [ParameterKind] = []
  static let rules: [String] = []

  static func noticeBounds(of device: Device, in scenario: Scenario) -> NoticeBounds {
    var bound = Nanoseconds.forever
    for parameter in device.parameters where parameter.name == "bound" {
      bound = Nanoseconds(parameter.value)
    }
    return NoticeBounds(client: bound, server: bound)
  }
  static func calm(for scenario: Scenario) -> Nanoseconds { .minutes(1) }
  static func describe(_ message: ToyMessage, in scenario: Scenario) -> String {
    "\(messageKinds[Int(message.kind)]) \(message.publication)"
  }
  static func stateName(_ state: UInt16, of side: Side) -> String {
    state == 0 ? "offline" : "online"
  }
  static func states(of side: Side) -> [UInt16] { [0, 1] }
  static func credentialLifetime(of device: Device) -> Nanoseconds { .forever }
}

/// A run of the toy with one device that connects at 1 s.
struct ToyRun {
  var scenario: Scenario
  var options = RunOptions()
  let bench = MachineBench.make(ToyModel.self, client: ToyClient(), server: ToyServer())

  init(ping: Nanoseconds? = nil, bound: Nanoseconds? = nil, notesAt times: [Nanoseconds] = []) {
    scenario = Scenario(model: "toy", client: "toy", server: "toy")
    var device = Device(name: "phone", identity: "phone")
    if let ping { device.parameters.append(Parameter("ping", ping.count)) }
    if let bound { device.parameters.append(Parameter("bound", bound.count)) }
    scenario.devices = [device]
    scenario.steps = [Step(.start + .seconds(1), phone, .connect)]
    for (index, time) in times.enumerated() {
      let submission = Submission(publication: UInt16(index + 1), topic: 0, quality: 1)
      scenario.steps.append(Step(.start + time, phone, .submit(submission)))
    }
    options.tracing = true
  }

  var phone: NodeID { NodeID(device: 0) }

  mutating func fault(_ kind: FaultKind, at time: Nanoseconds) {
    scenario.faults.append(Fault(kind, node: phone, .at(.start + time)))
  }

  @discardableResult
  func run() -> RunSummary { bench.run(scenario, options: options) }

  /// The publications that reached the server's machine, in order.
  var notesAtServer: [UInt16] {
    bench.trace.filter { $0.what == .arrived(.server) && $0.kind == 1 }.map(\.publication)
  }

  func times(of what: TraceEntry.What) -> [Nanoseconds] {
    bench.trace.filter { $0.what == what }.map { $0.time - .start }
  }
}
