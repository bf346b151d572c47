internal import Custody
internal import Simulation
internal import Timeline

/// What goes wrong in a day: each device meets every kind of fault once, and the server what only a
/// server meets. When, for how long and by how much is drawn, and nothing else.
///
/// How likely faults are in life nobody knows, so that no kind is preferred. Sizes are drawn
/// log-uniformly: there are as many of one to two seconds as of half an hour to an hour.
struct Weather {
  /// Storage of the server may be wiped: only when a given scenario does it.
  var mayWipe = false

  /// Each size is the least one, doubled up to so often, and up to as much again.
  private static let doublings = 12
  /// In milliseconds. Of outages, pauses, and clocks that are wrong: 1 s … 68 min.
  private static let shortestOutage: UInt64 = 1000
  /// Of messages, reactions and answers that take longer: 10 ms … 41 s.
  private static let shortestDelay: UInt64 = 10

  /// - Returns: in the order of time; all of them at instants before `end`, but for clocks that are
  ///   set right again.
  func faults(
    of scenario: Scenario, until end: Instant, using random: inout SeededRandom
  ) -> [Fault] {
    var faults: [Fault] = []
    for index in scenario.devices.indices {
      let node = NodeID(device: index)
      var kinds = Self.kinds(using: &random)
      if scenario.devices[index].credentialLifetime != nil {
        kinds += Self.credentialKinds(using: &random)
      }
      for kind in kinds {
        faults.append(Fault(kind, node: node, .at(Self.instant(before: end, using: &random))))
      }
      faults += Self.wrongClock(.client, node, until: end, using: &random)
    }
    let wipes = mayWipe && random.chance(1, in: 4)
    let kinds: [FaultKind] = [
      .pause(.server, for: Self.outage(&random)),
      .slow(.server, by: Self.delay(&random), for: Self.outage(&random)),
      .restartServer(
        downFor: Self.outage(&random), host: random.chance(1, in: 2), wipe: wipes),
    ]
    for kind in kinds {
      faults.append(Fault(kind, node: .server, .at(Self.instant(before: end, using: &random))))
    }
    faults += Self.wrongClock(.server, .server, until: end, using: &random)
    return faults.sorted { Self.time(of: $0) < Self.time(of: $1) }
  }

  private static func time(of fault: Fault) -> Instant {
    if case .at(let time) = fault.anchor { return time }
    return .never
  }

  private static func kinds(using random: inout SeededRandom) -> [FaultKind] {
    let ends = random.below(3)
    return [
      .delay(by: delay(&random)),
      .pause(.client, for: outage(&random)),
      .slow(.client, by: delay(&random), for: outage(&random)),
      .lose(LossDirection.allCases[random.below(3)], for: outage(&random)),
      .cut,
      .halfOpen,
      .reset(client: ends != 1, server: ends != 0),
      .forgetMapping(reset: random.chance(1, in: 2)),
      .changeNetwork,
      .refuse(for: outage(&random)),
      .killClient(downFor: outage(&random), host: random.chance(1, in: 2)),
    ]
  }

  private static func credentialKinds(using random: inout SeededRandom) -> [FaultKind] {
    [
      .expireCredential,
      .slowRefresh(by: delay(&random), for: outage(&random)),
      .refuseRefresh(for: outage(&random)),
      .staleRefresh(for: outage(&random)),
      .loseRefresh(for: outage(&random)),
      .throttleRefresh(for: outage(&random)),
    ]
  }

  /// It is wrong for a while, then somebody sets it right.
  private static func wrongClock(
    _ side: Side, _ node: NodeID, until end: Instant, using random: inout SeededRandom
  ) -> [Fault] {
    let (forward, by) = (random.chance(1, in: 2), outage(&random))
    let from = instant(before: end, using: &random)
    return [
      Fault(.clockJump(side, forward: forward, by: by), node: node, .at(from)),
      Fault(
        .clockJump(side, forward: !forward, by: by), node: node, .at(from + outage(&random))),
    ]
  }

  private static func outage(_ random: inout SeededRandom) -> Nanoseconds {
    drawn(shortestOutage, &random)
  }

  private static func delay(_ random: inout SeededRandom) -> Nanoseconds {
    drawn(shortestDelay, &random)
  }

  private static func drawn(_ least: UInt64, _ random: inout SeededRandom) -> Nanoseconds {
    let base = least << UInt64(random.below(doublings))
    return .milliseconds(base + UInt64(random.below(Int(base))))
  }

  private static func instant(
    before end: Instant, using random: inout SeededRandom
  ) -> Instant {
    let milliseconds = (end - .start).count / Nanoseconds.milliseconds(1).count
    return .start + .milliseconds(UInt64(random.below(Int(max(1, milliseconds)))))
  }
}

extension Device {
  /// The word that all protocols have for it.
  static let credentialLifetimeName = "credential-lifetime"

  /// Of the credentials that it asks for; `nil`: it needs none.
  var credentialLifetime: Nanoseconds? {
    get {
      let value = parameters.last { $0.name == Self.credentialLifetimeName }?.value
      return value.flatMap { $0 == .max ? nil : Nanoseconds($0) }
    }
    set {
      parameters.removeAll { $0.name == Self.credentialLifetimeName }
      guard let newValue else { return }
      parameters.append(Parameter(Self.credentialLifetimeName, newValue.count))
    }
  }
}
