import Custody
import Foundation
import Inspection
import Reporting
import TLS
import Testing
import Unwrapping

/// What is in TLS reads like what is in the clear, when there are secrets.
@Suite struct DecryptedCapturesTests {
  static func options(_ truth: Captures.Truth) throws -> CaptureOptions {
    var options = CaptureOptions()
    guard truth.name.contains("tls") else { return options }
    let log = try Data(contentsOf: URL(filePath: truth.keyLog))
    #expect(options.secrets.read(keyLog: log).isEmpty)
    return options
  }

  static func inspect(
    _ truth: Captures.Truth, withSecrets: Bool = true
  ) throws -> InspectionRecord {
    try CaptureInspection.inspect(
      truth.path, withSecrets ? try options(truth) : CaptureOptions())
  }

  @Test func `there are captures`() {
    #expect(Captures.secured.count >= 4)
    #expect(Captures.wrapped.count > Captures.secured.count)
  }

  @Test(arguments: Captures.wrapped)
  func `deliveries end as the truth file says`(_ truth: Captures.Truth) throws {
    let inspection = try Self.inspect(truth)
    let expected = truth.expected.subscribers.mapValues { $0.filter { $0.value > 0 } }
    #expect(MQTTCapturesTests.counts(inspection.observation) == expected)
    #expect(!inspection.hasViolations)
    #expect(inspection.capture.unrecognised.isEmpty)
    for session in inspection.observation.sessions {
      #expect((session.tls != nil) == truth.name.contains("tls"))
      if let tls = session.tls {
        #expect(tls.isReadable)
        #expect(tls.version == (truth.name.contains("1.2") ? "TLS 1.2" : "TLS 1.3"))
        #expect(tls.suite?.hasPrefix("TLS_") == true)
      }
      #expect((session.webSocket != nil) == truth.name.contains("websocket"))
      if let webSocket = session.webSocket {
        #expect(webSocket.chosenProtocol == "mqtt" && webSocket.path == "/mqtt")
        #expect(webSocket.toServer.binary > 0 && webSocket.toServer.text == 0)
      }
      #expect(session.messages.first == MessageCount("CONNECT", toServer: 1, toClient: 0))
      #expect(session.evidenceMissing.isEmpty)
      #expect(session.isIdentified)
    }
    #expect(inspection.connections.count == inspection.observation.sessions.count)
    #expect(inspection.connections.allSatisfy { $0.obstacle.isEmpty && $0.hint.isEmpty })
  }

  @Test(arguments: Captures.secured)
  func `without secrets each connection says why it stays closed`(_ truth: Captures.Truth) throws {
    let inspection = try Self.inspect(truth, withSecrets: false)
    #expect(inspection.observation.deliveries.isEmpty)
    #expect(!inspection.hasViolations)
    #expect(!inspection.connections.isEmpty)
    for connection in inspection.connections {
      #expect(connection.obstacle == "noSecrets")
      #expect(connection.problem.hasPrefix("no secrets for client random "))
      #expect(connection.hint.contains("--keylog"))
      #expect((connection.tls?.toClient.applicationBytes ?? 0) > 0)
    }
    let text = InspectionText.text(inspection)
    #expect(text.contains("stay encrypted: no secrets for client random"))
  }

  /// What a ledger says of a delivery; frames and times are the capture's own.
  private static func ledger(_ inspection: InspectionRecord) -> [String] {
    inspection.observation.deliveries.map { delivery in
      let steps = delivery.events.map(\.step.rawValue).joined(separator: " ")
      return "\(delivery.id.number) \(delivery.subscriber) \(delivery.publisher ?? "-") "
        + "\(delivery.topic) \(delivery.quality) \(delivery.size) \(delivery.digest) "
        + "\(delivery.state) \(delivery.attempts) \(steps)"
    }
  }

