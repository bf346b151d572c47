internal import Simulation
internal import Timeline
internal import Wire

/// The notifications to one device, each once however often it was sent.
struct APNsPublications {
  struct Entry {
    var number: UInt16
    var topic: APNsTopic
    /// When it was sent first.
    var moment: Moment
    /// `nil`: it never expires. Zero: it was to be tried once.
    var expiry: Nanoseconds?
    var sends: UInt16 = 0
    var isAcknowledged = false
    /// It waited while the device was away: the position of the connection that brought it.
    var queuedFor: Int?
    /// It waited since before the capture.
    var isOlderThanCapture = false
    fileprivate var connection = 0
  }

  private struct Content: Hashable {
    var topic: APNsTopic
    var digest: UInt32
    var size: UInt64
  }

  /// How soon after the filter what was in store comes.
  private static let flush = Nanoseconds.seconds(1)

  private(set) var entries: [Entry] = []
  /// Notifications without a topic, or too many to be numbered.
  private(set) var leftOut = 0
  /// The most notifications of one app that came from storage when the device was back.
  private(set) var mostStored = 1
  private var stored: [APNsTopic: Int] = [:]
  private var byMessage: [UInt32: (content: Content, entry: Int)] = [:]
  private var byContent: [Content: Int] = [:]
  /// The entry of each frame, by connection and position.
  private(set) var marks: [[Int: Int]] = []

  init(_ recordings: [APNsRecording]) {
    for (connection, recording) in recordings.enumerated() {
      marks.append([:])
      stored.removeAll()
      var open: [UInt32: Int] = [:]
      var filtered: Moment?
      for (position, frame) in recording.frames.enumerated() {
        if frame.command == .filter, !frame.topics.isEmpty, filtered == nil {
          filtered = frame.moment
        }
        if let notification = frame.notification {
          guard let entry = take(notification, on: connection, filtered) else { continue }
          marks[connection][position] = entry
          open[notification.messageID] = entry
        } else if frame.command == .ack, frame.direction == .toServer, let id = frame.messageID,
          let entry = open[id]
        {
          marks[connection][position] = entry
          if !frame.peerHadClosed { entries[entry].isAcknowledged = true }
        }
      }
    }
  }

  private mutating func take(
    _ notification: APNsNotification, on connection: Int, _ filtered: Moment?
  ) -> Int? {
    guard let topic = notification.topic else {
      leftOut += 1
      return nil
    }
    if Self.wasStored(notification, on: connection, filtered) {
      stored[topic, default: 0] += 1
      mostStored = max(mostStored, stored[topic, default: 0])
    }
    let content = Content(topic: topic, digest: notification.digest, size: notification.size)
    var index: Int?
    if let known = byMessage[notification.messageID], known.content == content {
      index = known.entry
    } else if let known = byContent[content], entries[known].connection != connection,
      !entries[known].isAcknowledged
    {
      index = known
    }
    let entry = index ?? add(notification, topic, on: connection, filtered)
    guard let entry else { return nil }
    entries[entry].sends &+= 1
    entries[entry].connection = connection
    byMessage[notification.messageID] = (content, entry)
    byContent[content] = entry
    return entry
  }

  /// The courier says so, or it came as soon as a device that was away had said what it wants.
  private static func wasStored(
    _ notification: APNsNotification, on connection: Int, _ filtered: Moment?
  ) -> Bool {
    let atOnce = filtered.map { notification.moment.time - $0.time < flush } ?? false
    return notification.isFromStorage || (connection > 0 && atOnce)
  }

  private mutating func add(
    _ notification: APNsNotification, _ topic: APNsTopic, on connection: Int,
    _ filtered: Moment?
  ) -> Int? {
    guard entries.count < 59_000 else {
      leftOut += 1
      return nil
    }
    var entry = Entry(
      number: UInt16(entries.count + 1), topic: topic, moment: notification.moment)
    if let expiry = notification.expiry, expiry != .max {
      let then = Instant(nanoseconds: UInt64(expiry) * 1_000_000_000)
      let left = then - notification.moment.time
      // Couriers say it in whole seconds.
      entry.expiry =
        expiry == 0 ? .zero : max(.seconds(1), .seconds((left.count + 999_999_999) / 1_000_000_000))
    }
    if Self.wasStored(notification, on: connection, filtered) {
      if connection > 0 { entry.queuedFor = connection } else { entry.isOlderThanCapture = true }
    }
    entries.append(entry)
    return entries.count - 1
  }
}
