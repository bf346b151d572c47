import Custody
import Oracles
import Testing
import Timeline

@Suite struct OracleCatalogTests {
  func findings(_ ledger: Ledger) -> [String] {
    var violations: [Violation] = []
    OracleCatalog.judge(ledger, into: &violations)
    return violations.map { OracleCatalog.name(of: $0.signature) }
  }

  @Test func `an empty ledger is clean`() {
    #expect(findings(Ledger()).isEmpty)
    #expect(findings(.sane()).isEmpty)
  }

  static let delivered: DeliveryFacts = [
    .accepted, .owed, .sent, .transportAcknowledged, .received, .handedOver, .acknowledged,
    .settled,
    .countedDone,
  ]

  @Test(arguments: [
    DeliveryRow.down(delivered, handOvers: 1),
    .down(delivered, quality: 2, handOvers: 1),
    .down(delivered, quality: 1, handOvers: 3),
    .down([.accepted, .owed], quality: 0),
    .down([.accepted, .owed, .sent], quality: 0),
    .down([.accepted, .sent]),
    .down([.accepted, .owed, .sent, .expired]),
    .down([.accepted, .owed, .sent, .superseded]),
    .down([.accepted, .owed, .sent, .rejected]),
    .down([.accepted, .owed, .sent, .released, .countedDone]),
    .down(delivered.union(.repeatAllowed), quality: 2, handOvers: 2),
    .up([.accepted, .acknowledged, .countedDone]), .up([.released]), .up([], quality: 0),
  ])
  func `what the protocol does not promise is no finding`(row: DeliveryRow) {
    #expect(findings(.sane(row)).isEmpty)
  }

  @Test(arguments: [
    (DeliveryRow.down([.accepted, .owed, .sent]), ["ghost"]),
    (.down([.accepted, .owed, .sent, .held, .countedDone]), ["ghost"]),
    (.down([.accepted, .owed, .countedDone]), ["ghost"]),
    (.down([.accepted, .owed]), ["lost"]),
    (.down([.accepted, .owed, .held]), ["stuck"]),
    (.down([.accepted, .owed, .held, .sent]), ["stuck"]),
    (.down([.accepted, .owed, .sent, .received, .acknowledged]), ["false-ack"]),
    (.down(delivered, quality: 2, handOvers: 2), ["duplicate"]),
    (.up([]), ["lost"]), (.up([.held]), ["stuck"]), (.up([.countedDone]), ["ghost"]),
  ])
  func `each kind of broken delivery has its finding`(row: DeliveryRow, expected: [String]) {
    #expect(findings(.sane(row)) == expected)
  }

  @Test func `a delivery to somebody offline is pending`() {
    var ledger = Ledger.sane(.down([.accepted, .owed, .sent, .held]))
    ledger.devices[0].serverBelieves = false
    #expect(findings(ledger).isEmpty)
  }

  @Test func `without a calm only what is wrong at every instant counts`() {
    var ledger = Ledger.sane(
      .down([.accepted, .owed, .sent]), .down([.accepted, .owed]),
      .down([.accepted, .owed, .held]), .up([]))
    ledger.calmReached = false
    #expect(findings(ledger).isEmpty)
    ledger.deliveries.append(.down([.accepted, .owed, .sent, .held, .countedDone]))
    #expect(findings(ledger) == ["ghost"])
  }

  @Test func `a gap in the evidence is inconclusive and never a ghost`() {
    var violations: [Violation] = []
    var ledger = Ledger.sane(.down([.accepted, .owed, .sent, .countedDone]))
    for reason in [Ledger.Inconclusive.captureGap, .encrypted, .midStream] {
      ledger.inconclusive = reason
      #expect(OracleCatalog.judge(ledger, into: &violations) == .inconclusive)
      #expect(violations.isEmpty)
    }
  }

  @Test func `a run cut short is never a pass but may show a storm`() {
    var violations: [Violation] = []
    var ledger = Ledger.sane(.down([.accepted, .owed, .sent]))
    ledger.inconclusive = .eventLimit
    #expect(OracleCatalog.judge(ledger, into: &violations) == .inconclusive)
    ledger.devices[0].storm = .connects
    #expect(OracleCatalog.judge(ledger, into: &violations) == .violated)
    #expect(violations.map(\.signature.name) == ["storm-connects"])
  }

