internal import Custody
public import Simulation
public import Timeline

/// A way to write a new scenario out of one that is known.
///
/// Randomness is spent here and never when a scenario runs. A mutator leaves the scenario without
/// flaw and reasonable (`Moderation`), and says `false` when it found nothing to change.
public protocol Mutator: Sendable {
  /// For statistics: `add-drop`, `move-fault`.
  var name: String { get }
  func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround,
    using random: inout SeededRandom
  ) -> Bool
}

/// What a mutator may know besides the scenario itself.
public struct MutationGround: Sendable {
  /// Seen in the run of the parent.
  public var hints: AnchorHints
  /// Faults of another scenario of the corpus, for splicing.
  public var partner: [Fault]
  /// Kinds of faults that this epoch does without, by `FaultKind.number` (swarm testing: Groce et
  /// al., ISSTA 2012).
  public var disabledFaults: UInt32
  public var moderation: Moderation

  public init(
    hints: AnchorHints, partner: [Fault] = [], disabledFaults: UInt32 = 0,
    moderation: Moderation = Moderation()
  ) {
    self.hints = hints
    self.partner = partner
    self.disabledFaults = disabledFaults
    self.moderation = moderation
  }
}

/// What keeps scenarios reasonable: beyond it a failure would teach nobody anything.
public struct Moderation: Hashable, Sendable {
  public var faults = 8
  public var steps = 64
  public var devices = 6
  /// Storage of the server may be wiped: only when a scenario of the beginning does it.
  public var mayWipe = false
  /// No wait, loss or sleep is longer: most of what can go wrong does so within minutes, and every
  /// simulated hour of keep-alives costs a hundred shorter runs.
  public var longest = Nanoseconds.minutes(20)
  /// Nothing happens later.
  public var latest = Instant.start + .minutes(8)

  public init() {}

  /// Large enough for these scenarios, which may be larger than what a search would write.
  public init(for scenarios: [Scenario]) {
    self.init()
    for scenario in scenarios {
      faults = max(faults, scenario.faults.count + 4)
      steps = max(steps, scenario.steps.count + 16)
      devices = max(devices, scenario.devices.count + 1)
      for fault in scenario.faults {
        if case .restartServer(_, _, wipe: true) = fault.kind { mayWipe = true }
      }
      latest = max(latest, scenario.lastTime + .minutes(8))
    }
  }
}

extension MutationGround {
  func allows(_ kind: FaultKind) -> Bool {
    disabledFaults & (1 << UInt32(kind.number)) == 0
  }

  /// How long something lasts: what the protocol's own clocks measure, or anything, exponentially.
  func length(using random: inout SeededRandom) -> Nanoseconds {
    let length: Nanoseconds
    if !hints.lengths.isEmpty, random.chance(1, in: 2) {
      let own = hints.lengths[random.below(hints.lengths.count)]
      switch random.below(6) {
      case 0: length = own / 2
      case 1: length = own + own / 2
      case 2: length = own * 2
      case 3: length = own + .seconds(1)
      default: length = own + own / 16
      }
    } else {
      // 1 ms to about 17 minutes.
      let base = Nanoseconds.milliseconds(1 << UInt64(random.below(20)))
      length = base + Nanoseconds(base.count / 256 * UInt64(random.below(256)))
    }
    // Long waits are needed now and then, and cost as much as dozens of short ones.
    if length > .minutes(2), !random.chance(1, in: 8) { return length / 16 }
    return min(length, moderation.longest)
  }

  /// An instant next to something that happened in the parent's run.
  func instant(using random: inout SeededRandom) -> Instant {
    guard !hints.times.isEmpty else {
      return Instant(nanoseconds: Nanoseconds.milliseconds(UInt64(random.below(10_000))).count)
    }
    let time = hints.times[random.below(hints.times.count)]
    switch random.below(6) {
    case 0: return time
    case 1: return time - Nanoseconds(1)
    case 2: return time + Nanoseconds(1)
    case 3: return time + hints.rtt / 4
    case 4: return time + hints.rtt
    default: return min(time + length(using: &random), moderation.latest)
    }
  }

  func anchor(of node: NodeID, using random: inout SeededRandom) -> Anchor {
    switch random.below(10) {
    case 0..<5 where !hints.messages.isEmpty:
      // A message of this device, if a few draws find one.
      for _ in 0..<4 {
        let message = hints.messages[random.below(hints.messages.count)]
        if message.node == node || node.isServer { return message.anchor }
      }
      return .at(instant(using: &random))
    case 5 where !hints.states.isEmpty:
      let state = hints.states[random.below(hints.states.count)]
      return .state(
        side: state.side, state: state.number, ordinal: UInt16(1 + random.below(3)))
    default: return .at(instant(using: &random))
    }
  }
}

extension Scenario {
  func randomDevice(_ random: inout SeededRandom) -> NodeID? {
    devices.isEmpty ? nil : NodeID(device: random.below(devices.count))
  }

  /// Keeps the steps in order of time; behind those of the same time.
  mutating func insert(_ step: Step) {
    var index = steps.count
    while index > 0, steps[index - 1].time > step.time { index -= 1 }
    steps.insert(step, at: index)
  }

  /// The next number for a submission; `nil` when the numbers below the bench's own are used up.
  var freePublication: UInt16? {
    var highest: UInt16 = 0
    for step in steps {
      if case .submit(let submission) = step.action {
        highest = max(highest, submission.publication)
      }
    }
    return highest < 49_999 ? highest + 1 : nil
  }

  /// When the last step or timed fault is over.
  public var lastTime: Instant {
    var last = steps.last?.time ?? .start
    for fault in faults {
      if case .at(let time) = fault.anchor {
        last = max(last, time + (fault.kind.length ?? .zero) + (fault.kind.by ?? .zero))
      }
    }
    return last
  }
}
