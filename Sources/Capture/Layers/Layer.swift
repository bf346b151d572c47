/// What the next bytes of a packet are, as the layer before them says.
///
/// Small on purpose: it goes around for every layer of every packet.
enum Layer {
  case ethernet, linuxCooked, linuxCooked2, bsdLoopback, llc, mpls, ppp, pppoe, ciscoHDLC
  case wireless, radiotap, perPacketInformation, netfilterLog, packetTap, arcnet
  /// IPv4 or IPv6, told by the version nibble.
  case ip
  case ipv4, ipv6
  /// An EtherType, as Ethernet, Linux cooked and GRE use it.
  case etherType(UInt16)
  /// An IP protocol number.
  case ipProtocol(UInt8)
  case tcp, udp, gre
  /// A frame that a switch mirrored (ERSPAN), under one of its EtherTypes.
  case mirrored(UInt16)
  /// A piece of an IP packet, described in the cursor; only whole packets go on to the layer
  /// inside.
  case fragment
  /// Known to be no TCP, such as ARP.
  case notTCP
  /// What a header says can't be.
  case malformed(HeaderField)
  /// The snap length (or a short frame) cut a header that is needed.
  case cut(HeaderField)
}

/// The parts of headers that can be cut off or wrong, named for warnings.
enum HeaderField: String {
  case authenticationHeader = "authentication header"
  case ethernetHeader = "Ethernet header"
  case ipHeader = "IP header"
  case ipVersion = "IP version"
  case ipv4Header = "IPv4 header"
  case ipv4HeaderLength = "IPv4 header length"
  case ipv4TotalLength = "IPv4 total length"
  case ipv4Version = "IPv4 version"
  case ipv6ExtensionHeader = "IPv6 extension header"
  case ipv6FragmentHeader = "IPv6 fragment header"
  case ipv6Header = "IPv6 header"
  case ipv6Version = "IPv6 version"
  case linuxCookedHeader = "Linux cooked header"
  case linuxCookedV2Header = "Linux cooked v2 header"
  case loopbackHeader = "loopback header"
  case nestingOfLayers = "nesting of layers"
  case tcpDataOffset = "TCP data offset"
  case tcpHeader = "TCP header"
  case vlanTag = "VLAN tag"
  case mplsLabel = "MPLS label"
  case pppHeader = "PPP header"
  case pppoeHeader = "PPPoE header"
  case hdlcHeader = "HDLC header"
  case radiotapHeader = "radiotap header"
  case ppiHeader = "PPI header"
  case wirelessHeader = "802.11 header"
  case nflogHeader = "NFLOG header"
  case pktapHeader = "PKTAP header"
  case arcnetHeader = "ARCnet header"
  case greHeader = "GRE header"
  case fragmentOffset = "fragment offset"
}
