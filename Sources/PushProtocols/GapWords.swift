import Wire

extension GapKind {
  /// What became of the bytes, for people: "12 bytes …".
  var words: String {
    switch self {
    case .encrypted: "are encrypted"
    case .givenUp: "were given up, because too much waited to be complete"
    case .notCaptured, .lostOnTheWire, .unknown: "are missing in the capture"
    }
  }
}
