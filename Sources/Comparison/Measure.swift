internal import Oracles
internal import Timeline

/// One row of a comparison: what is told of a tally, and what makes one run differ from another.
public struct Measure: Sendable {
  public enum Unit: String, Sendable {
    /// Nanoseconds.
    case time
    /// Nanoseconds of a day.
    case timePerDay
    /// How often in a day.
    case perDay
    /// 0…1.
    case share
    /// Of 10,000 deliveries.
    case perTenThousand
    case count
  }

  public enum Part: String, Sendable, CaseIterable {
    /// A day in which nothing goes wrong.
    case healthy
    /// Days in which something does.
    case campaign
    /// What oracles found in them.
    case findings
    /// Where deliveries stayed that did not come to their end.
    case layers

    /// Measured in the days without faults.
    public var isHealthy: Bool { self == .healthy }
  }

  /// For programs: `handshakeP99`.
  public var name: String
  /// For people: `handshake, p99`.
  public var title: String
  public var part: Part
  public var unit: Unit
  /// More of it is better.
  public var isGood = false
  /// `nil` when there was nothing to measure.
  public var value: @Sendable (Tally) -> Double?
  /// Of one run: the run in which machines differ most by it is the one to look at.
  public var weight: @Sendable (Tally) -> Double

  static func nanoseconds(_ time: Nanoseconds?) -> Double? { time.map { Double($0.count) } }
}

extension Measure {
  /// All rows in their order.
  public static let all: [Measure] =
    rates(.healthy) + [handshake(.healthy, 50)] + connections + [handshake(.campaign, 50)]
    + [handshake(.campaign, 99), failures] + rates(.campaign) + [outAfterExpiry] + times
    + findings + [countedInVain] + layers

  private static func perDay(_ amount: Double, _ tally: Tally) -> Double? {
    let days = Double(tally.wanted.count) / Double(Nanoseconds.hours(24).count)
    return days > 0 ? amount / days : nil
  }

  private static func perTenThousand(_ count: UInt64, _ tally: Tally) -> Double? {
    tally.deliveries > 0 ? Double(count) * 10_000 / Double(tally.deliveries) : nil
  }

  private static func rates(_ part: Part) -> [Measure] {
    let prefix = part.isHealthy ? "healthy" : ""
    func name(_ name: String) -> String {
      prefix.isEmpty ? name : prefix + name.prefix(1).uppercased() + name.dropFirst()
    }
    return [
      Measure(
        name: name("connectsPerDay"), title: "connects a day", part: part, unit: .perDay,
        value: { perDay(Double($0.connects), $0) }, weight: { Double($0.connects) }),
      Measure(
        name: name("requestsPerDay"), title: "requests a day", part: part, unit: .perDay,
        value: { perDay(Double($0.requests), $0) }, weight: { Double($0.requests) }),
      Measure(
        name: name("credentialRequestsPerDay"), title: "token requests a day", part: part,
        unit: .perDay, value: { perDay(Double($0.credentialRequests), $0) },
        weight: { Double($0.credentialRequests) }),
      Measure(
        name: name("expiriesPerDay"), title: "expiries a day", part: part, unit: .perDay,
        value: { perDay(Double($0.expiries), $0) }, weight: { Double($0.expiries) }),
      Measure(
        name: name("radioPerDay"), title: "radio on a day", part: part, unit: .timePerDay,
        value: { perDay(Double($0.radioOn.count), $0) },
        weight: { Double($0.radioOn.count) }),
      Measure(
        name: name("messagesPerDay"), title: "messages a day", part: part, unit: .perDay,
        value: { perDay(Double($0.messages), $0) }, weight: { Double($0.messages) }),
      Measure(
        name: name("reachable"), title: "reachable", part: part, unit: .share, isGood: true,
        value: {
          $0.wanted > .zero ? Double($0.reachable.count) / Double($0.wanted.count) : nil
        }, weight: { Double($0.reachable.count) }),
    ]
  }

