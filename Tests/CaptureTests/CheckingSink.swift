import Timeline
import Wire

@testable import Capture

/// Checks the contract of events without keeping any: what every reading of anything must obey.
final class CheckingSink: ConnectionSink {
  private struct Progress {
    var next: [UInt64] = [0, 0]
    var acknowledged: [UInt64] = [0, 0]
    var isOver = false
  }

  private var connections: [Progress] = []
  /// The first breach.
  private(set) var problem: String?

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    let index = Int(connection.index)
    if index == connections.count { connections.append(Progress()) }
    let before = connections[index].next
    if connections[index].isOver { problem = problem ?? "\(event) after the end" }
    switch event {
    case .bytes(let direction, let offset):
      expect(offset == before[Int(direction.rawValue)] && bytes.count > 0, event, before)
      connections[index].next[Int(direction.rawValue)] = offset &+ UInt64(bytes.count)
    case .gap(let direction, let offset, let length, _):
      expect(offset == before[Int(direction.rawValue)] && length > 0, event, before)
      connections[index].next[Int(direction.rawValue)] = offset &+ length
    case .finished(let direction, let offset):
      expect(offset == before[Int(direction.rawValue)], event, before)
    case .acknowledged(let direction, let upTo):
      expect(upTo > connections[index].acknowledged[Int(direction.rawValue)], event, before)
      connections[index].acknowledged[Int(direction.rawValue)] = upTo
    case .retransmission(_, _, let length):
      expect(length > 0, event, before)
    case .ended:
      connections[index].isOver = true
    case .began, .established, .keepAliveProbe, .windowClosed, .secured, .reset:
      break
    }
  }

  private func expect(_ holds: Bool, _ event: ConnectionEvent, _ before: [UInt64]) {
    if !holds { problem = problem ?? "\(event) where \(before) was next" }
  }
}
