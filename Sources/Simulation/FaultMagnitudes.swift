public import Timeline

/// The sizes of faults, for whoever makes them larger or smaller.
extension FaultKind {
  /// How much longer, later or off; `nil` for kinds without such a size.
  public var by: Nanoseconds? {
    get {
      switch self {
      case .delay(let by), .slow(_, let by, _), .clockJump(_, _, let by), .slowRefresh(let by, _):
        by
      case .pause, .lose, .cut, .halfOpen, .reset, .forgetMapping, .changeNetwork, .refuse,
        .restartServer, .killClient, .resubmit, .expireCredential, .refuseRefresh, .staleRefresh,
        .loseRefresh, .throttleRefresh:
        nil
      }
    }
    set {
      guard let newValue else { return }
      switch self {
      case .delay: self = .delay(by: newValue)
      case .slow(let side, _, let length): self = .slow(side, by: newValue, for: length)
      case .clockJump(let side, let forward, _):
        self = .clockJump(side, forward: forward, by: newValue)
      case .slowRefresh(_, let length): self = .slowRefresh(by: newValue, for: length)
      case .pause, .lose, .cut, .halfOpen, .reset, .forgetMapping, .changeNetwork, .refuse,
        .restartServer, .killClient, .resubmit, .expireCredential, .refuseRefresh, .staleRefresh,
        .loseRefresh, .throttleRefresh:
        return
      }
    }
  }

  /// How long it lasts; `nil` for kinds that happen at once.
  public var length: Nanoseconds? {
    get {
      switch self {
      case .pause(_, let length), .slow(_, _, let length), .lose(_, let length),
        .refuse(let length), .restartServer(let length, _, _), .killClient(let length, _),
        .slowRefresh(_, let length), .refuseRefresh(let length), .staleRefresh(let length),
        .loseRefresh(let length), .throttleRefresh(let length):
        length
      case .delay, .clockJump, .cut, .halfOpen, .reset, .forgetMapping, .changeNetwork, .resubmit,
        .expireCredential:
        nil
      }
    }
    set {
      guard let newValue else { return }
      switch self {
      case .pause(let side, _): self = .pause(side, for: newValue)
      case .slow(let side, let by, _): self = .slow(side, by: by, for: newValue)
      case .lose(let direction, _): self = .lose(direction, for: newValue)
      case .refuse: self = .refuse(for: newValue)
      case .restartServer(_, let host, let wipe):
        self = .restartServer(downFor: newValue, host: host, wipe: wipe)
      case .killClient(_, let host): self = .killClient(downFor: newValue, host: host)
      case .slowRefresh(let by, _): self = .slowRefresh(by: by, for: newValue)
      case .refuseRefresh: self = .refuseRefresh(for: newValue)
      case .staleRefresh: self = .staleRefresh(for: newValue)
      case .loseRefresh: self = .loseRefresh(for: newValue)
      case .throttleRefresh: self = .throttleRefresh(for: newValue)
      case .delay, .clockJump, .cut, .halfOpen, .reset, .forgetMapping, .changeNetwork, .resubmit,
        .expireCredential:
        return
      }
    }
  }
}
