import Foundation
import Synchronization
import Testing
import Timeline
import Wire

@testable import Capture

@Suite struct ContainerTests {
  private static let segment = PacketBuilder.tcp(
    from: 40_000, to: 1883, seq: 7, ack: 9, flags: [], payload: Array("push".utf8))
  private static let ipv4 = PacketBuilder.ipv4(segment)
  private static let frame = PacketBuilder.ethernet(0x0800, ipv4)

  private func segment(_ seq: UInt32, _ text: String) -> [UInt8] {
    PacketBuilder.ethernet(
      0x0800,
      PacketBuilder.ipv4(
        PacketBuilder.tcp(
          from: 40_000, to: 1883, seq: seq, ack: 9, flags: [], payload: Array(text.utf8))))
  }

  private func read(_ files: [[UInt8]]) throws -> (RecordingSink, CaptureSummary) {
    let kept = try files.map { try TemporaryFile($0) }
    let sink = RecordingSink()
    let summary = try CaptureFile(paths: kept.map(\.path)).read(into: sink)
    return (sink, summary)
  }

  @Test(arguments: [false, true])
  func `interfaces of one file may differ in link type, snap length and clock`(
    bigEndian: Bool
  ) throws {
    var file = PcapngBuilder(bigEndian: bigEndian)
    file.interface(linkType: 1, snapLength: 96)
    file.interface(linkType: 101, options: file.option(9, [9]) + file.option(0, []))
    file.interface(linkType: 228, snapLength: 65_535, options: file.option(9, [0x8A]))
    file.packet(Self.frame, interface: 0, stamp: 3_000_000)
    file.packet(Self.ipv4, interface: 1, stamp: 3_000_000_500)
    file.packet(Self.ipv4, interface: 2, stamp: 3 << 10 | 512)
    let (sink, summary) = try read([file.contents])
    #expect(summary.packets == 3)
    #expect(summary.tcpPackets == 3)
    #expect(summary.firstTime == Instant(nanoseconds: 3_000_000_000))
    #expect(summary.lastTime == Instant(nanoseconds: 3_500_000_000))
    #expect(sink.lines.suffix(3).prefix(2) == ["2 > again 0+4", "3 > again 0+4"])
  }

  @Test func `a second section numbers its interfaces anew`() throws {
    var file = PcapngBuilder()
    file.interface(linkType: 1)
    file.packet(Self.frame, stamp: 0)
    file.section()
    file.interface(linkType: 101)
    file.packet(Self.ipv4, stamp: 0)
    let (_, summary) = try read([file.contents])
    #expect(summary.tcpPackets == 2)
  }

