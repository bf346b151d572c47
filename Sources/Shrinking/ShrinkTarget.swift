public import Custody
public import Simulation
internal import Timeline

/// Runs scenarios for a shrinker. Deterministic: the same scenario always gives the same answer.
public protocol ShrinkJudge: AnyObject {
  /// Signatures of everything that is wrong when this scenario is run.
  func findings(of scenario: Scenario) -> [Signature]
  /// What happens in it, in order.
  func trace(of scenario: Scenario) -> [TraceEntry]
}

/// The best failing scenario so far. Passes propose; this alone decides and counts.
public struct ShrinkTarget: ~Copyable {
  public private(set) var scenario: Scenario
  public let signature: Signature
  public let limit: Int
  /// Runs so far.
  public private(set) var attempts = 0
  public private(set) var improvements = 0

  /// The protocol's words: which parameters name topics.
  public let subject: ProtocolUnderTest
  private let judge: any ShrinkJudge
  private var size: ScenarioSize
  /// Membership only, so the order of a `Set` does not matter.
  private var tried: Set<Scenario>
  private var cachedTrace: [TraceEntry]?

  /// - Parameters:
  ///   - scenario: one that fails with `signature`.
  ///   - limit: runs after which every proposal is declined.
  public init(
    _ scenario: Scenario, signature: Signature, subject: ProtocolUnderTest,
    judge: any ShrinkJudge, limit: Int
  ) {
    self.scenario = scenario
    self.signature = signature
    self.subject = subject
    self.judge = judge
    self.limit = limit
    size = ScenarioSize(scenario)
    tried = [scenario]
  }

  public var isExhausted: Bool { attempts >= limit }

  /// Takes the candidate if it is smaller, new, within the limit, and fails in the same way.
  public mutating func consider(_ candidate: Scenario) -> Bool {
    let candidateSize = ScenarioSize(candidate)
    guard candidateSize < size, !isExhausted, tried.insert(candidate).inserted,
      !candidate.publishesToFilters(subject)
    else { return false }
    attempts += 1
    guard judge.findings(of: candidate).contains(signature) else { return false }
    scenario = candidate
    size = candidateSize
    cachedTrace = nil
    improvements += 1
    return true
  }

  /// Proposes a changed copy of the best scenario.
  public mutating func consider(_ change: (inout Scenario) -> Void) -> Bool {
    var candidate = scenario
    change(&candidate)
    return consider(candidate)
  }

  /// Whether this scenario fails in the same way; not a proposal, so size does not matter.
  public mutating func reproduces(_ other: Scenario) -> Bool {
    attempts += 1
    return judge.findings(of: other).contains(signature)
  }

  /// What the best scenario without or with something shows instead.
  public mutating func findings(of other: Scenario) -> [Signature] {
    attempts += 1
    return judge.findings(of: other)
  }

  /// Trace of the best scenario.
  public mutating func trace() -> [TraceEntry] {
    if let cachedTrace { return cachedTrace }
    let trace = judge.trace(of: scenario)
    cachedTrace = trace
    return trace
  }

  /// When the fault at this position struck in the best scenario.
  mutating func strikeTime(ofFault index: Int) -> Instant? {
    trace().first { $0.what == .fault(index) }?.time
  }
}

/// A deterministic way to propose simpler scenarios.
///
/// A pass goes once through what it knows; the shrinker repeats. It must stay valid while the
/// target changes under it, so it looks at `target.scenario` anew after every success.
public protocol ShrinkPass: Sendable {
  static var name: String { get }
  func run(on target: inout ShrinkTarget)
}

/// All passes, in the order in which the shrinker repeats them.
public enum ShrinkPassCatalog {
  /// What removes much comes first: everything after it is cheaper then.
  public static let all: [any ShrinkPass] = [
    RemoveFaults(),
    DropDevices(),
    RemoveSteps(),
    MergeDevices(),
    FaultsForInterruptions(),
    TightenCounts(),
    // Now few parts are left; each of them is made plainer.
    DropSettings(),
    WeakenKinds(),
    ShrinkMagnitudes(),
    MergeFaults(),
    // Anchors before times: what is anchored at a message has no time of its own any more.
    AnchorAtMessages(),
    LowerOrdinals(),
    SqueezeTimes(),
    RoundTimes(),
    RenumberPublications(),
  ]
}
