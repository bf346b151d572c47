/// The keys of one direction of TLS 1.3, from one stage to the next (RFC 8446 §7.1).
///
///     early ──EndOfEarlyData──► handshake ──Finished──► application ──KeyUpdate──► application …
///
/// The server's direction has no early stage. A stage without a secret is passed over as soon as a
/// record opens with the keys of a later one.
struct TrafficKeys {
  enum Stage: Int, Comparable, CaseIterable {
    case early, handshake, application
    static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  }

  private let suite: CipherSuite
  private let secrets: SecretSet
  private let isClient: Bool
  private(set) var stage: Stage
  private var secret: [UInt8]?
  private var cipher: RecordCipher?
  private var sequence: UInt64 = 0

  init(_ suite: CipherSuite, _ secrets: SecretSet, isClient: Bool, from stage: Stage) {
    self.suite = suite
    self.secrets = secrets
    self.isClient = isClient
    self.stage = stage
    advance(to: stage)
  }

  /// Whether the keys of this stage are there.
  var hasKeys: Bool { cipher != nil }

  /// Whether any record from now on can be opened.
  var canEverOpen: Bool {
    hasKeys || Stage.allCases.contains { $0 > stage && secrets[kind($0)] != nil }
  }

  mutating func advance(to next: Stage) {
    stage = next
    secret = secrets[kind(next)]
    cipher = secret.flatMap { RecordCipher.tls13(suite, secret: $0) }
    sequence = 0
  }

  /// After a KeyUpdate.
  mutating func update() {
    guard let old = secret else { return }
    let next = KeySchedule13.nextSecret(old, hash: suite.hash)
    secret = next
    cipher = RecordCipher.tls13(suite, secret: next)
    sequence = 0
  }

  /// A record that can't be opened, or that is missing, was counted too.
  mutating func skip() { sequence &+= 1 }

  /// What is inside of a record, with its type and padding.
  ///
  /// - Parameter slack: how many records may be missing in front of this one.
  mutating func open(_ header: RecordHeader, _ payload: [UInt8], slack: Int) -> [UInt8]? {
    if let plain = tryOpen(header, payload, from: sequence, slack) { return plain }
    // The message that changes the keys may have been in a record that nobody could open.
    for later in Stage.allCases where later > stage && secrets[kind(later)] != nil {
      var keys = self
      keys.advance(to: later)
      if let plain = keys.tryOpen(header, payload, from: 0, slack) {
        self = keys
        return plain
      }
    }
    guard slack > 0, stage == .application else { return nil }
    var keys = self
    keys.update()
    guard let plain = keys.tryOpen(header, payload, from: 0, slack) else { return nil }
    self = keys
    return plain
  }

  private mutating func tryOpen(
    _ header: RecordHeader, _ payload: [UInt8], from first: UInt64, _ slack: Int
  ) -> [UInt8]? {
    for skipped in 0...UInt64(slack) {
      if let plain = cipher?.open(header, payload, sequence: first &+ skipped) {
        sequence = first &+ skipped &+ 1
        return plain
      }
    }
    return nil
  }

  private func kind(_ stage: Stage) -> SecretKind {
    switch stage {
    case .early: .clientEarly
    case .handshake: isClient ? .clientHandshake : .serverHandshake
    case .application: isClient ? .clientTraffic : .serverTraffic
    }
  }
}
