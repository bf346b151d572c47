import Capture
import Custody
import Export
import TLS
import Testing
import Unwrapping
import Wire

@Suite struct StreamExportTests {
  /// What the reassembler says of each stream, put together without any file.
  private final class Collector: ConnectionSink {
    struct Key: Hashable {
      var connection: UInt32
      var isToServer: Bool
    }
    var bytes: [Key: [UInt8]] = [:]
    var missing: [Key: UInt64] = [:]

    func receive(
      _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
      bytes payload: UnsafeRawBufferPointer, at moment: Moment
    ) {
      if case .bytes(let direction, _) = event {
        let key = Key(connection: connection.index, isToServer: direction == .toServer)
        bytes[key, default: []] += unsafe Array(payload)
      } else if case .gap(let direction, _, let length, _) = event {
        let key = Key(connection: connection.index, isToServer: direction == .toServer)
        bytes[key, default: []] += [UInt8](repeating: 0, count: Int(length))
        missing[key, default: 0] += length
      }
    }
  }

  @Test(arguments: [
    "mqtt/stopped-then-killed.pcap", "mqtt/large-packets-missing.pcap",
    "mqtt/one-direction-only.pcapng", "mqtt/ipv6-loopback.pcapng",
  ])
  func `files have the bytes of the streams, zeros for gaps, and the hashes of the table`(
    name: String
  ) throws {
    let capture = Scratch.captures + "/" + name
    let scratch = try Scratch()
    let result = try StreamExport.run(capture, CaptureOptions(), to: scratch.path + "/a/b")
    let collector = Collector()
    _ = try CaptureFile(path: capture).read(into: collector)
    var seen = 0
    for stream in result.streams {
      let key = Collector.Key(connection: stream.connection, isToServer: stream.isToServer)
      let expected = collector.bytes[key] ?? []
      #expect(stream.bytes == UInt64(expected.count))
      #expect(stream.missingBytes == collector.missing[key] ?? 0)
      #expect(stream.missingBytes == stream.gaps.reduce(0) { $0 + $1.length })
      #expect((stream.file == nil) == expected.isEmpty)
      guard let file = stream.file else { continue }
      seen += 1
      let written = try #require(scratch.contents("a/b/" + file))
      #expect(written == expected)
      var sum = SHA256Sum()
      sum.update(written)
      #expect(stream.sha256 == sum.finish())
    }
    #expect(seen > 1)
    #expect(try scratch.names(in: "a/b") == result.streams.compactMap(\.file).sorted())
    let numbers = try scratch.names(in: "a/b").map { $0.prefix(6) }
    #expect(numbers == result.streams.filter { $0.file != nil }.map { stream in
      (String(repeating: "0", count: 6) + String(stream.connection)).suffix(6)
    })
  }

  @Test func `what was in TLS is written beside what TCP carried`() throws {
    let capture = Scratch.captures + "/mqtt-tls/tls-1.3-stopped-then-killed.pcapng"
    var options = CaptureOptions()
    options.secrets.read(keyLog: Scratch.keyLog("tls-1.3-stopped-then-killed"))
    let scratch = try Scratch()
    let result = try StreamExport.run(capture, options, to: scratch.path + "/s")
    let clear = result.streams.filter { $0.content == .decrypted && $0.isToServer }
    #expect(clear.count == 4)
    for stream in clear {
      let file = try #require(stream.file)
      let bytes = try #require(scratch.contents("s/" + file))
      // CONNECT of MQTT.
      #expect(bytes.first == 0x10)
      #expect(stream.gapCount == 0)
      let wire = try #require(
        scratch.contents("s/" + file.replacing(".decrypted", with: "")))
      #expect(wire.starts(with: [0x16, 3]))
    }
    let without = try StreamExport.run(capture, CaptureOptions(), to: scratch.path + "/t")
    #expect(without.streams.allSatisfy { $0.content == .wire })
  }

  @Test func `a folder that has something in it is left alone`() throws {
    let capture = Scratch.captures + "/mqtt/stopped-then-killed.pcap"
    let scratch = try Scratch()
    _ = try StreamExport.run(capture, CaptureOptions(), to: scratch.path + "/s")
    let error = #expect(throws: ExportError.self) {
      try StreamExport.run(capture, CaptureOptions(), to: scratch.path + "/s")
    }
    #expect(error?.exitCode == 73)
    #expect(error?.description.contains("is there already") == true)
  }

  @Test func `a capture that is not there leaves no folder behind`() throws {
    let scratch = try Scratch()
    let error = #expect(throws: ExportError.self) {
      try StreamExport.run(scratch.path + "/none.pcap", CaptureOptions(), to: scratch.path + "/s")
    }
    #expect(error?.exitCode == 66)
    #expect(try scratch.names(in: "") == [])
  }
}
