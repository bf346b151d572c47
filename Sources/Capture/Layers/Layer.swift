/// What the next bytes of a packet are, as the layer before them says.
enum Layer {
  case ethernet, linuxCooked, linuxCooked2, bsdLoopback
  /// IPv4 or IPv6, told by the version nibble.
  case ip
  case ipv4, ipv6
  /// An EtherType, as Ethernet, Linux cooked and GRE use it.
  case etherType(UInt16)
  /// An IP protocol number.
  case ipProtocol(UInt8)
  case tcp
  /// A piece of an IP packet; whole packets only go on to the layer inside.
  case fragment(IPFragment)
  /// Known to be no TCP, such as ARP.
  case notTCP
  /// What the headers say can't be. The text names the field.
  case malformed(StaticString)
  /// The snap length (or a short frame) cut a header that is needed.
  case cut(StaticString)
}
