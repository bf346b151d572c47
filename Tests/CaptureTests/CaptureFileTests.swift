import Foundation
import Testing
import Timeline
import Wire

@testable import Capture

@Suite struct CaptureFileTests {
  private func packets(_ text: String) -> [[UInt8]] {
    [
      PacketBuilder.ipv4(
        PacketBuilder.tcp(from: 40_000, to: 1883, seq: 0, ack: nil, flags: .syn)),
      PacketBuilder.ipv4(
        from: PacketBuilder.serverAddress, to: PacketBuilder.clientAddress,
        PacketBuilder.tcp(from: 1883, to: 40_000, seq: 0, ack: 1, flags: .syn)),
      PacketBuilder.ipv4(
        PacketBuilder.tcp(
          from: 40_000, to: 1883, seq: 1, ack: 1, flags: [], payload: Array(text.utf8))),
    ]
  }

  private func read(
    _ contents: [UInt8], filter: String? = nil
  ) throws -> (RecordingSink, CaptureSummary) {
    let file = try TemporaryFile(contents)
    let sink = RecordingSink()
    let summary = try CaptureFile(path: file.path, filter: filter).read(into: sink)
    return (sink, summary)
  }

  private func error(_ contents: [UInt8]) throws -> CaptureError? {
    let file = try TemporaryFile(contents)
    do throws(CaptureError) {
      _ = try CaptureFile(path: file.path)
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: PcapBuilder.Variant.allCases)
  func `both byte orders and both precisions are read`(variant: PcapBuilder.Variant) throws {
    var file = PcapBuilder(variant: variant)
    for (index, packet) in packets("hello").enumerated() {
      file.add(
        PacketBuilder.ethernet(0x0800, packet), atNanoseconds: 5_000_000_000 + UInt64(index) * 2000)
    }
    let (sink, summary) = try read(file.contents)
    #expect(sink.connections.map(\.toServer) == [Array("hello".utf8)])
    #expect(summary.packets == 3)
    #expect(summary.tcpPackets == 3)
    #expect(summary.connections == 1)
    #expect(summary.firstTime == Instant(nanoseconds: 5_000_000_000))
    #expect(summary.duration == .microseconds(4))
    #expect(summary.warnings.isEmpty)
  }

  @Test func `padding of a short frame is no payload`() throws {
    var file = PcapBuilder()
    for packet in packets("") {
      file.add(
        PacketBuilder.ethernet(0x0800, packet) + [UInt8](repeating: 0, count: 6), atNanoseconds: 0)
    }
    let (sink, _) = try read(file.contents)
    #expect(sink.connections[0].toServer.isEmpty)
  }

  @Test func `a frame cut by the snap length leaves a gap`() throws {
    var file = PcapBuilder(snapLength: 58)
    for packet in packets("hello") {
      file.add(PacketBuilder.ethernet(0x0800, packet), atNanoseconds: 0, captured: 56)
    }
    let (sink, summary) = try read(file.contents)
    #expect(Array(sink.lines.dropLast().suffix(2)) == ["3 > 0 'he'", "3 > gap 2+3 unknown"])
    #expect(summary.warnings.map(\.kind) == [.cutPayload])
  }

  @Test func `the filter leaves packets out without renumbering the rest`() throws {
    var file = PcapBuilder()
    let other = PacketBuilder.ipv4(
      PacketBuilder.tcp(from: 50_000, to: 80, seq: 0, ack: nil, flags: .syn))
    file.add(PacketBuilder.ethernet(0x0800, other), atNanoseconds: 0)
    for packet in packets("x") {
      file.add(PacketBuilder.ethernet(0x0800, packet), atNanoseconds: 0)
    }
    let (sink, summary) = try read(file.contents, filter: "tcp port 1883")
    #expect(sink.lines.first == "2 began")
    #expect(summary.packets == 4)
    #expect(summary.filteredPackets == 1)
  }

  @Test func `a file that stops inside of a packet is used up to there`() throws {
    var file = PcapBuilder()
    for packet in packets("hello") {
      file.add(PacketBuilder.ethernet(0x0800, packet), atNanoseconds: 0)
    }
    let whole = file.contents.count
    file.add(PacketBuilder.ethernet(0x0800, packets("lost")[2]), atNanoseconds: 0)
    let (sink, summary) = try read(Array(file.contents.prefix(whole + 30)))
    #expect(sink.connections[0].toServer == Array("hello".utf8))
    let warning = try #require(summary.warnings.first)
    #expect(warning.kind == .truncatedFile)
    #expect(warning.frame == 4)
    #expect(summary.warnings.count == 1)
  }

  @Test func `a capture without TCP has no connections and says so`() throws {
    var file = PcapBuilder()
    file.add(
      PacketBuilder.ethernet(0x0806, [UInt8](repeating: 0, count: 28)), atNanoseconds: 0)
    let (sink, summary) = try read(file.contents)
    #expect(sink.connections.isEmpty)
    #expect(summary.packetsNotTCP == 1)
    #expect(summary.tcpPackets == 0)
  }

  @Test func `what is no capture is told by what it is`() throws {
    #expect(try error([]).map { if case .empty = $0 { true } else { false } } == true)
    guard case .notACapture(_, let found) = try error(Array("hello, world\n".utf8)) else {
      Issue.record("text was taken for a capture")
      return
    }
    #expect(found == "text")
    guard case .notACapture(_, let binary) = try error([0xDE, 0xAD, 0, 1, 2]) else {
      Issue.record("junk was taken for a capture")
      return
    }
    #expect(binary == "a file that begins with the bytes de ad 00 01")
  }

  @Test func `a header that is cut is damaged, not a crash`() throws {
    let header = PcapBuilder().contents
    for length in 4..<header.count {
      guard case .damagedHeader = try error(Array(header.prefix(length))) else {
        Issue.record("\(length) bytes of header were taken for a capture")
        continue
      }
    }
    #expect(try error(header) == nil)
  }

  @Test func `an unknown link type is named`() throws {
    let file = try TemporaryFile(PcapBuilder(linkType: 195).contents)
    #expect(
      throws: CaptureError.unknownLinkType(
        file: file.path, number: 195, name: "IEEE802_15_4")
    ) { _ = try CaptureFile(path: file.path) }
  }

  @Test func `missing files and directories are no input, damage is bad input`() throws {
    let file = try TemporaryFile([])
    let folder = URL(fileURLWithPath: file.path).deletingLastPathComponent().path
    func exit(_ path: String, _ filter: String? = nil) -> CaptureError.ExitClass? {
      do throws(CaptureError) {
        _ = try CaptureFile(path: path, filter: filter)
        return nil
      } catch {
        return error.exitClass
      }
    }
    #expect(exit(folder + "/nothing.pcap") == .noInput)
    #expect(exit(folder) == .noInput)
    #expect(exit(file.path) == .badInput)
    let good = try TemporaryFile(PcapBuilder().contents)
    #expect(exit(good.path) == nil)
    #expect(exit(good.path, "tcp prot 1883") == .usage)
  }
}
