internal import Custody
internal import Simulation
internal import Timeline
internal import Wire

extension MQTTHistoryBuilder {
  /// What a device is doing when one of its sessions has ended.
  enum Standing {
    /// Never started, or its app said goodbye: it needs to be told to connect.
    case offline
    /// Its program has ended: it needs to be launched.
    case dead
    /// It runs and comes back on its own; since when it knows that it has to.
    case returning(since: Instant)
  }

  /// What is kept while one device's sessions are gone through.
  private struct Progress {
    var standing = Standing.offline
    /// Filters and qualities that its app wants.
    var wishes: [(topic: UInt16, quality: UInt8)] = []
    /// How long it took to come back on its own.
    var pauses: [Nanoseconds] = []
    var resubscribes = false
    var isDurable = false
    var pingTimeout: Nanoseconds?
    var wasDead = false
  }

  mutating func addDevice(_ index: Int) {
    let node = NodeID(device: index)
    let device = devices[index]
    guard let traits = device.traits else { return }
    var progress = Progress()
    progress.resubscribes = device.sessions.dropFirst().allSatisfy {
      story.sessions[$0].subscribes
    }
    for (position, number) in device.sessions.enumerated() {
      let next =
        position + 1 < device.sessions.count ? device.sessions[position + 1] : nil
      addSession(number, node, isFirst: position == 0, &progress)
      progress.standing = conclude(number, next: next, node, &progress)
    }
    history.scenario.devices.insert(
      Device(
        name: device.name, identity: device.identity,
        parameters: parameters(traits, device, progress)), at: index)
  }

  // MARK: - One session

  private mutating func addSession(
    _ number: Int, _ node: NodeID, isFirst: Bool, _ progress: inout Progress
  ) {
    let session = story.sessions[number]
    let packets = session.recording.packets
    let connect = actionTime(packets[0].moment) - measure.rtt
    var subscribesByItself = !session.connack.sessionPresent && !isFirst
    switch progress.standing {
    case .offline: step(connect, node, .connect)
    case .dead:
      step(connect, node, .launch)
      subscribesByItself = true
      progress.wasDead = true
    case .returning(let since):
      let pause = connect - since
      if let usual = progress.pauses.first, !pause.isAbout(usual) {
        // Not its usual pause: told to, so that the run does the same.
        step(since + .microseconds(1), node, .kill(host: false), "came back at another pace")
        step(connect, node, .launch)
        subscribesByItself = true
      } else {
        progress.pauses.append(pause)
      }
    }
    if !isFirst, progress.resubscribes { subscribesByItself = true }
    var isFirstWord = true
    for (position, item) in packets.enumerated() where item.direction == .toServer {
      // What it says first, once it is let in, its app had asked for before.
      if position > 0, isFirstWord, case .subscribe = item.packet {
        isFirstWord = !story.publishes(between: session.connackMoment, and: item.moment)
      } else if position > 0 {
        isFirstWord = false
      }
      let time = isFirstWord && position > 0 ? connect : actionTime(item.moment)
      add(
        item, at: time, session.marks[position], number, node,
        subscribesByItself: subscribesByItself, &progress)
    }
    addSilences(number, node)
    addLosses(number, node)
    noteOddities(number, node)
    for (moment, text) in session.recording.trouble { note(moment, text, node) }
  }

  private mutating func add(
    _ item: MQTTRecordedPacket, at time: Instant, _ mark: MQTTMark, _ number: Int,
    _ node: NodeID, subscribesByItself: Bool, _ progress: inout Progress
  ) {
    switch item.packet {
    case .subscribe(let subscribe):
      for wanted in subscribe.subscriptions {
        let topic = topic(wanted.filter)
        let known = progress.wishes.contains { $0 == (topic, wanted.qos.rawValue) }
        if !known {
          progress.wishes.removeAll { $0.topic == topic }
          progress.wishes.append((topic, wanted.qos.rawValue))
        }
        if known, subscribesByItself { continue }
        step(time, node, .subscribe(topic: topic, quality: wanted.qos.rawValue))
        if MQTTTopicFilter(wanted.filter).shareName != nil {
          note(item.moment, "a shared subscription: the machines give everybody a copy", node)
        }
      }
    case .unsubscribe(let unsubscribe):
      for filter in unsubscribe.filters {
        let topic = topic(filter)
        if !progress.wishes.contains(where: { $0.topic == topic }) {
          note(item.moment, "UNSUBSCRIBE from what it has not subscribed to", node)
        }
        progress.wishes.removeAll { $0.topic == topic }
        step(time, node, .unsubscribe(topic: topic))
      }
    case .publish(let publish):
      addPublish(publish, item, mark, number, node, &progress)
    case .disconnect(let disconnect):
      step(time, node, .disconnect)
      if disconnect.reasonCode == .disconnectWithWill,
        story.sessions[number].connect.will != nil
      {
        note(item.moment, "DISCONNECT that asks for the will", node)
      }
      if disconnect.properties.sessionExpiryInterval != nil {
        note(item.moment, "DISCONNECT that changes the session expiry", node)
      }
    case .auth: note(item.moment, "enhanced authentication", node)
    case .connect, .connack, .puback, .pubrec, .pubrel, .pubcomp, .suback, .unsuback, .pingreq,
      .pingresp:
      break
    }
  }

