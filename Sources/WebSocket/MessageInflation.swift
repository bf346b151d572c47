import Wire

/// What permessage-deflate does to one direction (RFC 7692).
struct MessageInflation {
  /// A message that would become longer is not inflated: a few bytes can say a lot.
  static let longestMessage = 16 << 20

  /// What content may be longer than its messages, over many of them; beyond that somebody wants
  /// work to be done, not messages to be read.
  private static let usualRatio = 64

  /// The most that may come out by now: messages fill it up again.
  private var allowance = longestMessage
  private var inflater = Inflater()
  /// Each message is compressed by itself.
  private let forgets: Bool
  /// A message is missing that later ones refer to.
  private var isBroken = false

  /// - Parameter extension: as the server answered, such as
  ///   `permessage-deflate; server_no_context_takeover`; `nil` when it names another one.
  init?(_ extension: String, _ direction: Direction) {
    let parts = `extension`.split(separator: ";").map {
      $0.filter { $0 != " " && $0 != "\t" }.lowercased()
    }
    guard parts.first == "permessage-deflate" else { return nil }
    let name = direction == .toServer ? "client" : "server"
    forgets = parts.contains(name + "_no_context_takeover")
  }

  /// - Returns: the message; `nil` when it can't be inflated.
  mutating func inflate(_ message: [UInt8]) -> [UInt8]? {
    if forgets { inflater.reset() } else if isBroken { return nil }
    inflater.goOn()
    // The sender takes these off the end of a flushed block (§7.2.1).
    let whole = message + [0x00, 0x00, 0xff, 0xff]
    allowance = min(Self.longestMessage, allowance + Self.usualRatio * whole.count)
    if let content = try? inflater.inflate(whole, limit: allowance) {
      allowance -= content.count
      return content
    }
    lose()
    return nil
  }

  /// A message can't be had.
  mutating func lose() { isBroken = !forgets }
}
