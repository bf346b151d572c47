import Capture
import Crypto
import Foundation
import Testing
import Wire

@testable import TLS

/// Compares with what another program decrypted, in captures that are not in the repository.
///
/// `PUSHBENCH_PUBLIC_CAPTURES` names a folder with `captures/NAME`, `captures/NAME.keylog` and
/// `truth/NAME.tls.tsv`. Prints each connection that differs, and how many there are.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["PUSHBENCH_PUBLIC_CAPTURES"] != nil))
struct PublicCapturesTests {
  private struct Row {
    var fields: [String: Substring]
    subscript(name: String) -> String { String(fields[name] ?? "") }

    var isDecrypted: Bool {
      self["decrypted_sha256_c2s"].count == 64 || self["decrypted_sha256_s2c"].count == 64
    }
  }

  private var folder: String {
    ProcessInfo.processInfo.environment["PUSHBENCH_PUBLIC_CAPTURES"] ?? ""
  }

  private func rows(_ path: String) throws -> [Row] {
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    guard let first = lines.first else { return [] }
    let names = first.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    return lines.dropFirst().map { line in
      let values = line.split(separator: "\t", omittingEmptySubsequences: false)
      return Row(fields: Dictionary(uniqueKeysWithValues: zip(names, values)))
    }
  }

  private func read(_ capture: String) throws -> [CollectingSink.Connection] {
    var secrets = TLSSecrets()
    if let log = FileManager.default.contents(atPath: capture + ".keylog") {
      for warning in secrets.read(keyLog: log) { print(capture, warning) }
    }
    let content = try Data(contentsOf: URL(fileURLWithPath: capture))
    for log in DecryptionSecretsBlock.keyLogs(inFile: { offset, count in
      Array(content.dropFirst(Int(offset)).prefix(count))
    }) {
      secrets.read(keyLog: log)
    }
    let finder = LateHelloFinder()
    _ = try CaptureFile(path: capture).read(into: finder)
    let collected = CollectingSink()
    let tls = TLSDecryptingSink(secrets, to: collected)
    collected.tls = tls
    collected.reaction = { [weak tls] event, connection, description in
      guard case .began = event, let hellos = finder.hellos[connection],
        let toServer = hellos[.toServer], let toClient = hellos[.toClient]
      else { return }
      tls?.beginTLS(connection, description, toServer: toServer, toClient: toClient)
    }
    _ = try CaptureFile(path: capture).read(into: tls)
    return collected.connections
  }

  private func digest(_ bytes: [UInt8]) -> String {
    bytes.isEmpty
      ? "-" : SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined()
  }

  @Test func `decrypts to the same bytes as the truth says`() throws {
    var equal = 0
    var different: [String] = []
    var more = 0
    let truths = try FileManager.default.contentsOfDirectory(atPath: folder + "/truth").sorted()
    for truth in truths where truth.hasSuffix(".tls.tsv") {
      let name = String(truth.dropLast(".tls.tsv".count))
      let all = try rows(folder + "/truth/" + truth)
      let expected = all.filter(\.isDecrypted)
      guard let connections = try? read(folder + "/captures/" + name) else {
        if !expected.isEmpty { different.append("\(name): can't be read") }
        continue
      }
      let inconsistent = connections.first(where: \.isInconsistent)
      #expect(inconsistent == nil, "\(name): offsets don't follow: \(inconsistent?.lines ?? [])")
      for connection in connections where connection.facts?.toServer.secrecy == .decrypted {
        guard !expected.contains(where: { matches(connection, $0) }) else { continue }
        more += 1
        print("\(name): beyond the truth: \(connection.description.client)")
      }
      for row in expected {
        let found = connections.filter { matches($0, row) }
        let isFound = found.contains { isEqual($0, row) }
        if isFound { equal += 1 } else { different.append(describe(name, row, found)) }
      }
      try compareFacts(name, all, connections)
    }
    for line in different { print(line) }
    print("equal: \(equal), different: \(different.count), decrypted beyond the truth: \(more)")
    #expect(equal > 0)
  }

  private func isEqual(_ connection: CollectingSink.Connection, _ row: Row) -> Bool {
    let expected = (row["decrypted_sha256_c2s"], row["decrypted_sha256_s2c"])
    let toServer = connection.toServer.dropFirst(connection.clear[.toServer] ?? 0)
    let toClient = connection.toClient.dropFirst(connection.clear[.toClient] ?? 0)
    if (digest(Array(toServer)), digest(Array(toClient))) == expected { return true }
    // Of some connections the other program shows both directions as one.
    return expected.0 == "-" && digest(connection.both) == expected.1
  }

  private func matches(_ connection: CollectingSink.Connection, _ row: Row) -> Bool {
    let ends = [
      "\(connection.description.client)", "\(connection.description.server)",
    ].map { $0.filter { !"[]".contains($0) } }
    return ends == [row["client"], row["server"]].map { $0.filter { !"[]".contains($0) } }
  }

  private func describe(
    _ name: String, _ row: Row, _ found: [CollectingSink.Connection]
  ) -> String {
    let suite = CipherSuite(UInt16(row["cipher"].dropFirst(2), radix: 16) ?? 0).name
    let seen = found.map { connection in
      let facts = connection.facts
      return "\(connection.toServer.count)/\(connection.toClient.count) bytes, "
        + "\(facts?.version ?? "-"), \(facts?.reason(.toServer) ?? "-"), "
        + "\(facts?.reason(.toClient) ?? "-"), gaps \(connection.gaps.count)"
    }
    return "\(name) stream \(row["stream"]) \(row["version"]) \(suite): "
      + "\(row["decrypted_bytes_c2s"])/\(row["decrypted_bytes_s2c"]) bytes expected; seen \(seen)"
  }

  /// Version, suite, name and protocol, where both programs saw a hello.
  private func compareFacts(
    _ name: String, _ rows: [Row], _ connections: [CollectingSink.Connection]
  ) throws {
    for row in rows {
      for connection in connections where matches(connection, row) {
        guard let facts = connection.facts, !row["client_random"].isEmpty else { continue }
        let random = facts.clientRandom.map { String(format: "%02x", $0) }.joined()
        guard random == row["client_random"] else { continue }
        if let suite = facts.suiteNumber, !row["cipher"].isEmpty {
          let expected = UInt16(row["cipher"].dropFirst(2), radix: 16)
          if expected != suite {
            print("\(name) \(row["stream"]): suite \(suite) not \(row["cipher"])")
          }
        }
        if facts.serverName ?? "" != row["sni"] {
          print("\(name) \(row["stream"]): name \(facts.serverName ?? "-") not \(row["sni"])")
        }
      }
    }
  }
}

/// Finds where TLS begins in connections that began in the clear: what a reader of SMTP or IMAP
/// would know from STARTTLS.
private final class LateHelloFinder: ConnectionSink {
  private(set) var hellos: [ConnectionID: [Direction: UInt64]] = [:]

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    guard case .bytes(let direction, let offset) = event, offset > 0, bytes.count > 5 else {
      return
    }
    let start = unsafe Array(bytes.prefix(6))
    let type: UInt8 = direction == .toServer ? 1 : 2
    guard start[0] == 22, start[1] == 3, start[5] == type else { return }
    if hellos[connection, default: [:]][direction] == nil {
      hellos[connection, default: [:]][direction] = offset
    }
  }
}