  @Test func `comments, secrets and simple packets are read`() throws {
    var file = PcapngBuilder()
    file.secrets("CLIENT_RANDOM 00 11\n")
    file.interface(linkType: 1, snapLength: 58)
    file.packet(Self.frame, stamp: 5_000_000, comment: "the one that matters")
    file.simplePacket(Self.frame)
    let (sink, summary) = try read([file.contents])
    #expect(summary.comments == [PacketComment(frame: 1, text: "the one that matters")])
    #expect(summary.secrets.map(\.kind) == [0x544C_534B])
    #expect(summary.secrets.map { String(decoding: $0.bytes, as: UTF8.self) } == [
      "CLIENT_RANDOM 00 11\n"
    ])
    #expect(sink.lines.contains("2 > again 0+4"))
    #expect(summary.lastTime == summary.firstTime, "a simple packet has the time before it")
  }

  @Test func `an interface of an unknown link type costs only its own packets`() throws {
    var file = PcapngBuilder()
    file.interface(linkType: 195)
    file.interface(linkType: 1)
    file.packet([1, 2, 3], interface: 0, stamp: 0)
    file.packet(Self.frame, interface: 1, stamp: 0)
    let (sink, summary) = try read([file.contents])
    #expect(sink.lines.first == "2 began mid-stream")
    #expect(summary.warnings.map(\.kind) == [.unknownLinkType])
    #expect(summary.packetsNotTCP == 1)
  }

  @Test func `a file whose interfaces are all of unknown link types is refused`() throws {
    var contents = PcapngBuilder()
    contents.interface(linkType: 195)
    contents.packet([1, 2, 3], stamp: 0)
    let file = try TemporaryFile(contents.contents)
    #expect(
      throws: CaptureError.unknownLinkType(file: file.path, number: 195, name: "IEEE802_15_4")
    ) { _ = try CaptureFile(path: file.path) }
  }

  @Test func `what follows damage in a pcapng file is read`() throws {
    var file = PcapngBuilder()
    file.interface(linkType: 1)
    file.packet(segment(1, "before"), stamp: 0)
    file.junk([0xFF, 0xFF, 0xFF, 0xFF, 0x03, 0, 0, 0, 0, 0, 0, 0])
    file.packet(segment(7, " and after"), stamp: 0)
    let (sink, summary) = try read([file.contents])
    #expect(sink.connections[0].toServer == Array("before and after".utf8))
    #expect(summary.warnings.map(\.kind) == [.damagedRecord])
    #expect(summary.warnings[0].offset == 140)
    #expect(summary.warnings[0].frame == 2)
  }

  @Test func `what follows damage in a pcap file is read`() throws {
    var file = PcapBuilder()
    var broken = PcapBuilder()
    for builder in 0..<2 {
      if builder == 0 { file.add(segment(1, "before"), atNanoseconds: 1_000_000_000) }
      broken.add(segment(50, "lost"), atNanoseconds: 1_000_000_000)
    }
    var contents = file.contents
    // A record whose length was overwritten, and three good ones behind it.
    var bad = Array(broken.contents.dropFirst(24).prefix(16 + 58))
    bad.replaceSubrange(8..<12, with: [0xFF, 0xFF, 0xFF, 0x7F])
    contents += bad
    var rest = PcapBuilder()
    rest.add(segment(7, " and"), atNanoseconds: 2_000_000_000)
    rest.add(segment(11, " far"), atNanoseconds: 2_000_000_000)
    rest.add(segment(15, " after"), atNanoseconds: 2_000_000_000)
    contents += rest.contents.dropFirst(24)
    let (sink, summary) = try read([contents])
    #expect(sink.connections[0].toServer == Array("before and far after".utf8))
    #expect(summary.warnings.map(\.kind) == [.damagedRecord])
  }

  @Test func `files are merged in the order of their times`() throws {
    var first = PcapBuilder()
    first.add(segment(1, "a"), atNanoseconds: 1_000_000_000)
    first.add(segment(3, "c"), atNanoseconds: 3_000_000_000)
    var second = PcapngBuilder()
    second.interface(linkType: 1)
    second.packet(segment(2, "b"), stamp: 2_000_000)
    second.packet(segment(4, "d"), stamp: 4_000_000)
    let (sink, summary) = try read([first.contents, second.contents])
    #expect(
      sink.lines.dropLast() == [
        "1 began mid-stream", "1 > 0 'a'", "2 > 1 'b'", "3 > 2 'c'", "4 > 3 'd'",
      ])
    #expect(summary.packets == 4)
    #expect(summary.files.count == 2)
  }

  /// gzip with a stored block (RFC 1951 §3.2.4), a header without names, and no trailer check.
  private func gzip(_ bytes: [UInt8]) -> [UInt8] {
    var crc: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    func little(_ value: UInt32) -> [UInt8] { bigEndian(value).reversed() }
    let length = UInt16(bytes.count)
    let lengths = [UInt8(length & 0xFF), UInt8(length >> 8)]
    return [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255, 1] + lengths + lengths.map { ~$0 } + bytes
      + little(~crc) + little(UInt32(bytes.count))
  }

  private func bigEndian(_ value: UInt32) -> [UInt8] { bytes(value) }

  /// A zstd frame with one raw block (RFC 8878 §3.1.1).
  private func zstd(_ bytes: [UInt8]) -> [UInt8] {
    let header = UInt32(bytes.count) << 3 | 1
    return [0x28, 0xB5, 0x2F, 0xFD, 0x60, UInt8((bytes.count - 256) & 0xFF),
      UInt8((bytes.count - 256) >> 8)] + bigEndian(header).reversed().prefix(3) + bytes
  }

  private var capture: [UInt8] {
    var file = PcapBuilder()
    for index in 0..<5 {
      file.add(segment(UInt32(1 + 4 * index), "push"), atNanoseconds: 1_000_000_000)
    }
    return file.contents
  }

  @Test func `gzip and zstd files are read, in several members too`() throws {
    let whole = capture
    for compressed in [
      gzip(whole), zstd(whole), gzip(Array(whole.prefix(100))) + gzip(Array(whole.dropFirst(100))),
    ] {
      let (sink, summary) = try read([compressed])
      #expect(sink.connections.map(\.toServer.count) == [20])
      #expect(summary.warnings.isEmpty)
    }
  }

  @Test func `a compressed file that is cut is used up to there`() throws {
    let (sink, summary) = try read([gzip(capture).dropLast(50)])
    #expect(sink.connections.map(\.toServer.count) == [16])
    #expect(summary.warnings.map(\.kind) == [.truncatedFile])
    #expect(summary.warnings[0].text.contains("the compressed stream is cut off"))
  }

  @Test func `text in a compressed file is told as such`() throws {
    let file = try TemporaryFile(gzip(Array("hello\n".utf8)))
    #expect(throws: CaptureError.notACapture(file: file.path, found: "text")) {
      _ = try CaptureFile(path: file.path)
    }
  }

  /// A zstd frame of 128 KiB blocks of zeros, four bytes each, behind some bytes of its own.
  private func bomb(_ first: [UInt8], blocks: Int) -> [UInt8] {
    func header(_ size: Int, type: UInt32, isLast: Bool) -> [UInt8] {
      bigEndian(UInt32(size) << 3 | type << 1 | (isLast ? 1 : 0)).reversed().prefix(3).map { $0 }
    }
    // A window of 128 KiB, no checksum.
    var frame: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 7 << 3]
    frame += header(first.count, type: 0, isLast: false) + first
    for block in 0..<blocks {
      frame += header(1 << 17, type: 1, isLast: block == blocks - 1) + [0]
    }
    return frame
  }

  @Test func `a file that grows beyond all measure is said to, once, while it is read`() throws {
    // A section, and a block of a kind that nobody knows, which claims more than there is.
    var file = PcapngBuilder().contents
    file += [0x99, 0x09, 0, 0, 0, 0, 0, 0x10]
    for (blocks, isBomb) in [(200, false), (700, true)] {
      let heard = Heard()
      let capture = try TemporaryFile(bomb(file, blocks: blocks))
      let summary = try CaptureFile(path: capture.path, notice: { heard.add($0) })
        .read(into: RecordingSink())
      #expect(heard.count == (isBomb ? 1 : 0))
      #expect(summary.warnings.contains { $0.kind == .expansion } == isBomb)
    }
  }

  @Test func `a compressed file in a compressed file is named`() throws {
    let file = try TemporaryFile(gzip(zstd(capture)))
    #expect(throws: CaptureError.notACapture(file: file.path, found: "zstd inside of gzip")) {
      _ = try CaptureFile(path: file.path)
    }
  }
}

/// How often a notice came.
private final class Heard: Sendable {
  private let all = Mutex<[String]>([])

  var count: Int { all.withLock { $0.count } }

  func add(_ text: String) { all.withLock { $0.append(text) } }
}
