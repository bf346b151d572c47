import Wire

/// Tells the courier protocol from everything else by what its ends say in the clear (ALPN), or by
/// the first frame of the device, which must be a good Connect.
enum APNsRecognition {
  /// A Connect with a chain of certificates has a few kilobytes.
  private static let longestConnect = 32 * 1024

  static func judge(_ opening: ConnectionOpening) -> Recognition {
    if agreed(opening.applicationProtocols) != nil {
      // Encrypted bytes say nothing: somebody else looks after those.
      if opening.isUnreadable.contains(true) { return .notMine }
      if !opening.toServer.isEmpty || !opening.toClient.isEmpty { return .mine }
      return opening.isComplete ? .notMine : .undecided
    }
    guard opening.handshake, !opening.hasGap else { return .notMine }
    // No courier speaks first.
    if opening.toServer.isEmpty {
      return opening.toClient.isEmpty && !opening.isComplete ? .undecided : .notMine
    }
    let verdict = beginsWithConnect(opening.toServer)
    return verdict == .undecided && opening.isComplete ? .notMine : verdict
  }

  static func beginsWithConnect(_ bytes: [UInt8]) -> Recognition {
    guard bytes[0] == APNsCommand.connect.rawValue else { return .notMine }
    guard bytes.count > 1 else { return .undecided }
    // Serial: the two upper bytes of a length that never needs them. Packed: a length of one byte,
    // or of 255 and more, and never 0.
    if bytes[1] == 0 {
      if bytes.count < APNsSerialFraming.headerLength { return .undecided }
      guard bytes[2] == 0, let length = try? APNsSerialFraming.length(bytes[...]),
        length <= longestConnect
      else { return .notMine }
      if bytes.count < length { return .undecided }
      let decoded = APNsSerialFraming.decode(bytes.prefix(length))
      return decoded.violations.isEmpty && isConnect(decoded.frame) ? .mine : .notMine
    }
    let lengths: (header: Int, body: Int)?
    do { lengths = try APNsPackedDecoder.length(bytes[...]) } catch { return .notMine }
    guard let lengths else { return .undecided }
    if lengths.body > longestConnect { return .notMine }
    let whole = lengths.header + lengths.body
    if bytes.count < whole { return .undecided }
    var decoder = APNsPackedDecoder()
    let decoded = decoder.decode(bytes.prefix(whole), header: lengths.header)
    let isGood = decoded.violations.isEmpty && isConnect(decoded.frame)
    return isGood ? .mine : .notMine
  }

  /// State 1, and one of what every known device says besides.
  private static func isConnect(_ frame: APNsFrame) -> Bool {
    frame.number(2) == 1
      && (frame.number(5) != nil || frame.bytes(12) != nil || frame.bytes(13) != nil)
      && frame.items.allSatisfy {
        guard case .tag(let tag) = $0.key else { return false }
        return (1...64).contains(tag)
      }
  }

  /// What was chosen, or offered when only one thing was; `nil` when content has to tell.
  static func agreed(_ protocols: [String]) -> APNsFraming? {
    protocols.count == 1 ? APNsFraming(applicationProtocol: protocols[0]) : nil
  }

  /// By the first bytes of the device; serial when they say nothing.
  static func framing(_ bytes: [UInt8]) -> APNsFraming {
    guard bytes.count > 1, bytes[0] == APNsCommand.connect.rawValue, bytes[1] != 0 else {
      return .serial
    }
    return .usualPacked
  }
}
