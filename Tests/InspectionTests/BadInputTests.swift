import Custody
import Foundation
import Inspection
import Testing

/// Files that are no captures, or have nothing in them for us.
@Suite struct BadInputTests {
  private let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "inspect-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  private func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    let url = folder.appending(path: name)
    try Data(bytes).write(to: url)
    return url.path
  }

  private func failure(_ path: String, filter: String? = nil) -> InspectionError? {
    do {
      _ = try CaptureInspection.inspect(path, filter: filter)
      return nil
    } catch { return error }
  }

  /// A pcap file header (little endian, microseconds), and one packet if there is one.
  private func pcap(linkType: UInt8, packet: [UInt8] = []) -> [UInt8] {
    var bytes: [UInt8] = [
      0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, linkType, 0, 0,
      0,
    ]
    if !packet.isEmpty {
      let count = UInt8(packet.count)
      bytes += [1, 0, 0, 0, 0, 0, 0, 0, count, 0, 0, 0, count, 0, 0, 0] + packet
    }
    return bytes
  }

  @Test func `a text file`() throws {
    let error = try #require(failure(try file("notes.txt", Array("hello, world\n".utf8))))
    #expect(error.exitCode == 65)
    #expect(error.description.contains("no packet capture, but text"))
    #expect(!error.remedy.isEmpty)
  }

  @Test func `an empty file`() throws {
    let error = try #require(failure(try file("empty.pcap", [])))
    #expect(error.exitCode == 65)
    #expect(error.description.contains("empty"))
  }

  @Test func `a directory`() throws {
    let error = try #require(failure(folder.path))
    #expect(error.exitCode == 66)
    #expect(error.description.contains("directory"))
  }

  @Test func `a missing file`() throws {
    let error = try #require(failure(folder.appending(path: "nowhere.pcap").path))
    #expect(error.exitCode == 66)
    #expect(error.description.contains("no such file"))
  }

  @Test func `a capture without TCP`() throws {
    // An Ethernet frame of ARP.
    let packet = [UInt8](repeating: 0, count: 12) + [0x08, 0x06] + [UInt8](repeating: 0, count: 28)
    let error = try #require(failure(try file("arp.pcap", pcap(linkType: 1, packet: packet))))
    #expect(error.exitCode == 65)
    #expect(error.description.contains("TCP"))
  }

  @Test func `an unknown link type`() throws {
    let packet = [UInt8](repeating: 0, count: 40)
    let error = try #require(failure(try file("odd.pcap", pcap(linkType: 147, packet: packet))))
    #expect(error.exitCode == 65)
    #expect(error.description.contains("147"))
  }

  @Test func `a filter that can't be read, and one that nothing passes`() throws {
    let path = Captures.mqtt("ipv6-loopback")
    #expect(failure(path, filter: "tcp prt 1")?.exitCode == 64)
    #expect(failure(path, filter: "tcp port 1")?.exitCode == 65)
  }

  @Test func `a truncated capture is read up to its end, and said to be truncated`() throws {
    let whole = try Data(contentsOf: URL(filePath: Captures.mqtt("offline-queue")))
    let path = try file("cut.pcap", Array(whole.prefix(whole.count / 2)))
    let inspection = try CaptureInspection.inspect(path)
    #expect(inspection.capture.damage?.isEmpty == false)
    #expect(!inspection.observation.sessions.isEmpty)
  }
}
