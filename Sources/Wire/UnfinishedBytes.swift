/// Somebody who keeps bytes until what they began is complete.
public protocol UnfinishedHolder: AnyObject {
  /// Lets go of them and tells what is behind, as for a hole, at the moment when they last grew.
  func giveUp(_ bytes: UnfinishedBytes.Held)
}

/// What waits to be complete, over all connections and layers of a capture: records, frames,
/// packets, and connections of which it is not known what they are.
///
/// A packet of MQTT may claim 256 MB, and a capture may hold any number of connections in which one
/// has begun. Beyond the limit those that hold most are given up, until a quarter of it is free:
/// what an honest connection has under way is small and soon complete.
public final class UnfinishedBytes {
  /// Whose bytes they are.
  public struct Place: Hashable, Comparable, Sendable {
    public enum Layer: UInt8, Sendable, Comparable {
      case tls, opening, webSocket, recognition, messages

      public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

      /// What is not complete, for people.
      public var text: String {
        switch self {
        case .tls: "a record or message of TLS"
        case .opening: "the request of a WebSocket or its answer"
        case .webSocket: "a compressed message of WebSocket"
        case .recognition: "the beginning that shows what a connection speaks"
        case .messages: "a packet"
        }
      }
    }

    public var connection: ConnectionID
    public var direction: Direction
    public var layer: Layer

    public init(_ connection: ConnectionID, _ direction: Direction, _ layer: Layer) {
      self.connection = connection
      self.direction = direction
      self.layer = layer
    }

    public static func < (a: Self, b: Self) -> Bool {
      (a.connection.index, a.direction.rawValue, a.layer)
        < (b.connection.index, b.direction.rawValue, b.layer)
    }
  }

  public struct Held: Sendable {
    public var place: Place
    public var description: ConnectionDescription
    public var count: Int
    /// When it last grew.
    public var moment: Moment
  }

  private struct Entry {
    var held: Held
    unowned let holder: any UnfinishedHolder
  }

  /// Less than this is part of what a connection costs anyway.
  public static let smallest = 1024
  public static let usualLimit = 64 << 20
  private static let keptGivenUp = 16

  public let limit: Int
  public private(set) var total = 0
  /// The first of those that were given up, in the order in which that happened.
  public private(set) var givenUp: [Held] = []
  public private(set) var givenUpCount = 0
  private var entries: [Place: Entry] = [:]

  public init(limit: Int = usualLimit) { self.limit = limit }

  /// To be asked between events: nobody is in the middle of anything then.
  @inlinable public var isOverLimit: Bool { total > limit }

  /// Says how many bytes wait at a place now.
  ///
  /// - Parameter known: what was said last, which the holder keeps; 0 at first.
  public func count(
    _ bytes: Int, known: inout Int, _ place: Place, _ description: ConnectionDescription,
    of holder: any UnfinishedHolder, at moment: Moment
  ) {
    let counted = bytes < Self.smallest ? 0 : bytes
    if counted == known { return }
    total += counted - known
    known = counted
    entries[place] =
      counted == 0
      ? nil
      : Entry(
        held: Held(place: place, description: description, count: counted, moment: moment),
        holder: holder)
  }

  /// Makes room: whoever holds most is given up first; of equal ones that which began first.
  public func makeRoom() {
    let order = entries.values.sorted {
      ($1.held.count, $0.held.place) < ($0.held.count, $1.held.place)
    }
    for entry in order where total > limit - limit / 4 {
      if givenUp.count < Self.keptGivenUp { givenUp.append(entry.held) }
      givenUpCount += 1
      // The holder says itself that nothing waits any more.
      entry.holder.giveUp(entry.held)
    }
  }
}
