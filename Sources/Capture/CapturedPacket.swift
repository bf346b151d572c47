public import Wire

/// One packet of a capture, as an onlooker sees it while the capture is read.
@safe public struct CapturedPacket {
  /// What a packet was captured on.
  public struct Interface: Hashable, Sendable {
    /// Positions of the file in the capture, and of the interface in the file.
    public var file: Int
    public var number: Int
    /// As in the file (tcpdump.org/linktypes).
    public var linkType: Int32
    public var snapLength: Int
    /// As the recording host called it; empty when the file does not say.
    public var name: String
  }

  public var moment: Moment
  /// What was captured; valid during the call only.
  public var bytes: UnsafeRawBufferPointer
  /// How long the packet was on the wire.
  public var wireLength: Int
  public var interface: Interface
  /// The connection that it told something of; `nil` for what is no TCP, or was left out.
  public var connection: ConnectionID?
  /// The packet itself, and those before it that had other pieces of the same IP packet.
  public var frames: [UInt32]
  /// Comments that people made on it.
  public var comments: [String]
}
