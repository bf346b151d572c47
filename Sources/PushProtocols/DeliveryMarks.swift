internal import Custody
internal import Simulation
internal import Timeline

/// What the witnesses of all protocols enter in a ledger.
extension DeliveryRow {
  // One access to the ledger for each: an array asks at each whether somebody else has it.

  @inline(__always)
  mutating func mark(_ facts: DeliveryFacts, step: DeliveryStep, at now: Instant) {
    self.facts.formUnion(facts)
    lastStep = step
    lastAt = now
  }

  @inline(__always)
  mutating func markSent(at now: Instant) {
    mark(.sent, step: .sent, at: now)
    if sends < 255 { sends &+= 1 }
  }

  @inline(__always)
  mutating func markAccepted(at now: Instant) {
    if lastStep == .submitted { lastStep = .accepted }
    facts.formUnion([.accepted, .owed])
    acceptedAt = min(acceptedAt, now)
  }
}

extension Ledger {
  /// An end broke a rule (its raw value); the first one of each end of a device is kept.
  @inline(__always)
  mutating func blame(_ rule: UInt16, _ side: Side, device: Int) {
    guard device < devices.count else { return }
    switch side {
    case .server: if devices[device].serverViolation == 0 { devices[device].serverViolation = rule }
    case .client: if devices[device].clientViolation == 0 { devices[device].clientViolation = rule }
    }
  }
}