  @Test func `devices have findings of their own`() {
    func device(_ change: (inout DeviceRow) -> Void) -> [String] {
      var ledger = Ledger.sane()
      change(&ledger.devices[0])
      var violations: [Violation] = []
      OracleCatalog.judge(ledger, into: &violations)
      return violations.map(\.signature.name)
    }
    #expect(
      device {
        $0.zombieFor = .seconds(1)
        $0.deceived = .server
      } == ["zombie-server"])
    #expect(
      device {
        $0.expiries = 1
        $0.backAfterExpiry = false
      } == ["lockout"])
    #expect(
      device {
        $0.expiries = 1
        $0.backAfterExpiry = false
        $0.wantsConnection = false
      } == [])
    #expect(device { $0.storm = .refreshes } == ["storm-refreshes"])
    #expect(device { $0.clientViolation = 3 } == ["protocol-client-rule3"])
    #expect(
      device {
        $0.clientViolation = 3
        $0.serverViolation = 7
      } == ["protocol-client-rule3", "protocol-server-rule7"])
  }

  @Test func `what a push announced is owed until the app has it, whatever became of the push`() {
    func stale(_ facts: DeliveryFacts) -> [String] {
      var violations: [Violation] = []
      OracleCatalog.judge(.sane(.down(facts)), into: &violations)
      return violations.map(\.signature.name).filter { $0.hasPrefix("stale") }
    }
    let promised: DeliveryFacts = [.accepted, .owed, .promisesApplication]
    let acknowledged: DeliveryFacts = [.sent, .received, .acknowledged, .settled]
    #expect(stale(promised.union(.superseded)) == ["stale-qos1-after-accepted"])
    #expect(stale(promised.union([.sent, .expired])) == ["stale-qos1-after-sent"])
    #expect(stale(promised.union(acknowledged)) == ["stale-qos1-after-acknowledged"])
    #expect(
      stale(promised.union(acknowledged).union(.handedOver)) == ["stale-qos1-after-hand-over"])
    #expect(stale(promised.union(acknowledged).union([.handedOver, .applied])) == [])
    #expect(stale(promised.union([.superseded, .released])) == [])
    #expect(stale(promised.union(.rejected)) == [])
    #expect(stale([.accepted, .owed, .superseded]) == [])
  }

  @Test func `deaf is only who is connected`() {
    var ledger = Ledger.sane()
    ledger.devices[0].deaf = true
    var violations: [Violation] = []
    OracleCatalog.judge(ledger, into: &violations)
    #expect(violations.map(\.signature.name) == ["deaf"])
    ledger.devices[0].serverBelieves = false
    OracleCatalog.judge(ledger, into: &violations)
    #expect(!violations.contains { $0.signature.name == "deaf" })
  }

  @Test func `offline is who wants a connection and is neither locked out nor deceived`() {
    func isOffline(_ change: (inout DeviceRow) -> Void) -> Bool {
      var ledger = Ledger.sane()
      ledger.devices[0].wantsConnection = true
      ledger.devices[0].clientBelieves = false
      ledger.devices[0].serverBelieves = false
      ledger.devices[0].offlineFor = .minutes(10)
      change(&ledger.devices[0])
      var violations: [Violation] = []
      OracleCatalog.judge(ledger, into: &violations)
      return violations.contains { $0.signature.name == "offline" }
    }
    #expect(isOffline { _ in })
    #expect(!isOffline { $0.wantsConnection = false })
    #expect(!isOffline { $0.clientBelieves = true })
    #expect(!isOffline { $0.offlineFor = .zero })
    #expect(
      !isOffline {
        $0.expiries = 1
        $0.backAfterExpiry = false
      })
  }

  @Test func `signatures tell quality and last step apart and nothing else`() {
    func signature(_ row: DeliveryRow) -> Signature? {
      var violations: [Violation] = []
      OracleCatalog.judge(.sane(row), into: &violations)
      return violations.first?.signature
    }
    let base = DeliveryRow.down([.accepted, .owed, .sent])
    var other = base
    other.publication = 9
    other.lastAt = .start + .hours(3)
    other.sends = 17
    #expect(signature(base) == signature(other))
    other.lastStep = .received
    #expect(signature(base) != signature(other))
    #expect(signature(base) != signature(.down([.accepted, .owed, .sent], quality: 2)))
    #expect(signature(base)?.name == "ghost-qos1-after-sent")
  }

  @Test func `a clean judgement leaves the list empty and a second one starts anew`() {
    var violations: [Violation] = []
    #expect(OracleCatalog.judge(.sane(.up([])), into: &violations) == .violated)
    #expect(OracleCatalog.judge(.sane(), into: &violations) == .holds)
    #expect(violations.isEmpty)
  }

  @Test func `every story is a sentence that names the device`() {
    var ledger = Ledger.sane(
      .down([.accepted, .owed, .sent]), .down([.accepted, .owed]),
      .down([.accepted, .owed, .held]),
      .down([.accepted, .owed, .sent, .received, .acknowledged]),
      .down(Self.delivered, quality: 2, handOvers: 2), .up([]),
      .down([.accepted, .owed, .superseded, .promisesApplication]))
    for index in ledger.deliveries.indices {
      ledger.deliveries[index].publication = UInt16(index + 1)
    }
    ledger.devices[0].zombieFor = .seconds(5)
    ledger.devices[0].deceived = .server
    ledger.devices[0].expiries = 1
    ledger.devices[0].backAfterExpiry = false
    ledger.devices[0].storm = .connects
    ledger.devices[0].clientViolation = 1
    ledger.devices[0].deaf = true
    ledger.devices.append(DeviceRow(node: NodeID(2)))
    ledger.devices[1].wantsConnection = true
    ledger.devices[1].offlineFor = .minutes(10)
    var violations: [Violation] = []
    OracleCatalog.judge(ledger, into: &violations)
    let found = Set(violations.map { OracleCatalog.name(of: $0.signature) })
    #expect(found.count == OracleCatalog.all.count)
    for violation in violations {
      let story = OracleCatalog.story(of: violation, in: ledger) {
        $0.isServer ? "the server" : "gk"
      }
      #expect(story.contains("gk") && story.hasSuffix("."), "\(story)")
    }
  }
}
