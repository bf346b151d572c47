internal import Timeline
internal import Wire

/// The text of a message without what an end may choose freely: tokens, message identifiers,
/// storage flags, intervals.
enum APNsComparableText {
  /// - Parameter traced: as `APNsModel.describe` writes it.
  static func of(_ traced: String) -> String {
    let words = traced.split(separator: " ")
    switch words.first.map(String.init) {
    case APNsMessageKind.connect.name, APNsMessageKind.keepAlive.name: return String(words[0])
    case APNsMessageKind.connectResponse.name:
      return traced.firstIndex(of: ",").map { String(traced[..<$0]) } ?? traced
    case APNsMessageKind.notification.name:
      // The parenthesis is the last thing.
      guard let open = words.lastIndex(where: { $0.hasPrefix("(id") }) else { return traced }
      return words[..<open].joined(separator: " ")
    case APNsMessageKind.ack.name:
      let rest = traced.firstIndex(of: ",").map { String(traced[$0...]) } ?? ""
      return words[0] + rest
    case _: return traced
    }
  }

  /// - Parameter topic: of the notification, as the scenario writes it.
  /// - Returns: `nil` for what the machines have no word for.
  static func of(
    _ frame: APNsRecordedFrame, publication: UInt16, topic: String?
  ) -> (kind: APNsMessageKind, text: String)? {
    let isUp = frame.direction == .toServer
    switch frame.command {
    case .connect where isUp: return (.connect, APNsMessageKind.connect.name)
    case .connectResponse:
      let name = APNsMessageKind.connectResponse.name
      return (.connectResponse, frame.status == 0 ? "\(name) ok" : "\(name) status \(frame.status)")
    case .filter where isUp:
      return (.filter, "\(APNsMessageKind.filter.name) \(frame.topics.count) topics")
    case .notification where !isUp:
      guard let topic else { return nil }
      return (
        .notification, "\(APNsMessageKind.notification.name) \(publication) \(topic)"
      )
    case .ack where isUp:
      let refused = frame.status == 0 ? "" : ", status \(frame.status)"
      return (.ack, APNsMessageKind.ack.name + refused)
    case .keepAlive: return (.keepAlive, APNsMessageKind.keepAlive.name)
    case .keepAliveResponse: return (.keepAliveResponse, APNsMessageKind.keepAliveResponse.name)
    case .noStorage: return (.noStorage, APNsMessageKind.noStorage.name)
    case .setState: return (.setState, APNsMessageKind.setState.name)
    case _: return nil
    }
  }
}
