internal import Simulation
internal import Timeline
internal import Wire

/// Keeps the frames of every connection that begins with a Connect to a courier, and makes a
/// scenario for each device when the capture is over.
final class APNsScenarioExtractor: ScenarioExtractor {
  private var recordings: [APNsRecording] = []
  /// Connections that are being told of.
  private var open: [ConnectionID: APNsRecording] = [:]
  private var origin: Instant?
  private let unfinished: UnfinishedBytes

  private let names: APNsTopicNames

  init(names: APNsTopicNames, unfinished: UnfinishedBytes = UnfinishedBytes()) {
    self.names = names
    self.unfinished = unfinished
  }

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    origin = min(origin ?? moment.time, moment.time)
    let recording: APNsRecording
    if let known = open[connection] {
      recording = known
    } else {
      recording = APNsRecording(connection, at: moment)
      open[connection] = recording
      recordings.append(recording)
    }
    unsafe recording.receive(event, bytes: bytes, at: moment)
    var isOver = false
    if case .ended = event { isOver = true }
    recording.countUnfinished(
      in: unfinished, of: self, description, isOver: isOver, at: moment)
    if unfinished.isOverLimit { unfinished.makeRoom() }
    if isOver {
      open[connection] = nil
      // Of other protocols: nothing was kept of it.
      if recording.frames.isEmpty { recordings.removeAll { $0 === recording } }
    }
  }

  func finish(source: String, at end: Moment) -> [ExtractedHistory] {
    var devices: [APNsToken] = []
    var byDevice: [APNsToken: [APNsRecording]] = [:]
    for recording in recordings {
      guard let token = recording.token else { continue }
      if byDevice[token] == nil { devices.append(token) }
      byDevice[token, default: []].append(recording)
    }
    let origin = origin ?? end.time
    return devices.map { token in
      var builder = APNsHistoryBuilder(
        token, byDevice[token] ?? [], names: names, source: source, origin: origin, end: end)
      return builder.build()
    }
  }
}

extension APNsScenarioExtractor: UnfinishedHolder {
  func giveUp(_ bytes: UnfinishedBytes.Held) {
    guard let recording = open[bytes.place.connection] else { return }
    recording.giveUpUnfinished(bytes)
    recording.countUnfinished(
      in: unfinished, of: self, bytes.description, isOver: false, at: bytes.moment)
  }
}
