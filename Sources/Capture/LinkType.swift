/// Which layer the packets of a link type begin with.
///
/// Numbers are those of `pcap_datalink` and, where it differs, of pcapng (tcpdump.org/linktypes).
enum LinkType {
  static func firstLayer(_ number: Int32) -> Layer? {
    switch number {
    case 0: .bsdLoopback  // NULL: family in the byte order of the recording host.
    case 1: .ethernet
    case 9, 50: .ppp  // PPP, PPP_HDLC.
    case 12, 14, 101: .ip  // RAW, under each of its numbers.
    case 51: .pppoe  // PPP_ETHER.
    case 104: .ciscoHDLC
    case 105: .wireless
    case 108: .bsdLoopback  // LOOP: family in network byte order.
    case 113: .linuxCooked
    case 127: .radiotap
    case 129: .arcnet  // ARCNET_LINUX.
    case 192: .perPacketInformation
    case 228: .ipv4
    case 229: .ipv6
    case 239: .netfilterLog
    case 149, 258: .packetTap  // USER2, as macOS wrote it first, and PKTAP.
    case 276: .linuxCooked2
    default: nil
    }
  }
}
