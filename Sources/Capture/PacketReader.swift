internal import CPcap
internal import Timeline

/// Reads the packets of a pcap or pcapng file through libpcap.
@safe final class PacketReader {
  /// A packet as it lies in libpcap's buffer, until the next one is read.
  @safe struct Packet {
    var header: UnsafePointer<pcap_pkthdr>
    var bytes: UnsafePointer<UInt8>

    var time: Instant {
      let stamp = unsafe header.pointee.ts
      // Opened with nanosecond precision: `tv_usec` holds nanoseconds. Times before 1970 are the
      // work of broken clocks.
      return Instant(nanoseconds: Nanoseconds.scaledSeconds(stamp.tv_sec, plus: stamp.tv_usec))
    }
    var length: Int { unsafe Int(header.pointee.caplen) }
    var wireLength: Int { unsafe Int(header.pointee.len) }
  }

  enum Step {
    case packet(Packet)
    case end
    /// The rest of the file can't be read: `truncated` when it just stops.
    case damaged(truncated: Bool, reason: String)
  }

  private let handle: OpaquePointer
  let linkType: Int32
  let snapLength: Int32

  init(path: String) throws(CaptureError) {
    var message = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
    guard
      let handle = unsafe pcap_open_offline_with_tstamp_precision(
        path, UInt32(PCAP_TSTAMP_PRECISION_NANO), &message)
    else {
      let reason = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      throw .damagedHeader(file: path, offset: 0, expected: reason)
    }
    unsafe self.handle = handle
    linkType = unsafe pcap_datalink(handle)
    snapLength = unsafe pcap_snapshot(handle)
  }

  deinit { unsafe pcap_close(handle) }

  var linkTypeName: String {
    unsafe pcap_datalink_val_to_name(linkType).map { unsafe String(cString: $0) } ?? ""
  }

  /// Bytes from the start of the file to where reading stands.
  var offset: UInt64? {
    guard let file = unsafe pcap_file(handle) else { return nil }
    let position = unsafe ftell(file)
    return position < 0 ? nil : UInt64(position)
  }

  func next() -> Step {
    var header: UnsafeMutablePointer<pcap_pkthdr>?
    var bytes: UnsafePointer<UInt8>?
    switch unsafe pcap_next_ex(handle, &header, &bytes) {
    case 1:
      guard let header = unsafe header, let bytes = unsafe bytes else { return .end }
      return unsafe .packet(Packet(header: UnsafePointer(header), bytes: bytes))
    case PCAP_ERROR:
      let reason = unsafe String(cString: pcap_geterr(handle))
      return .damaged(truncated: reason.contains("truncated"), reason: reason)
    default:
      return .end
    }
  }
}

extension Nanoseconds {
  static func scaledSeconds(_ seconds: Int, plus rest: Int) -> UInt64 {
    guard seconds >= 0 else { return 0 }
    return (Nanoseconds.seconds(UInt64(seconds)) + Nanoseconds(UInt64(max(0, rest)))).count
  }
}
