import Capture
import Foundation
import PushProtocols
import Timeline
import Unwrapping
import Wire

/// Writes a capture of a courier in serial framing as one in packed framing: the same frames at the
/// same times. No client of packed framing could be recorded.
final class PackedTwin: ConnectionSink {
  /// What goes wrong on the way from the encoder to the wire.
  enum Accident: Sendable { case none, drops, repeats }

  private struct Stream {
    var framer = APNsFramer(.serial, tableLimit: 0, startingAt: 0)
    var encoder = APNsPackedEncoder()
    /// Bytes that were there, and that are here.
    var read: UInt64 = 0
    var written: UInt64 = 0
    var frames = 0
  }

  private let writer = ClearTwin()
  private var streams: [ConnectionID: [Stream]] = [:]
  private let accident: Accident
  /// The frame of the courier that it happens to, from 1.
  private let at: Int

  init(_ accident: Accident, at: Int) {
    self.accident = accident
    self.at = at
  }

  static func write(
    _ path: String, to twin: String, _ accident: Accident = .none, at: Int = 0
  ) throws {
    let reading = try UnwrappedCapture.read(path, CaptureOptions()) { _ in
      PackedTwin(accident, at: at)
    }
    try reading.sink.writer.write(to: twin)
  }

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    var pair = streams[connection] ?? [Stream(), Stream()]
    defer { streams[connection] = pair }
    func tell(_ event: ConnectionEvent, _ bytes: [UInt8] = []) {
      unsafe bytes.withUnsafeBytes {
        unsafe writer.receive(event, of: connection, description, bytes: $0, at: moment)
      }
    }
    switch event {
    case .bytes(let direction, let offset):
      let side = Int(direction.rawValue)
      let piece = unsafe Array(bytes)
      pair[side].read = offset + UInt64(piece.count)
      var framer = pair[side].framer
      var packed: [UInt8] = []
      try? framer.read(piece, at: offset) { decoded, _ in
        pair[side].frames += 1
        let encoded = pair[side].encoder.encode(Self.typed(decoded.frame))
        let isHere = direction == .toClient && pair[side].frames == at
        if isHere, accident == .drops { return }
        packed += isHere && accident == .repeats ? encoded + encoded : encoded
      }
      pair[side].framer = framer
      if packed.isEmpty { return }
      tell(.bytes(direction, offset: pair[side].written), packed)
      pair[side].written += UInt64(packed.count)
    case .acknowledged(let direction, let upTo):
      let stream = pair[Int(direction.rawValue)]
      if upTo >= stream.read { tell(.acknowledged(direction, upTo: stream.written)) }
    case .finished(let direction, _):
      tell(.finished(direction, offset: pair[Int(direction.rawValue)].written))
    case .retransmission: break
    case _: tell(event)
    }
  }

  /// What an encoder would be given: numbers as numbers, tokens and topics through the tables.
  private static func typed(_ frame: APNsFrame) -> APNsFrame {
    var frame = frame
    for index in frame.items.indices {
      guard case .bytes(let bytes) = frame.items[index].value else { continue }
      if bytes.count == 32 || bytes.count == 20 {
        frame.items[index].isStored = true
      } else if bytes.count <= 8, frame.items[index].key != 3 {
        let number = bytes.reduce(0 as Int128) { $0 << 8 | Int128($1) }
        frame.items[index].value = .integer(number)
      }
    }
    return frame
  }
}
