internal import CPcap

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Why an interface can't be listened to.
public enum InterfaceError: Error, Hashable, Sendable, CustomStringConvertible {
  case missing(interface: String, there: [String])
  case notPermitted(interface: String)
  case badFilter(filter: String, reason: String)
  case unreadable(interface: String, reason: String)

  /// What is wrong, in one sentence.
  public var description: String {
    switch self {
    case .missing(let interface, _): "There is no interface '\(interface)'"
    case .notPermitted(let interface): "\(interface): you are not permitted to capture"
    case .badFilter(let filter, let reason): "filter '\(filter)': \(reason)"
    case .unreadable(let interface, let reason): "\(interface): can't be captured: \(reason)"
    }
  }

  /// What a command exits with (sysexits.h).
  public var exitCode: Int32 {
    switch self {
    case .missing, .unreadable: 66
    case .notPermitted: 77
    case .badFilter: 64
    }
  }
}

/// The packets of a network interface as they go by, through libpcap, as a pcap file would have
/// them. The filter works in the kernel.
///
/// libpcap's blocks hold packets back for some 50 ms. In its immediate mode they would not be, but
/// each packet would take a slot of the largest packet's size, and a burst of a few hundred would
/// overflow the buffer. Measured on a loopback with 100,000 packets of 242 bytes at once and 32 MiB
/// of buffer (tcpdump, three times each): blocks lost none at any snap length; immediate mode lost
/// 25 to 30 % with this one and 13 to 39 % with 64 KiB, none with 2 KiB, which would cut what
/// segmentation offload hands over. What is lost costs more than what is late.
@safe public final class InterfaceFeed: CaptureFeed {
  public let name: String
  public private(set) var failure: String?
  private let handle: OpaquePointer
  private let descriptor: Int32
  private var wait: FeedWait
  /// The file's header, and a packet that found no room.
  private var rest: [UInt8]

  private static let snapLength: Int32 = 262_144
  private static let bufferSize: Int32 = 32 << 20
  private static let blockTime: Int32 = 50

  public init(
    interface: String, filter: String?, pulse: @escaping FeedPulse
  ) throws(InterfaceError) {
    name = interface
    wait = FeedWait(farewell: 2, pulse)
    unsafe handle = try Self.open(interface, isPromiscuous: true)
    do {
      if let filter { unsafe try Self.set(filter, handle) }
      unsafe descriptor = try Self.descriptor(of: handle, interface)
    } catch {
      unsafe pcap_close(handle)
      throw error
    }
    // Nanoseconds, this machine's byte order; RAW is the one link type that files number otherwise.
    let link = unsafe pcap_datalink(handle)
    rest =
      Self.number(0xA1B2_3C4D) + Self.number(0x0004_0002) + Self.number(0) + Self.number(0)
      + Self.number(UInt32(Self.snapLength))
      + Self.number(UInt32(bitPattern: link == DLT_RAW ? 101 : link))
  }

  deinit { unsafe pcap_close(handle) }

  private static func number(_ value: UInt32) -> [UInt8] {
    unsafe withUnsafeBytes(of: value) { unsafe Array($0) }
  }

  // MARK: Opening

  private static func open(
    _ interface: String, isPromiscuous: Bool
  ) throws(InterfaceError) -> OpaquePointer {
    var message = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
    guard let handle = unsafe pcap_create(interface, &message) else {
      throw .unreadable(interface: interface, reason: text(message))
    }
    unsafe pcap_set_snaplen(handle, snapLength)
    unsafe pcap_set_promisc(handle, isPromiscuous ? 1 : 0)
    unsafe pcap_set_timeout(handle, blockTime)
    unsafe pcap_set_buffer_size(handle, bufferSize)
    unsafe pcap_set_tstamp_precision(handle, PCAP_TSTAMP_PRECISION_NANO)
    let result = unsafe pcap_activate(handle)
    if result >= 0 { return unsafe handle }
    let reason = unsafe String(cString: pcap_geterr(handle))
    unsafe pcap_close(handle)
    switch result {
    case PCAP_ERROR_NO_SUCH_DEVICE: throw .missing(interface: interface, there: interfaces())
    case PCAP_ERROR_PERM_DENIED: throw .notPermitted(interface: interface)
    case PCAP_ERROR_PROMISC_PERM_DENIED where isPromiscuous:
      return unsafe try open(interface, isPromiscuous: false)
    default:
      let what = unsafe String(cString: pcap_statustostr(result))
      throw .unreadable(interface: interface, reason: reason.isEmpty ? what : reason)
    }
  }

