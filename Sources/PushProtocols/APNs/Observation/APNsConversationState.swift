import Custody
import Timeline
import Wire

/// How one end of a connection went.
struct APNsDeparture {
  enum How { case finished, reset, saidGoodbye }
  var how: How
  var moment: Moment
}

/// A Connect that waits for its answer.
struct APNsPresentation {
  var token: APNsToken?
  var moment: Moment
}

/// The first notification of an app on a connection.
struct APNsService {
  var moment: Moment
  var isFromStorage: Bool
}

/// What one of a connection's devices wants and gets there.
struct APNsDemand {
  /// Topics that it wants, and since when.
  private(set) var enabled: [APNsTopic: Moment] = [:]
  /// Topics that it ignores, or takes now and then only.
  private(set) var others = 0
  var served: [APNsTopic: APNsService] = [:]
  /// The courier said that it has nothing in store.
  var nothingStored: Moment?

  /// A filter replaces the one before it.
  mutating func replace(_ frame: APNsFrame, at moment: Moment) {
    let topics = frame.all(2).compactMap { $0.content.map { APNsTopic(hash: $0) } }
    var now: [APNsTopic: Moment] = [:]
    for topic in topics { now[topic] = enabled[topic] ?? moment }
    enabled = now
    others = (3...6).reduce(0) { $0 + frame.all($1).count }
  }

  /// What was served comes from the store: the courier says so, or it came at once.
  func isFlush(_ service: APNsService, of topic: APNsTopic) -> Bool {
    guard let since = enabled[topic] else { return true }
    return service.isFromStorage
      || service.moment.time - since.time < APNsConversation.flushBound
  }

  /// When what was in store for a topic had been left out; `nil` when it need not have been sent,
  /// or may be still.
  /// - Parameter last: the courier's last frame.
  func passes(_ topic: APNsTopic, until last: Moment) -> Moment? {
    guard let since = enabled[topic] else { return nil }
    if let nothingStored, nothingStored.time >= since.time,
      last.time - nothingStored.time >= .seconds(1)
    {
      return nothingStored
    }
    return last.time - since.time >= APNsConversation.flushBound ? last : nil
  }
}

/// A notification that was sent, or acknowledged, and is not known to have reached the other end's
/// TCP.
struct APNsUnconfirmed {
  var delivery: APNsDelivery
  /// The stream offset behind it.
  var end: UInt64
}

/// What waits for the other end's TCP, in the order of the stream.
struct APNsOutstanding {
  private var entries: [APNsUnconfirmed] = []
  private var head = 0

  mutating func append(_ entry: APNsUnconfirmed) { entries.append(entry) }

  /// - Parameter take: called with each that is below `upTo`, and leaves.
  mutating func confirm(upTo: UInt64, _ take: (APNsDelivery) -> Void) {
    while head < entries.count, entries[head].end <= upTo {
      take(entries[head].delivery)
      head += 1
    }
    if head > 64, head * 2 > entries.count || head == entries.count {
      entries.removeFirst(head)
      head = 0
    }
  }

  var rest: [APNsDelivery] { entries[head...].map(\.delivery) }

  mutating func removeAll() {
    entries = []
    head = 0
  }
}

/// An acknowledgement of something that was not seen.
struct APNsEarlyAck {
  var messageID: UInt32
  var token: APNsToken?
  var status: UInt64
  var end: UInt64
  var moment: Moment
  /// What it may mean: sent on an earlier connection, which is over.
  var earlier: APNsDelivery?
}

/// The longest time that a device kept a connection on which a keep-alive was not answered.
struct APNsZombie {
  /// The keep-alive.
  var asked: Moment
  /// What shows that the device still believed in the connection, or only then let it go.
  var until: Moment
  var hasClosed: Bool

  var silence: Nanoseconds { until.time - asked.time }
}

/// Watches whether keep-alives are answered in time.
struct APNsKeepAliveWatch {
  /// How long a device waits for the answer before it gives the connection up.
  static let bound = Nanoseconds.seconds(20)
  /// For the grain of clocks, and for the way of the packets.
  static let tolerance = Nanoseconds.seconds(1)

  private(set) var asked: UInt32 = 0
  private(set) var answered: UInt32 = 0
  private(set) var longest: APNsZombie?
  private var waiting: [Moment] = []
  /// The answer may have been missed, or may be late by agreement.
  var isUnjudgeable = false

  var unanswered: Moment? { waiting.first }

  mutating func ask(at moment: Moment) {
    heard(at: moment)
    asked += 1
    if waiting.count < 64 { waiting.append(moment) }
  }

  mutating func answer() {
    answered += 1
    if !waiting.isEmpty { waiting.removeFirst() }
  }

  /// The device does something.
  mutating func heard(at moment: Moment, isClosing: Bool = false) {
    guard !isUnjudgeable, let first = waiting.first,
      moment.time - first.time > Self.bound + Self.tolerance
    else { return }
    longest = APNsZombie(asked: first, until: moment, hasClosed: isClosing)
  }
}