  private mutating func addPublish(
    _ publish: MQTTPublish, _ item: MQTTRecordedPacket, _ mark: MQTTMark, _ number: Int,
    _ node: NodeID, _ progress: inout Progress
  ) {
    guard case .publication(let index) = mark, numbers[index] > 0 else { return }
    let publication = story.publications[index]
    guard publication.session == number, publication.moment == item.moment else {
      // Sent again: the machine does that, if it still knows it.
      if progress.wasDead { progress.isDurable = true }
      return
    }
    let submission = Submission(
      publication: numbers[index], topic: topic(publish.topic), quality: publish.qos.rawValue,
      retain: isRetained(index),
      expiry: publication.expiry.map { .seconds(UInt64($0)) } ?? .forever)
    step(actionTime(item.moment), node, .submit(submission))
  }

  // MARK: - Its end

  /// - Returns: how the device stands then.
  private mutating func conclude(
    _ number: Int, next: Int?, _ node: NodeID, _ progress: inout Progress
  ) -> Standing {
    let session = story.sessions[number]
    if session.goodbye != nil { return .offline }
    guard let end = session.recording.ends.first else {
      return concludeAbandoned(number, next: next, node)
    }
    guard end.direction == .toClient else {
      if let pingTimeout = pingTimeout(session, end), next != nil {
        progress.pingTimeout = pingTimeout
        return .returning(since: clientTime(end.moment))
      }
      step(
        clientTime(end.moment), node, .kill(host: false),
        "frame \(end.moment.frame): \(end.isReset ? "RST" : "FIN") without DISCONNECT")
      return .dead
    }
    switch episodes.close(of: number) {
    case .keepAlive(let late):
      if late > .seconds(1) {
        note(
          end.moment, "the server closed \(late.seconds3) later than 1.5 × the keep-alive", node)
      }
    case .unexplained:
      note(end.moment, "the server closed the connection, and nothing shows why", node)
      fault(
        .reset(client: true, server: true), node, at: serverTime(end.moment),
        "frame \(end.moment.frame): the server closed the connection")
    case .takenOver, .restart, nil: break
    }
    return concludeClosedByServer(number, end, next: next, node)
  }

  private mutating func concludeClosedByServer(
    _ number: Int, _ end: MQTTRecordedEnd, next: Int?, _ node: NodeID
  ) -> Standing {
    let recording = story.sessions[number].recording
    let answer = recording.ends.first { $0.direction == .toServer }
    let silence = unresponsiveness(of: number)
    if let last = silence.asleep.last, last.until == nil {
      // It never read what it was sent, the end of the connection included.
      let moment = answer?.moment ?? end.moment
      step(
        max(clientTime(moment), arrivalTime(end.moment) + .microseconds(1)), node,
        .kill(host: false), "frame \(moment.frame): it never reacted to anything any more")
      return .dead
    }
    let since = max(
      arrivalTime(end.moment), silence.asleep.last?.until.map { actionTime($0) } ?? .start)
    if next == nil {
      let left = history.end - since
      guard left > .milliseconds(900) else { return .returning(since: since) }
      step(
        since + .microseconds(2), node, .kill(host: false),
        "it did not come back before the end of the capture")
      return .dead
    }
    return .returning(since: since)
  }