  private static func handshake(_ part: Part, _ percent: UInt64) -> Measure {
    let name = part.isHealthy ? "healthyHandshake" : "handshake"
    return Measure(
      name: "\(name)P\(percent)", title: "handshake p\(percent)", part: part, unit: .time,
      value: { nanoseconds($0.handshakes.percentile(percent)) },
      weight: { nanoseconds($0.handshakes.percentile(percent)) ?? 0 })
  }

  private static let failures = Measure(
    name: "failedConnects", title: "connects that failed", part: .campaign, unit: .share,
    value: {
      let all = $0.handshakes.count + $0.failedHandshakes
      return all > 0 ? Double($0.failedHandshakes) / Double(all) : nil
    }, weight: { Double($0.failedHandshakes) })

  /// Percentiles, and how often it never came.
  private static func times(
    _ name: String, _ title: String, _ times: @escaping @Sendable (Tally) -> Distribution,
    _ never: @escaping @Sendable (Tally) -> UInt64, neverTitle: String,
    percents: [UInt64] = [50, 99]
  ) -> [Measure] {
    percentiles(name, title, times, percents) + [
      Measure(
        name: "\(name)Never", title: neverTitle, part: .campaign, unit: .count,
        value: { Double(never($0)) }, weight: { Double(never($0)) })
    ]
  }

  private static func percentiles(
    _ name: String, _ title: String, _ times: @escaping @Sendable (Tally) -> Distribution,
    _ percents: [UInt64]
  ) -> [Measure] {
    percents.map { percent in
      Measure(
        name: "\(name)P\(percent)", title: "\(title) p\(percent)", part: .campaign, unit: .time,
        value: { nanoseconds(times($0).percentile(percent)) },
        weight: { nanoseconds(times($0).percentile(percent)) ?? 0 })
    }
  }

  private static let connections =
    [
      Measure(
        name: "connectingPerDay", title: "connecting, a day", part: .campaign, unit: .timePerDay,
        value: { perDay(Double($0.connecting.count), $0) },
        weight: { Double($0.connecting.count) })
    ]
    + times(
      "connection", "until connected", { $0.connections }, { $0.neverConnected },
      neverTitle: "never connected", percents: [50, 90, 99])
    + percentiles("longestLoss", "longest unreachable", { $0.longestLosses }, [50, 99])

  private static let outAfterExpiry = Measure(
    name: "outAfterExpiryPerDay", title: "out after expiry, a day", part: .campaign,
    unit: .timePerDay, value: { perDay(Double($0.outAfterExpiry.count), $0) },
    weight: { Double($0.outAfterExpiry.count) })

  private static let countedInVain = Measure(
    name: "countedUnacknowledged", title: "counted, never acked", part: .layers,
    unit: .perTenThousand, value: { perTenThousand($0.countedInVain, $0) },
    weight: { Double($0.countedInVain) })

  private static let times: [Measure] =
    times(
      "recovery", "out after expiry", { $0.recoveries }, { $0.neverRecovered },
      neverTitle: "never back after expiry")
    + times(
      "clientZombie", "dead link, client", { $0.clientZombies }, { $0.clientNeverNoticed },
      neverTitle: "client never notices")
    + times(
      "serverZombie", "dead link, server", { $0.serverZombies }, { $0.serverNeverNoticed },
      neverTitle: "server never notices")
    + times(
      "sync", "accepted to app", { $0.syncs }, { $0.neverSynced }, neverTitle: "never at the app")

  private static let findings: [Measure] = OracleCatalog.names.enumerated().map { index, oracle in
    Measure(
      name: oracle, title: oracle, part: .findings, unit: .perTenThousand,
      value: { perTenThousand($0.violations[index], $0) },
      weight: { Double($0.violations[index]) })
  }

  private static let layers: [Measure] = DeliveryLayer.all.enumerated().map { index, layer in
    Measure(
      name: "stayed." + layer.name, title: layer.title, part: .layers, unit: .perTenThousand,
      value: { perTenThousand($0.stayed[index], $0) }, weight: { Double($0.stayed[index]) })
  }
}
