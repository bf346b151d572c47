internal import Simulation
internal import Timeline
internal import Wire

/// Keeps the packets of every connection that begins with a CONNECT, and makes a scenario for each
/// subscriber of them when the capture is over.
final class MQTTScenarioExtractor: ScenarioExtractor {
  private var recordings: [MQTTRecording] = []
  /// Connections that are being told of.
  private var open: [ConnectionID: MQTTRecording] = [:]
  private var origin: Instant?
  private let unfinished: UnfinishedBytes

  init(unfinished: UnfinishedBytes = UnfinishedBytes()) { self.unfinished = unfinished }

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    origin = min(origin ?? moment.time, moment.time)
    let recording: MQTTRecording
    if let known = open[connection] {
      recording = known
    } else {
      recording = MQTTRecording(connection, description, at: moment)
      open[connection] = recording
      recordings.append(recording)
    }
    unsafe recording.receive(event, bytes: bytes, at: moment)
    var isOver = false
    if case .ended = event { isOver = true }
    recording.countUnfinished(in: unfinished, of: self, isOver: isOver, at: moment)
    if unfinished.isOverLimit { unfinished.makeRoom() }
    if isOver { open[connection] = nil }
  }

  func finish(source: String, at end: Moment) -> [ExtractedHistory] {
    let story = MQTTStory(recordings, origin: origin ?? end.time, end: end)
    guard !story.sessions.isEmpty else { return [] }
    var subscribers = story.subscribers.map(Optional.some)
    if subscribers.isEmpty { subscribers = [nil] }
    return subscribers.map { subscriber in
      var builder = MQTTHistoryBuilder(story, subscriber: subscriber, source: source)
      return builder.build()
    }
  }
}

extension MQTTScenarioExtractor: UnfinishedHolder {
  func giveUp(_ bytes: UnfinishedBytes.Held) {
    guard let recording = open[bytes.place.connection] else { return }
    recording.giveUpUnfinished(bytes)
    recording.countUnfinished(in: unfinished, of: self, isOver: false, at: bytes.moment)
  }
}