  /// The connection has no end in the capture.
  private mutating func concludeAbandoned(
    _ number: Int, next: Int?, _ node: NodeID
  ) -> Standing {
    guard let next else { return .offline }
    let recording = story.sessions[number].recording
    let last = recording.lastSign[Int(Direction.toServer.rawValue)]
    let began = story.sessions[next].recording.began
    note(last, "the client was not heard again on this connection, and nothing shows why", node)
    let middle = clientTime(last) + (began.time - last.time) / 2
    step(middle, node, .kill(host: true), "not heard after frame \(last.frame)")
    return .dead
  }

  /// How long the client waited for PINGRESP, if that is why it closed the connection.
  private func pingTimeout(_ session: MQTTStorySession, _ end: MQTTRecordedEnd) -> Nanoseconds? {
    let keepAlive = Nanoseconds.seconds(UInt64(session.keepAlive))
    guard keepAlive > .zero else { return nil }
    var before = session.recording.packets
    guard case .pingreq? = before.last?.packet else { return nil }
    before.removeLast()
    guard let last = before.last else { return nil }
    // A program that waits was due to ask one keep-alive after it last heard or said something.
    let waited = end.moment.time - (last.moment.time + keepAlive)
    return waited > .milliseconds(500) ? waited : nil
  }

  // MARK: - Parameters

  private mutating func parameters(
    _ traits: MQTTDeviceTraits, _ device: MQTTStoryDevice, _ progress: Progress
  ) -> [Parameter] {
    var list: [Parameter] = []
    let isVersion5 = traits.version == .v5
    if isVersion5 { list.append(Parameter("version", 5)) }
    list.append(Parameter("keep-alive", UInt64(traits.keepAlive) * 1_000_000_000))
    if let pingTimeout = progress.pingTimeout {
      list.append(Parameter("ping-timeout", pingTimeout.count))
    }
    if traits.cleanStart { list.append(Parameter("clean-start", 1)) }
    if isVersion5 {
      let expiry: Nanoseconds =
        traits.sessionExpiry == .max ? .forever : .seconds(UInt64(traits.sessionExpiry))
      list.append(Parameter("session-expiry", expiry.count))
      if traits.receiveMaximum != .max {
        list.append(Parameter("receive-maximum", UInt64(traits.receiveMaximum)))
      }
    }
    if let will = traits.will {
      list.append(Parameter("will-topic", UInt64(topic(will.topic))))
      list.append(Parameter("will-quality", UInt64(will.qos.rawValue)))
      if let delay = will.properties.willDelayInterval, delay > 0 {
        list.append(Parameter("will-delay", UInt64(delay) * 1_000_000_000))
      }
      if will.retain {
        note(story.sessions[device.sessions[0]].recording.began, "the will is to be retained")
      }
    }
    if progress.isDurable { list.append(Parameter("durable", 1)) }
    if progress.resubscribes, device.sessions.count > 1, !progress.wishes.isEmpty {
      list.append(Parameter("resubscribe", 1))
    }
    if let pause = progress.pauses.first {
      list.append(Parameter("back-off-min", max(pause.count, 1)))
      list.append(Parameter("jitter", 0))
      if progress.pauses.count > 1 { keepPace(of: pause, &list) }
    }
    return list.sortedAsKnown
  }

  /// The pause is always the same, as far as the capture shows. Such a device asks more often of a
  /// server that is down than one that backs off, and that is no storm of the machine's making.
  private mutating func keepPace(of pause: Nanoseconds, _ list: inout [Parameter]) {
    list.append(Parameter("back-off-max", max(pause.count, 1)))
    let budget = history.scenario.budget
    let attempts = budget.per.count / max(pause.count, 1)
    let connects = UInt64(StormBudget().connects) &+ attempts
    history.scenario.budget.connects = max(budget.connects, UInt16(clamping: connects))
  }
}

extension [Parameter] {
  /// In the order of the model's table, so that text written and read again is equal.
  fileprivate var sortedAsKnown: [Parameter] {
    let order = MQTTDeviceSettings.parameters.map(\.name)
    return sorted { (order.firstIndex(of: $0.name) ?? 0) < (order.firstIndex(of: $1.name) ?? 0) }
  }
}

extension Nanoseconds {
  fileprivate func isAbout(_ other: Nanoseconds) -> Bool {
    let difference = max(self, other) - min(self, other)
    return difference <= max(other / 10, .milliseconds(20))
  }
}
