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

  init() {}

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
    if case .ended = event { open[connection] = nil }
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