  private static func set(_ filter: String, _ handle: OpaquePointer) throws(InterfaceError) {
    var program = unsafe bpf_program()
    guard unsafe pcap_compile(handle, &program, filter, 1, bpf_u_int32.max) == 0 else {
      throw .badFilter(filter: filter, reason: unsafe String(cString: pcap_geterr(handle)))
    }
    defer { unsafe pcap_freecode(&program) }
    guard unsafe pcap_setfilter(handle, &program) == 0 else {
      throw .badFilter(filter: filter, reason: unsafe String(cString: pcap_geterr(handle)))
    }
  }

  private static func descriptor(
    of handle: OpaquePointer, _ interface: String
  ) throws(InterfaceError) -> Int32 {
    var message = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
    let descriptor = unsafe pcap_get_selectable_fd(handle)
    guard unsafe pcap_setnonblock(handle, 1, &message) == 0, descriptor >= 0 else {
      throw .unreadable(interface: interface, reason: text(message))
    }
    return descriptor
  }

  /// Those that packets can be captured on, as far as this user may know.
  private static func interfaces() -> [String] {
    var first: UnsafeMutablePointer<pcap_if_t>?
    var message = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
    guard unsafe pcap_findalldevs(&first, &message) == 0 else { return [] }
    defer { unsafe pcap_freealldevs(first) }
    var names: [String] = []
    var next = unsafe first
    while let one = unsafe next {
      names.append(unsafe String(cString: one.pointee.name))
      unsafe next = one.pointee.next
    }
    return names
  }

  private static func text(_ message: [CChar]) -> String {
    String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  // MARK: Packets

  public var droppedPackets: UInt64 {
    var statistics = pcap_stat()
    guard unsafe pcap_stats(handle, &statistics) == 0 else { return 0 }
    return UInt64(statistics.ps_drop) + UInt64(statistics.ps_ifdrop)
  }

  public func read(into target: UnsafeMutableRawBufferPointer) -> Int {
    // Not only when the descriptor is ready: libpcap may hold the rest of a block.
    while wait.mayRead() {
      let got = unsafe take(into: target)
      if got > 0 || failure != nil { return got }
      guard wait.wait(for: descriptor) != nil else { return 0 }
    }
    return 0
  }

  /// As many packets as there are and as there is room for.
  private func take(into target: UnsafeMutableRawBufferPointer) -> Int {
    var filled = min(rest.count, target.count)
    for index in 0..<filled { unsafe target[index] = rest[index] }
    rest.removeFirst(filled)
    guard rest.isEmpty else { return filled }
    var header: UnsafeMutablePointer<pcap_pkthdr>?
    var bytes: UnsafePointer<UInt8>?
    while filled < target.count {
      let result = unsafe pcap_next_ex(handle, &header, &bytes)
      if result == 0 { break }
      guard result == 1, let packet = unsafe header?.pointee, let start = unsafe bytes else {
        failure = unsafe String(cString: pcap_geterr(handle))
        break
      }
      let length = Int(packet.caplen)
      let record =
        Self.number(UInt32(truncatingIfNeeded: packet.ts.tv_sec))
        + Self.number(UInt32(truncatingIfNeeded: packet.ts.tv_usec))
        + Self.number(packet.caplen) + Self.number(packet.len)
      let payload = unsafe UnsafeRawBufferPointer(start: start, count: length)
      if target.count - filled >= 16 + length {
        for index in 0..<16 { unsafe target[filled + index] = record[index] }
        unsafe UnsafeMutableRawBufferPointer(rebasing: target[(filled + 16)...])
          .copyMemory(from: payload)
        filled += 16 + length
      } else {
        unsafe rest = record + Array(payload)
        break
      }
    }
    return filled
  }
}