  private func compareWithClearTwin(_ path: String, _ options: CaptureOptions) throws {
    let twin = FileManager.default.temporaryDirectory
      .appending(path: "pushbench-twin-\(UUID().uuidString).pcap").path
    defer { try? FileManager.default.removeItem(atPath: twin) }
    try ClearTwin.write(path, options, to: twin)
    let secured = try CaptureInspection.inspect(path, options)
    let clear = try CaptureInspection.inspect(twin)
    #expect(clear.connections.isEmpty)
    #expect(Self.ledger(secured) == Self.ledger(clear))
    #expect(!secured.observation.deliveries.isEmpty)
    #expect(
      secured.observation.findings.map(\.headline) == clear.observation.findings.map(\.headline))
    #expect(
      secured.observation.sessions.map { "\($0.subscriber) \($0.end) \($0.sent)" }
        == clear.observation.sessions.map { "\($0.subscriber) \($0.end) \($0.sent)" })
  }

  @Test(arguments: Captures.wrapped)
  func `the ledger is that of the same capture in the clear`(_ truth: Captures.Truth) throws {
    try compareWithClearTwin(truth.path, try Self.options(truth))
  }

  /// `PUSHBENCH_RECORDED_CAPTURES` names a folder with more captures, `NAME.keylog` beside them.
  @Test(
    .enabled(if: ProcessInfo.processInfo.environment["PUSHBENCH_RECORDED_CAPTURES"] != nil))
  func `so it is for recordings outside of the repository`() throws {
    let folder = ProcessInfo.processInfo.environment["PUSHBENCH_RECORDED_CAPTURES"] ?? ""
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    var compared = 0
    for log in files where log.hasSuffix(".keylog") && log.contains("mqtt") {
      let name = folder + "/" + log.dropLast(".keylog".count)
      var options = CaptureOptions()
      options.secrets.read(keyLog: try Data(contentsOf: URL(filePath: folder + "/" + log)))
      for kind in ["pcap", "pcapng"] {
        try compareWithClearTwin("\(name).\(kind)", options)
        compared += 1
      }
    }
    print("\(compared) recordings have the ledger of their clear twin")
  }

  /// Recorded with other clients at other times: how a delivery goes is the same, how many there
  /// are is the workload's. `Benchmarks/compare-tls-twins.py` compares more of them.
  @Test func `recordings in TLS and in the clear have the same kinds of deliveries`() throws {
    func kinds(_ path: String, _ keyLog: String?) throws -> [String: Int] {
      var options = CaptureOptions()
      if let keyLog { options.secrets.read(keyLog: try Data(contentsOf: URL(filePath: keyLog))) }
      let observation = try CaptureInspection.inspect(path, options).observation
      return observation.deliveries.reduce(into: [:]) { counts, delivery in
        let steps = delivery.events.map(\.step.rawValue).filter { $0 != "transportAcknowledged" }
        let kind = "\(delivery.quality) \(delivery.state) \(steps.sorted())"
        counts[kind, default: 0] += 1
      }
    }
    let tls = Captures.path("mqtt-tls") + "/"
    let older = try kinds(tls + "tls-1.2.pcapng", tls + "tls-1.2.keylog")
    let newer = try kinds(tls + "tls-1.3.pcap", tls + "tls-1.3.keylog")
    #expect(!newer.isEmpty && older == newer)
    let name = tls + "tls-1.3-stopped-then-killed"
    let secured = try kinds(name + ".pcapng", name + ".keylog")
    var clear = try kinds(Captures.mqtt("stopped-then-killed"), nil)
    // The clear one has two more, which were published while nobody was connected.
    let once = try #require(clear.keys.first { !$0.contains("redelivered") })
    clear[once, default: 0] -= 2
    #expect(secured == clear)
    #expect(secured.count == 2)
  }

  // MARK: Where secrets come from

  /// A Decryption Secrets Block (draft-ietf-opsawg-pcapng §4.7), little endian.
  private static func block(of keyLog: [UInt8]) -> [UInt8] {
    func number(_ value: Int) -> [UInt8] {
      [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: value >> $0) }
    }
    let padded = keyLog + Array(repeating: 0, count: (4 - keyLog.count % 4) % 4)
    let total = 20 + padded.count
    return number(10) + number(total) + number(0x544c_534b) + number(keyLog.count) + padded
      + number(total)
  }

  @Test(arguments: Captures.secured.filter { $0.file.hasSuffix(".pcapng") }, [true, false])
  func `a capture may carry its secrets, before its packets or behind them`(
    _ truth: Captures.Truth, _ isBefore: Bool
  ) throws {
    let capture = Array(try Data(contentsOf: URL(filePath: truth.path)))
    let block = Self.block(of: Array(try Data(contentsOf: URL(filePath: truth.keyLog))))
    // Behind the section header, whose length stands in its bytes 4 to 7.
    let head = capture[4..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    let whole =
      isBefore ? Array(capture[..<head]) + block + capture[head...] : capture + block
    let path = FileManager.default.temporaryDirectory
      .appending(path: "pushbench-secrets-\(UUID().uuidString).pcapng").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(whole).write(to: URL(filePath: path))
    let inspection = try CaptureInspection.inspect(path)
    let other = try Self.inspect(truth)
    #expect(Self.ledger(inspection) == Self.ledger(other))
    #expect(!inspection.observation.deliveries.isEmpty)
    #expect(inspection.connections.allSatisfy { $0.obstacle.isEmpty })
  }

  @Test func `what a user says of a port makes no more of what can't be read`() throws {
    let truth = try #require(Captures.secured.first)
    var options = CaptureOptions()
    try options.assignments.add("mqtt=8883", known: ["mqtt"])
    let inspection = try CaptureInspection.inspect(truth.path, options)
    #expect(inspection.observation.sessions.isEmpty)
    #expect(inspection.connections.allSatisfy { $0.obstacle == "noSecrets" })
  }

  // MARK: Without secrets

  @Test(arguments: Captures.secured)
  func `records that nobody answered are inconclusive, never a ghost`(
    _ truth: Captures.Truth
  ) throws {
    let findings = try Self.inspect(truth, withSecrets: false).observation.findings
    // In these a client is stopped while four messages are under way.
    guard truth.expected.subscribers.values.contains(where: { $0["redelivered"] == 4 }) else {
      #expect(findings.isEmpty)
      return
    }
    let finding = try #require(findings.first)
    #expect(findings.count == 1)
    #expect(finding.label == "UNANSWERED" && finding.verdict == .inconclusive)
    #expect(finding.headline.hasPrefix("4 encrypted records"))
    #expect(finding.story.count == 4)
  }

  @Test(arguments: Captures.secured)
  func `secrets are in no report`(_ truth: Captures.Truth) throws {
    let log = try String(contentsOf: URL(filePath: truth.keyLog), encoding: .utf8)
    let inspection = try Self.inspect(truth)
    let report = InspectionText.text(inspection) + InspectionJSON.text([inspection])
    for line in log.split(separator: "\n") where !line.hasPrefix("#") {
      let secret = try #require(line.split(separator: " ").last)
      #expect(!report.lowercased().contains(secret.lowercased().prefix(16)))
    }
  }
}
