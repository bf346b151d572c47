import Timeline
import Wire

/// Holds what it is told against what `ConnectionEvent` promises, and keeps none of it.
final class ContractSink: ConnectionSink {
  private struct Flow {
    var next: UInt64 = 0
    var acknowledged: UInt64 = 0
    var isFinished = false
    /// Of all bytes, in their order.
    var digest: UInt64 = 0xcbf2_9ce4_8422_2325
    /// Byte less offset, where bytes count up.
    var base: UInt8?
  }

  private struct Progress {
    var flows = [Flow(), Flow()]
    var isOver = false
  }

  private var connections: [ConnectionID: Progress] = [:]
  /// Every byte is the last one of its sequence number.
  private let bytesCountUp: Bool
  private(set) var events = 0
  private(set) var finding: FuzzFinding?
  /// Holes were told.
  private(set) var hasGaps = false

  init(bytesCountUp: Bool = false) { self.bytesCountUp = bytesCountUp }

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    events += 1
    var progress = connections[connection] ?? Progress()
    if progress.isOver { note("\(event) after the end") }
    switch event {
    case .bytes(let direction, let offset):
      expect(bytes.count > 0, "no bytes at \(offset)")
      unsafe take(bytes, at: offset, &progress.flows[Int(direction.rawValue)])
    case .gap(let direction, let offset, let length, _):
      hasGaps = true
      expect(length > 0, "a gap of nothing at \(offset)")
      advance(&progress.flows[Int(direction.rawValue)], from: offset, by: length, event)
    case .acknowledged(let direction, let upTo):
      let known = progress.flows[Int(direction.rawValue)].acknowledged
      expect(upTo > known, "acknowledged \(upTo) after \(known)")
      progress.flows[Int(direction.rawValue)].acknowledged = upTo
    case .finished(let direction, let offset):
      let flow = progress.flows[Int(direction.rawValue)]
      expect(offset == flow.next, "finished at \(offset) where \(flow.next) is next")
      expect(!flow.isFinished, "finished twice")
      progress.flows[Int(direction.rawValue)].isFinished = true
    case .retransmission(_, let offset, let length):
      expect(length > 0, "nothing again at \(offset)")
      expect(!offset.addingReportingOverflow(length).overflow, "\(event) goes around")
    case .ended: progress.isOver = true
    case .began, .established, .keepAliveProbe, .windowClosed, .secured, .reset: break
    }
    connections[connection] = progress
  }

  private func advance(
    _ flow: inout Flow, from offset: UInt64, by length: UInt64, _ event: ConnectionEvent
  ) {
    expect(offset == flow.next, "\(event) where \(flow.next) is next")
    let (end, goesAround) = offset.addingReportingOverflow(length)
    expect(!goesAround, "\(event) goes around")
    flow.next = end
  }

  private func take(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, _ flow: inout Flow) {
    let event = ConnectionEvent.bytes(.toServer, offset: offset)
    advance(&flow, from: offset, by: UInt64(bytes.count), event)
    for index in 0..<bytes.count {
      let byte = unsafe bytes[index]
      flow.digest = (flow.digest ^ UInt64(byte)) &* 0x100_0000_01b3
      guard bytesCountUp else { continue }
      let base = byte &- UInt8(truncatingIfNeeded: offset &+ UInt64(index))
      expect(
        flow.base == nil || flow.base == base, "a byte at the wrong offset, \(offset)+\(index)")
      flow.base = base
    }
  }

  private func note(_ text: String) { finding = finding ?? FuzzFinding(text) }

  private func expect(_ holds: Bool, _ text: @autoclosure () -> String) {
    if !holds { note(text()) }
  }

  /// All bytes of all connections, in the order of their numbers.
  var digests: [[UInt64]] {
    connections.sorted { $0.key < $1.key }.map { $0.value.flows.map(\.digest) }
  }

  /// Nothing more comes.
  ///
  /// - Parameter budget: the most events that the input accounts for.
  func conclude(budget: Int) throws(FuzzFinding) {
    if let finding { throw finding }
    if events > budget { throw FuzzFinding("\(events) events of an input worth \(budget)") }
    if let open = connections.filter({ !$0.value.isOver }).keys.min() {
      throw FuzzFinding("connection \(open.index) has no end")
    }
  }
}
