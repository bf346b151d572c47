internal import CPcap

/// A compiled capture filter (pcap-filter(7)).
///
/// Applied here rather than by libpcap's reader, which would leave the packets out before they are
/// counted: frame numbers must be those of the file.
@safe final class PacketFilter {
  private var program = unsafe bpf_program()

  init(_ text: String, linkType: Int32, snapLength: Int32) throws(CaptureError) {
    guard let handle = unsafe pcap_open_dead(linkType, snapLength) else {
      throw .badFilter(filter: text, reason: "out of memory")
    }
    defer { unsafe pcap_close(handle) }
    guard unsafe pcap_compile(handle, &program, text, 1, bpf_u_int32.max) == 0 else {
      throw .badFilter(filter: text, reason: unsafe String(cString: pcap_geterr(handle)))
    }
  }

  deinit { unsafe pcap_freecode(&program) }

  func accepts(
    _ header: UnsafePointer<pcap_pkthdr>, _ bytes: UnsafePointer<UInt8>
  ) -> Bool {
    unsafe pcap_offline_filter(&program, header, bytes) != 0
  }
}
