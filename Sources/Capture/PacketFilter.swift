internal import CPcap

/// A compiled capture filter (pcap-filter(7)).
///
/// Applied here rather than by libpcap's reader, which would leave the packets out before they are
/// counted: frame numbers must be those of the file.
@safe final class PacketFilter {
  private var program = unsafe bpf_program()

  init(_ text: String, linkType: Int32, snapLength: Int32) throws(CaptureError) {
    // RAW is the one link type that files and libpcap number differently.
    let type = linkType == 101 ? DLT_RAW : linkType
    guard let handle = unsafe pcap_open_dead(type, snapLength) else {
      throw .badFilter(filter: text, reason: "out of memory")
    }
    defer { unsafe pcap_close(handle) }
    guard unsafe pcap_compile(handle, &program, text, 1, bpf_u_int32.max) == 0 else {
      throw .badFilter(filter: text, reason: unsafe String(cString: pcap_geterr(handle)))
    }
  }

  deinit { unsafe pcap_freecode(&program) }

  func accepts(_ record: borrowing PacketRecord) -> Bool {
    guard let start = unsafe record.bytes.baseAddress else { return false }
    var header = pcap_pkthdr()
    header.caplen = unsafe bpf_u_int32(record.bytes.count)
    header.len = bpf_u_int32(truncatingIfNeeded: record.wireLength)
    return unsafe pcap_offline_filter(
      &program, &header, start.assumingMemoryBound(to: UInt8.self)) != 0
  }
}

extension PacketFilter {
  /// libpcap's name, such as `IEEE802_15_4`; "unknown" when it has none.
  static func name(ofLinkType number: Int32) -> String {
    unsafe pcap_datalink_val_to_name(number).map { unsafe String(cString: $0) } ?? "unknown"
  }
}
