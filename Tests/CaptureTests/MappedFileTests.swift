import Foundation
import Testing
import Timeline
import Wire

@testable import Capture

/// Files that are looked at where they lie in memory.
@Suite struct MappedFileTests {
  /// One connection whose client sends much, and whose server acknowledges all of it.
  private static func capture(segments: Int, of size: Int) -> [UInt8] {
    var file = PcapBuilder()
    func add(_ packet: [UInt8]) {
      file.add(PacketBuilder.ethernet(0x0800, packet), atNanoseconds: 0)
    }
    add(
      PacketBuilder.ipv4(PacketBuilder.tcp(from: 40_000, to: 1883, seq: 0, ack: nil, flags: .syn)))
    add(
      PacketBuilder.ipv4(
        from: PacketBuilder.serverAddress, to: PacketBuilder.clientAddress,
        PacketBuilder.tcp(from: 1883, to: 40_000, seq: 0, ack: 1, flags: .syn)))
    var next: UInt32 = 1
    for index in 0..<segments {
      // Of all lengths, so that records begin anywhere on a page.
      let payload = [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: size - index % 97)
      add(
        PacketBuilder.ipv4(
          PacketBuilder.tcp(
            from: 40_000, to: 1883, seq: next, ack: 1, flags: [],
            payload: payload)))
      next += UInt32(payload.count)
    }
    return file.contents
  }

  private func read(_ path: String, isMapped: Bool, relayed: Bool = false) throws -> RecordingSink {
    let sink = RecordingSink()
    let relay = relayed ? ConnectionRelay(to: sink) : nil
    _ = try CaptureFile(path: path, isMapped: isMapped).read(into: relay ?? sink)
    relay?.finish()
    return sink
  }

  /// A piece is 8 MiB.
  @Test func `a mapped file is told as one that is read, piece by piece`() throws {
    let file = try TemporaryFile(Self.capture(segments: 500, of: 40_000))
    let lines = try read(file.path, isMapped: false).lines
    #expect(lines.count > 500)
    #expect(try read(file.path, isMapped: true).lines == lines)
    let relayed = try read(file.path, isMapped: true, relayed: true)
    #expect(relayed.lines == lines)
    #expect(relayed.connections[0].toServer.count > 2 * 8 << 20)
  }

  @Test(arguments: [0, 1, 23, 24, 30, 100])
  func `a mapped file that ends anywhere ends with the same words`(_ count: Int) throws {
    let file = try TemporaryFile(Array(Self.capture(segments: 1, of: 100).prefix(count)))
    func outcome(_ isMapped: Bool) -> String {
      do {
        let sink = RecordingSink()
        let summary = try CaptureFile(path: file.path, isMapped: isMapped).read(into: sink)
        return "\(summary.warnings)"
      } catch {
        return "\(error)"
      }
    }
    #expect(outcome(true) == outcome(false))
  }

  @Test func `what has no end yet can't be mapped, and is read`() throws {
    let pipe = Pipe()
    let contents = Data(Self.capture(segments: 3, of: 100))
    try pipe.fileHandleForWriting.write(contentsOf: contents)
    try pipe.fileHandleForWriting.close()
    let path = "/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)"
    let told = try read(path, isMapped: true)
    let file = try TemporaryFile(Array(contents))
    #expect(try told.lines == read(file.path, isMapped: false).lines)
    #expect(told.connections[0].toServer.count == 297)
  }

  @Test func `bytes that were cut off are zeros to whoever looks, and that is noticed`() throws {
    let file = try TemporaryFile([UInt8](repeating: 7, count: 100_000))
    let descriptor = unsafe open(file.path, O_RDONLY)
    defer { close(descriptor) }
    let piece = try #require(FilePiece(descriptor, at: 0, atLeast: 1))
    let before = FilePiece.losses
    #expect(unsafe piece.bytes.count == 100_000 && piece.bytes[99_999] == 7)
    let isCut = unsafe truncate(file.path, 10) == 0
    #expect(isCut)
    #expect(unsafe piece.bytes[99_999] == 0)
    #expect(unsafe piece.bytes[9] == 7)
    #expect(FilePiece.losses > before)
  }

  @Test func `what has grown since is shown too`() throws {
    let file = try TemporaryFile([1, 2, 3])
    var source = ByteSource(.mapped(try FileProbe.open(file.path)))
    let hasAll = source.ensure(3)
    #expect(hasAll)
    source.advance(2)
    let handle = try #require(FileHandle(forWritingAtPath: file.path))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data([4, 5]))
    let hasMore = source.ensure(3)
    let more = source.array(0, 3)
    #expect(hasMore && more == [3, 4, 5])
    let hasTooMuch = source.ensure(4)
    let (available, offset) = (source.available, source.offset)
    #expect(!hasTooMuch && available == 3 && offset == 2)
  }

  /// Memory that is gone when nobody holds it.
  @safe private final class Loan: LastingBytes {
    let bytes: UnsafeRawBufferPointer
    private let memory: UnsafeMutableRawBufferPointer

    init(_ contents: [UInt8]) {
      unsafe memory = .allocate(byteCount: contents.count, alignment: 1)
      unsafe memory.copyBytes(from: contents)
      unsafe bytes = UnsafeRawBufferPointer(memory)
    }

    deinit {
      for index in unsafe memory.indices { unsafe memory[index] = 0xEE }
      unsafe memory.deallocate()
    }
  }

  @Test func `a relay tells what is lent, what is copied and what is short alike`() throws {
    let sink = RecordingSink()
    let relay = try #require(ConnectionRelay(to: sink))
    let description = ConnectionDescription(
      client: Endpoint(address: [10, 0, 0, 2], port: 50_000),
      server: Endpoint(address: [10, 0, 0, 1], port: 1883), clientRule: .synSender)
    unsafe relay.receive(
      .began(handshake: true), of: ConnectionID(0), description,
      bytes: UnsafeRawBufferPointer(start: nil, count: 0), at: Moment(time: .start, frame: 1))
    var expected: [UInt8] = []
    weak var last: Loan?
    func tell(_ bytes: UnsafeRawBufferPointer) {
      let segment = PlainSegment(
        .toServer, offset: UInt64(expected.count), acknowledges: false, acknowledged: 0)
      _ = unsafe relay.takes(
        segment, of: ConnectionID(0), bytes: bytes, at: Moment(time: .start, frame: 2))
      unsafe expected += bytes
    }
    for round in 0..<40 {
      let loan = Loan((0..<4000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ round) })
      last = loan
      relay.lend(loan)
      for count in [1, 8, 9, 64, 65, 1000] {
        unsafe tell(UnsafeRawBufferPointer(rebasing: loan.bytes[count..<2 * count]))
        let own = (0..<count).map { UInt8(truncatingIfNeeded: $0 &+ round) }
        unsafe own.withUnsafeBytes { unsafe tell($0) }
      }
    }
    relay.lend(nil)
    relay.finish()
    #expect(sink.connections[0].toServer == expected)
    #expect(!sink.connections[0].isInconsistent)
    #expect(last == nil)
  }
}
