internal import Oracles
public import Timeline

/// What was measured in one run, or in many together.
///
/// All of it is about *receivers* (devices that subscribe to something; all, where none does).
/// Rates are within the part of a run before its calm, and by the time in which their apps want to
/// be connected. That time follows from the scenario alone, so it is the same for all machines.
public struct Tally: Hashable, Sendable {
  public var runs: UInt64 = 0
  /// Runs that ended at their event limit: they are measured as far as they went.
  public var cutRuns: UInt64 = 0

  // MARK: Rates

  /// How long apps wanted a connection.
  public var wanted = Nanoseconds.zero
  /// How long both ends believed in one whose path was alive.
  public var reachable = Nanoseconds.zero
  public var radioOn = Nanoseconds.zero
  /// Connections for pushes that were opened, successfully or not.
  public var connects: UInt64 = 0
  /// Connections for one request, such as a fetch.
  public var requests: UInt64 = 0
  /// Questions to the token service.
  public var credentialRequests: UInt64 = 0
  /// How long receivers were without a connection because a credential had ended.
  public var outAfterExpiry = Nanoseconds.zero
  /// How long they tried to get a connection: the sum of `connections`, with those that were not
  /// there in the end.
  public var connecting = Nanoseconds.zero
  /// Credentials that ended before they were replaced, while the app wanted a connection.
  public var expiries: UInt64 = 0
  /// Protocol messages written or received.
  public var messages: UInt64 = 0

  // MARK: Times

  /// From the first attempt of a device that has no connection (or from its question for a
  /// credential) until it believes in one, over all attempts in between, as far as it could have
  /// had one (`AvailabilityLog`).
  public var connections = Distribution()
  public var neverConnected: UInt64 = 0
  /// Of each run and receiver the longest time in which it wanted a connection and there was none
  /// that both ends believed in and whose path was alive, as far as it could have had one.
  public var longestLosses = Distribution()
  /// From the opening of a connection until its client believed in it: TCP and the protocol's own
  /// handshake. Round trips of TLS are not modelled.
  public var handshakes = Distribution()
  /// Connections for pushes whose client never believed in them.
  public var failedHandshakes: UInt64 = 0
  /// How long a device was without a connection whose credential had ended: from the end of the
  /// credential, or of the connection if that came later, until both ends believed in one again;
  /// as far as it could have had one.
  public var recoveries = Distribution()
  public var neverRecovered: UInt64 = 0
  /// From the death of a connection (its path is gone, or the other end has ended it) until this
  /// end stopped believing in it, without the time in which its program stood still. What took no
  /// longer than an ordinary end (`RunMeter.ordinaryEnd`) is left out.
  public var clientZombies = Distribution()
  public var clientNeverNoticed: UInt64 = 0
  public var serverZombies = Distribution()
  public var serverNeverNoticed: UInt64 = 0
  /// From a delivery's acceptance until the receiver's app had it, as far as it could have had it:
  /// nobody can shorten the rest.
  public var syncs = Distribution()
  /// Deliveries that are owed and that the receiver's app never had.
  public var neverSynced: UInt64 = 0

  // MARK: Deliveries

  /// Deliveries on the way down that were accepted and owed.
  public var deliveries: UInt64 = 0
  /// Of them: the server counts them as done, and nobody ever acknowledged them.
  public var countedInVain: UInt64 = 0
  /// Violations by the position of their oracle in `OracleCatalog.all`.
  public var violations = [UInt64](repeating: 0, count: OracleCatalog.all.count)
  /// Deliveries that stayed somewhere, by position in `DeliveryLayer.all`.
  public var stayed = [UInt64](repeating: 0, count: DeliveryLayer.all.count)
  /// Runs with a violation.
  public var runsWithFindings: UInt64 = 0

  public init() {}

  public mutating func merge(_ other: Tally) {
    runs += other.runs
    cutRuns += other.cutRuns
    wanted = wanted + other.wanted
    reachable = reachable + other.reachable
    radioOn = radioOn + other.radioOn
    connects += other.connects
    requests += other.requests
    credentialRequests += other.credentialRequests
    outAfterExpiry = outAfterExpiry + other.outAfterExpiry
    connecting = connecting + other.connecting
    messages += other.messages
    expiries += other.expiries
    connections.merge(other.connections)
    neverConnected += other.neverConnected
    longestLosses.merge(other.longestLosses)
    handshakes.merge(other.handshakes)
    failedHandshakes += other.failedHandshakes
    recoveries.merge(other.recoveries)
    neverRecovered += other.neverRecovered
    clientZombies.merge(other.clientZombies)
    clientNeverNoticed += other.clientNeverNoticed
    serverZombies.merge(other.serverZombies)
    serverNeverNoticed += other.serverNeverNoticed
    syncs.merge(other.syncs)
    neverSynced += other.neverSynced
    deliveries += other.deliveries
    countedInVain += other.countedInVain
    for index in violations.indices { violations[index] += other.violations[index] }
    for index in stayed.indices { stayed[index] += other.stayed[index] }
    runsWithFindings += other.runsWithFindings
  }
}
