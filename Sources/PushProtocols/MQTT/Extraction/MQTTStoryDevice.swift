internal import Timeline
internal import Wire

/// A client program (and the programs that took its place) as the capture shows it.
struct MQTTStoryDevice {
  var name: String
  var identity: String
  var traits: MQTTDeviceTraits?
  /// Positions in `MQTTStory.sessions`, in order of time. Empty for the unseen publisher.
  var sessions: [Int]
}

extension MQTTStory {
  /// Sorts the sessions into devices: one after the other with one identity and equal settings is
  /// one device, two at once or with different settings are two. Publishers that nobody can tell
  /// apart (no client identifier, never two at once) are one device: their sessions leave no state.
  func devices(of included: [Int]) -> [MQTTStoryDevice] {
    var devices: [MQTTStoryDevice] = []
    for number in included {
      let session = sessions[number]
      let isAnonymous = isInterchangeable(session)
      var best: (index: Int, over: Moment)?
      for (index, device) in devices.enumerated() where device.traits == session.traits {
        guard let last = device.sessions.last else { continue }
        let same =
          sessions[last].identity == session.identity
          || (isAnonymous && isInterchangeable(sessions[last]))
        guard same, let over = freedBefore(session.recording.began, sessions[last]) else {
          continue
        }
        if best.map({ $0.over.time < over.time }) ?? true { best = (index, over) }
      }
      if let best {
        devices[best.index].sessions.append(number)
      } else {
        devices.append(
          MQTTStoryDevice(
            name: name(for: session, among: devices), identity: identity(for: session, devices),
            traits: session.traits, sessions: [number]))
      }
    }
    return devices
  }

  /// No identity, no state, no subscription, and it said goodbye.
  private func isInterchangeable(_ session: MQTTStorySession) -> Bool {
    identities[session.identity].isEmpty && !session.subscribes && session.goodbye != nil
      && session.traits.isTransient
  }

  /// When the client had done with the old session, if that was before the new one began.
  private func freedBefore(_ began: Moment, _ old: MQTTStorySession) -> Moment? {
    if let over = old.over { return over.time <= began.time ? over : nil }
    // It never ended. If its client was not heard any more, its host or network had gone.
    let last = old.recording.lastSign[Int(Direction.toServer.rawValue)]
    return last.time <= began.time ? last : nil
  }

  private func name(for session: MQTTStorySession, among devices: [MQTTStoryDevice]) -> String {
    var base = identities[session.identity]
    if base.isEmpty { base = session.subscribes ? "subscriber" : "publisher" }
    var name = base
    var count = 1
    while devices.contains(where: { $0.name == name }) {
      count += 1
      name = "\(base)-\(count)"
    }
    return name
  }

  private func identity(for session: MQTTStorySession, _ devices: [MQTTStoryDevice]) -> String {
    let identity = identities[session.identity]
    return identity.isEmpty ? name(for: session, among: devices) : identity
  }
}
