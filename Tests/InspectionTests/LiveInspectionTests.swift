import Capture
import Custody
import Foundation
import Inspection
import Testing
import Timeline
import Unwrapping

/// A capture that comes bit by bit is told as it comes, and ends in the report of the whole file.
@Suite struct LiveInspectionTests {
  /// A file, handed out in pieces.
  private final class Pieces: CaptureFeed {
    let name: String
    var droppedPackets: UInt64 = 0
    var failure: String? { nil }
    private let bytes: [UInt8]
    private var position = 0
    private let size: Int
    /// Called before each piece.
    var beat: (Pieces) -> Void = { _ in }
    /// Called when there are no more.
    var last: () -> Void = {}

    init(_ path: String, size: Int) throws {
      name = path
      bytes = Array(try Data(contentsOf: URL(filePath: path)))
      self.size = size
    }

    func read(into target: UnsafeMutableRawBufferPointer) -> Int {
      beat(self)
      let count = min(size, target.count, bytes.count - position)
      for index in 0..<count { unsafe target[index] = bytes[position + index] }
      position += count
      if count == 0 { last() }
      return count
    }
  }

  private struct Watched {
    var record: InspectionRecord
    var events: [LiveEvent]

    func sessions(_ kind: LiveEvent.Kind) -> [UInt32] {
      events.filter { $0.kind == kind }.compactMap { $0.session?.number }.sorted()
    }

    func deliveries(_ kind: LiveEvent.Kind) -> Set<DeliveryID> {
      Set(events.filter { $0.kind == kind }.compactMap(\.delivery))
    }
  }

  private func watch(
    _ truth: Captures.Truth, patience: Nanoseconds = .milliseconds(200), later: Nanoseconds = .zero,
    drops: Bool = false
  ) throws -> Watched {
    let live = LiveInspection(CaptureOptions(), keepsDeliveries: true, patience: patience)
    var events: [LiveEvent] = []
    let feed = try Pieces(truth.path, size: 97)
    feed.beat = { feed in
      guard let now = live.latestPacket?.time else { return }
      if drops { feed.droppedPackets += 1 }
      events += live.news(at: now, dropped: feed.droppedPackets)
    }
    feed.last = {
      guard later > .zero, let now = live.latestPacket?.time else { return }
      events += live.news(at: now + later, dropped: 0)
    }
    let record = try live.run(feed, filter: nil, mayBeQuiet: false, showing: nil) {
      guard later > .zero, let now = live.latestPacket?.time else { return nil }
      return now + later
    }
    return Watched(record: record, events: events)
  }

  @Test(arguments: Captures.mqtt)
  func `the report is that of the whole file`(_ truth: Captures.Truth) throws {
    let whole = try CaptureInspection.inspect(truth.path)
    #expect(try watch(truth).record == whole)
  }

  @Test(arguments: Captures.mqtt)
  func `what is told on the way is what the report says, each once`(
    _ truth: Captures.Truth
  ) throws {
    let watched = try watch(truth)
    let observation = watched.record.observation
    let opened = watched.sessions(.sessionOpened)
    #expect(Set(opened).count == opened.count)
    #expect(Set(opened).isSubset(of: observation.sessions.map(\.id.number)))
    let identified = observation.sessions.filter {
      $0.isIdentified && $0.end != .refused && $0.evidenceMissing.isEmpty
    }
    #expect(Set(identified.map(\.id.number)).isSubset(of: opened))
    let closed = watched.sessions(.sessionClosed)
    let ended = observation.sessions.filter { $0.end != .open && $0.end != .unknown }
    #expect(closed == ended.map(\.id.number))
    for (kind, state) in [(LiveEvent.Kind.ghost, DeliveryState.ghost), (.lost, .lost)] {
      let told = watched.deliveries(kind)
      let judged = observation.deliveries.filter { $0.state == state }.map(\.id)
      #expect(told.isSuperset(of: judged), "\(kind)")
      // A server may mend what looked given up, but not in any of these.
      #expect(told.isSubset(of: judged), "\(kind)")
    }
  }

  @Test func `there is something to tell`() throws {
    let all = try Captures.mqtt.flatMap { try watch($0).events.map(\.kind) }
    for kind in [LiveEvent.Kind.unacknowledged, .acknowledgedLate, .ghost, .lost] {
      #expect(all.contains(kind), "\(kind)")
    }
  }

  @Test(arguments: Captures.mqtt)
  func `when the kernel dropped packets nothing that is absent is held against anybody`(
    _ truth: Captures.Truth
  ) throws {
    let watched = try watch(truth, drops: true)
    let absences: [FindingRecord.Oracle] = [.ghost, .lost, .zombie, .stuck]
    #expect(
      watched.record.observation.findings.allSatisfy {
        $0.verdict != .violated || !absences.contains($0.oracle)
      })
    #expect(watched.deliveries(.ghost).isEmpty && watched.deliveries(.lost).isEmpty)
    #expect(watched.events.contains { $0.kind == .packetsDropped })
  }

  @Test func `a client that is silent for too long is a zombie, though no packet says so`() throws {
    let truth = try #require(Captures.mqtt.first { $0.name == "several-subscribers" })
    let open = try watch(truth).record.observation.sessions.filter {
      $0.end == .open && $0.keepAlive > .zero && $0.evidenceMissing.isEmpty
    }
    let longest = try #require(open.map(\.keepAlive).max())
    #expect(try watch(truth).sessions(.zombie).isEmpty)
    let watched = try watch(truth, later: longest * 3)
    #expect(watched.sessions(.zombie) == open.map(\.id.number))
    #expect(
      watched.record.observation.findings.filter { $0.oracle == .zombie }.count == open.count)
  }
}
