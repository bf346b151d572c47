#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// The bytes of a capture that is still being made.
public protocol CaptureFeed: AnyObject {
  /// What a report calls it.
  var name: String { get }
  /// Packets that the kernel had no room for, so far.
  var droppedPackets: UInt64 { get }
  /// Why it ended, when it should not have.
  var failure: String? { get }

  /// Waits until there are bytes, as a pcap or pcapng file has them.
  /// - Returns: how many were put there; 0: no more will come.
  func read(into target: UnsafeMutableRawBufferPointer) -> Int
}

/// Who looks after a feed: called every now and then while bytes come, and while none do.
///
/// - Parameter isIdle: all that came was read.
/// - Returns: whether to go on. When not, what is under way already is still read.
public typealias FeedPulse = (_ isIdle: Bool) -> Bool

/// Waits for a descriptor without being deaf to its pulse.
struct FeedWait {
  /// How long the pulse may be away, in milliseconds.
  private static let beat: Int32 = 100
  /// When it is time to stop: what may still be read at most, if it never ends.
  private static let lastReads = 256

  private let pulse: FeedPulse
  /// Beats of silence that are waited for when it is time to stop: tcpdump writes the rest of its
  /// buffer when it is told to end.
  private let farewell: Int
  private var left: (beats: Int, reads: Int)?

  init(farewell: Int, _ pulse: @escaping FeedPulse) {
    self.farewell = farewell
    self.pulse = pulse
  }

  /// To be called before each reading; `false`: it is time to stop.
  mutating func mayRead() -> Bool {
    if !pulse(false), left == nil { left = (farewell, Self.lastReads) }
    guard let now = left else { return true }
    left = (now.beats, now.reads - 1)
    return now.reads > 0
  }

  /// Whether there may be something to read; `nil`: it is time to stop.
  mutating func wait(for descriptor: Int32) -> Bool? {
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    if unsafe poll(&request, 1, 0) > 0 { return true }
    if !pulse(true), left == nil { left = (farewell, Self.lastReads) }
    if let now = left {
      if now.beats == 0 { return nil }
      left = (now.beats - 1, now.reads)
    }
    // A signal ends the waiting too, and then the pulse knows why.
    return unsafe poll(&request, 1, Self.beat) > 0
  }
}

/// A pipe that somebody writes a capture to: `tcpdump -U -w - | pushbench inspect -`.
public final class PipeFeed: CaptureFeed {
  public let name: String
  public private(set) var failure: String?
  /// Whoever writes the pipe knows, and does not say.
  public var droppedPackets: UInt64 { 0 }

  private let descriptor: Int32
  private var wait: FeedWait

  /// - Parameter descriptor: stays open.
  public init(name: String, descriptor: Int32, pulse: @escaping FeedPulse) {
    self.name = name
    self.descriptor = descriptor
    wait = FeedWait(farewell: 5, pulse)
  }

  public func read(into target: UnsafeMutableRawBufferPointer) -> Int {
    while wait.mayRead(), let isReady = wait.wait(for: descriptor) {
      if !isReady { continue }
      let got = unsafe FileDescriptorReading.read(descriptor, into: target)
      if got >= 0 { return got }
      if errno == EINTR || errno == EAGAIN { continue }
      failure = unsafe String(cString: strerror(errno))
      return 0
    }
    return 0
  }
}
