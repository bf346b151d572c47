internal import Custody
internal import Simulation

/// Which features of runs are known, and how common each is.
///
/// A feature is an edge between joint states, a fault that met a joint state, or a combination of
/// facts that a delivery or a device ended with. All are hashed into one map; a collision hides a
/// novelty now and then and nothing worse.
public struct NoveltyMap: Sendable {
  static let slots = 1 << 16

  /// Runs that showed the feature in each slot; stays at the maximum.
  public private(set) var hits: [UInt32] = Array(repeating: 0, count: slots)
  public private(set) var known = 0

  public init() {}

  public func isKnown(_ slot: UInt16) -> Bool { hits[Int(slot)] != 0 }

  mutating func add(_ slot: UInt16, _ count: UInt32) {
    if hits[Int(slot)] == 0 { known += 1 }
    hits[Int(slot)] =
      hits[Int(slot)].addingReportingOverflow(count).overflow
      ? .max : hits[Int(slot)] + count
  }
}

/// Counts the features of the runs of one shard, on top of a map that does not change meanwhile.
struct NoveltyCounter {
  /// For each slot the run that showed it last, so that a run counts once, and behind it how many
  /// runs of this shard did: side by side, because most slots are nowhere near a cache.
  private var seen: [Seen] = Array(repeating: Seen(), count: NoveltyMap.slots)
  private var stamp: UInt16 = 0
  private struct Seen: BitwiseCopyable {
    var stamp: UInt16 = 0
    /// Stays at the maximum.
    var count: UInt16 = 0
  }
  /// Slots with a count, in the order of their first appearance.
  private(set) var touched: [UInt16] = []
  /// Slots that were new in the last run.
  private(set) var fresh: [UInt16] = []

  /// Forgets the shard, keeps the memory.
  mutating func clear() {
    for slot in touched { seen[Int(slot)].count = 0 }
    touched.removeAll(keepingCapacity: true)
    fresh.removeAll(keepingCapacity: true)
  }

  func count(of slot: UInt16) -> UInt32 { UInt32(seen[Int(slot)].count) }

  mutating func beginRun() {
    stamp &+= 1
    fresh.removeAll(keepingCapacity: true)
    if stamp == 0 {
      for index in seen.indices { seen[index].stamp = 0 }
      stamp = 1
    }
  }

  @inline(__always)
  mutating func see(_ feature: UInt32, on map: borrowing NoveltyMap) {
    let slot = UInt16(truncatingIfNeeded: (feature &* 0x9e37_79b1) >> 16)
    let last = seen[Int(slot)]
    guard last.stamp != stamp else { return }
    if last.count == 0 {
      touched.append(slot)
      if !map.isKnown(slot) { fresh.append(slot) }
    }
    seen[Int(slot)] = Seen(stamp: stamp, count: last.count == .max ? .max : last.count &+ 1)
  }

  mutating func see(_ bench: any Bench, on map: borrowing NoveltyMap) {
    beginRun()
    // Joint states have so many edges that every other run would be new, and a corpus of everything
    // is none: a fixed quarter of the edges stands for all.
    for edge in bench.edges where (edge &* 0x85eb_ca6b) >> 30 == 0 { see(edge, on: map) }
    for met in bench.faultContexts {
      let fault = UInt32(met.fault) &* 0x85eb_ca6b
      see(0x8000_0000 ^ fault ^ UInt32(met.clientState), on: map)
      see(0xa000_0000 ^ fault ^ UInt32(met.serverState), on: map)
    }
    see(bench.ledger, on: map)
  }

  /// States that a run passed and ways in which deliveries ended, all of them, counters left out.
  mutating func progress(of bench: any Bench, beyond map: borrowing NoveltyMap) -> [UInt16] {
    clear()
    beginRun()
    for edge in bench.edges { see(edge, on: map) }
    seeDeliveries(bench.ledger, on: map)
    return fresh
  }

  /// How deliveries and devices ended: the way to a ghost goes over near misses.
  private mutating func see(_ ledger: borrowing Ledger, on map: borrowing NoveltyMap) {
    seeDeliveries(ledger, on: map)
    seeDevices(ledger, on: map)
  }

  private mutating func seeDeliveries(_ ledger: borrowing Ledger, on map: borrowing NoveltyMap) {
    for index in ledger.deliveries.indices {
      let row = ledger.deliveries[index]
      var key = UInt32(row.facts.rawValue) | UInt32(row.quality) << 16
      key |= UInt32(min(row.sends, 3)) << 18 | UInt32(min(row.handOvers, 3)) << 20
      key |= row.receiver.isServer ? 1 << 22 : 0
      see((key | UInt32(row.lastStep.rawValue) << 23) &* 0xc2b2_ae35 ^ 0x4000_0000, on: map)
    }
  }

  private mutating func seeDevices(_ ledger: borrowing Ledger, on map: borrowing NoveltyMap) {
    for index in ledger.devices.indices {
      let row = ledger.devices[index]
      var key: UInt32 = row.clientBelieves ? 1 : 0
      key |= row.serverBelieves ? 2 : 0
      key |= row.wantsConnection ? 4 : 0
      key |= row.backAfterExpiry ? 8 : 0
      key |= bucket(row.connects) << 4 | bucket(row.refreshes) << 8
      key |= bucket(UInt32(row.expiries)) << 12
      see(key &* 0x27d4_eb2f ^ 0xc000_0000, on: map)
    }
  }

  /// 0, 1, 2, 3–4, 5–8…: raw counters would make every run new.
  private func bucket(_ count: UInt32) -> UInt32 {
    count < 3 ? count : min(15, 32 - UInt32((count - 1).leadingZeroBitCount) + 1)
  }
}
