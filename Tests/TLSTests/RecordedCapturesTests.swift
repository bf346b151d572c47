import Capture
import Foundation
import Testing
import Wire

@testable import TLS

/// The recordings of MQTT over TLS that are in the repository.
@Suite struct RecordedCapturesTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "captures/mqtt-tls").path

  private static func read(
    _ name: String, withSecrets: Bool
  ) throws -> [CollectingSink.Connection] {
    let stem = name.split(separator: ".").dropLast().joined(separator: ".")
    var secrets = TLSSecrets()
    if withSecrets {
      let log = try #require(FileManager.default.contents(atPath: "\(folder)/\(stem).keylog"))
      #expect(secrets.read(keyLog: log).isEmpty)
    }
    let collected = CollectingSink()
    let tls = TLSDecryptingSink(secrets, to: collected)
    collected.tls = tls
    _ = try CaptureFile(path: "\(folder)/\(name)").read(into: tls)
    return collected.connections
  }

  private static let names = [
    "tls-1.2.pcapng", "tls-1.3.pcap", "tls-1.3-stopped-then-killed.pcapng",
  ]

  /// Types of MQTT packets, when the bytes are whole ones; `nil` when they are not.
  private func packetTypes(_ bytes: [UInt8]) -> [UInt8]? {
    var types: [UInt8] = []
    var rest = bytes[...]
    while let first = rest.popFirst() {
      types.append(first >> 4)
      var length = 0
      var shift = 0
      while let byte = rest.popFirst() {
        length |= Int(byte & 0x7f) << shift
        shift += 7
        if byte & 0x80 == 0 { break }
      }
      guard length <= rest.count else { return nil }
      rest = rest.dropFirst(length)
    }
    return types
  }

  @Test(arguments: names)
  func `All connections come out as whole MQTT packets`(_ name: String) throws {
    let connections = try Self.read(name, withSecrets: true)
    #expect(connections.count > 1)
    for connection in connections {
      let facts = try #require(connection.facts)
      #expect(facts.toServer.secrecy == .decrypted)
      #expect(facts.toClient.secrecy == .decrypted)
      #expect(connection.gaps.isEmpty)
      #expect(!connection.isInconsistent)
      let sent = try #require(packetTypes(connection.toServer))
      let answered = try #require(packetTypes(connection.toClient))
      #expect(sent.first == 1, "CONNECT")
      #expect(answered.first == 2, "CONNACK")
      #expect(facts.version == (name.contains("1.2") ? "TLS 1.2" : "TLS 1.3"))
    }
  }

  @Test(arguments: names)
  func `Without secrets holes stand where the packets were`(_ name: String) throws {
    let open = try Self.read(name, withSecrets: true)
    let closed = try Self.read(name, withSecrets: false)
    #expect(open.count == closed.count)
    for (one, other) in zip(open, closed) {
      let facts = try #require(other.facts)
      #expect(facts.toServer.secrecy == .noSecrets)
      #expect(other.toServer.isEmpty && other.toClient.isEmpty)
      #expect(facts.toServer.applicationBytes == UInt64(one.toServer.count))
      // Session tickets of TLS 1.3 look like application data.
      #expect(facts.toClient.applicationBytes >= UInt64(one.toClient.count))
      #expect(Set(other.gaps) == [.encrypted])
    }
  }
}
