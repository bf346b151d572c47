import Custody
import Timeline
import Wire

/// What the device says.
extension APNsConversation {
  /// Requests that wait for answers, and users of one device: far more than there are.
  private static let waitingLimit = 1024

  func receiveFromDevice(_ frame: APNsFrame, end: UInt64, at moment: Moment) {
    if server == nil { keepAlive.heard(at: moment) }
    lastClientFrame = moment
    switch frame.command {
    case .connect: receiveConnect(frame, at: moment)
    case .filter: receiveFilter(frame, at: moment)
    case .ack: receiveAck(frame, end: end, at: moment)
    case .notification: receiveSubmission(frame)
    case .keepAlive: receiveKeepAlive(frame, at: moment)
    case .appToken:
      if appTokenRequests.count < Self.waitingLimit {
        appTokenRequests.append(
          (frame.bytes(2).map { APNsTopic(hash: $0) }, frame.bytes(1).map { APNsToken($0) }))
      }
      if let token = frame.bytes(1) { adopt(APNsToken(token), at: moment) }
    case .setState:
      details.state =
        switch frame.number(1) {
        case 1: "active"
        case 2: "inactive"
        case let other?: "\(other)"
        case nil: "not given"
        }
    case _: break
    }
  }

  private func receiveConnect(_ frame: APNsFrame, at moment: Moment) {
    if frame.number(2) == 2 {
      record.endNote = "Connect with state 2"
      depart(.toServer, .saidGoodbye, at: moment)
      return
    }
    let token = frame.bytes(1).flatMap { $0.isEmpty ? nil : APNsToken($0) }
    if presentations.isEmpty, devices.isEmpty {
      details.connect(frame)
      lastConnected = frame.number(22)
      if let nonce = frame.bytes(13), nonce.count == 17 {
        deviceClock = nonce[1...8].reduce(0) { $0 << 8 | UInt64($1) }
      }
    }
    if presentations.count < Self.waitingLimit {
      presentations.append(APNsPresentation(token: token, moment: moment))
    }
  }

  private func receiveFilter(_ frame: APNsFrame, at moment: Moment) {
    let token = frame.bytes(1).map { APNsToken($0) }
    if let token { adopt(token, at: moment) }
    guard demands.count < Self.waitingLimit else { return }
    var demand = demands.removeValue(forKey: token) ?? APNsDemand()
    demand.replace(frame, at: moment)
    if firstFilter == nil { firstFilter = moment }
    details.filters += 1
    details.topics = demand.enabled.keys.map(observer.topicNames.text).sorted()
    details.otherTopics = demand.others
    if !demand.enabled.isEmpty { record.receives = true }
    demands[token] = demand
  }

  private func receiveKeepAlive(_ frame: APNsFrame, at moment: Moment) {
    // With a delayed response agreed on, when an answer is due is not known.
    if frame.bytes(6) != nil { keepAlive.isUnjudgeable = true }
    if let minutes = frame.bytes(5).flatMap({ UInt64(String(decoding: $0, as: UTF8.self)) }) {
      record.keepAlive = .minutes(min(minutes, 10_000))
    }
    keepAlive.ask(at: moment)
  }

  /// A notification on its way up. The courier's answer means no more than that it took it.
  private func receiveSubmission(_ frame: APNsFrame) {
    guard let id = frame.number(4) else {
      record.submittedAtMostOnce += 1
      return
    }
    record.submitted += 1
    if submissions.count >= Self.waitingLimit { hasForgottenSubmissions = true }
    if submissions.count < Self.waitingLimit { submissions.append(UInt32(truncatingIfNeeded: id)) }
  }

  // MARK: Acknowledgements

  private func receiveAck(_ frame: APNsFrame, end: UInt64, at moment: Moment) {
    guard let id = frame.number(4) else {
      if evidenceMissing.isEmpty {
        observer.violations.add(
          "apns-ack-identity", headline: "an acknowledgement names no message",
          detail: "an Ack without a message identifier", session: record.id, at: moment)
      }
      return
    }
    var ack = APNsEarlyAck(
      messageID: UInt32(truncatingIfNeeded: id), token: frame.bytes(1).map { APNsToken($0) },
      status: frame.number(8) ?? 0, end: end, moment: moment)
    details.count(status: ack.status)
    guard let delivery = inFlight[ack.messageID] else {
      // A second acknowledgement of the same message harms nobody.
      if settled.contains(ack.messageID) { return }
      ack.earlier =
        devices.lazy.compactMap { $0.openElsewhere(ack.messageID, than: self) }.first
      keepEarly(ack)
      return
    }
    take(ack, for: delivery)
  }

  func take(_ ack: APNsEarlyAck, for delivery: APNsDelivery) {
    let (moment, session) = (ack.moment, record.id)
    if courierHasClosed {
      delivery.note(
        .lateAcknowledgement, moment, in: session, holder: .server,
        "the courier had closed the connection")
      return
    }
    if let wrong = foreignOwner(of: ack.token, for: delivery) {
      if evidenceMissing.isEmpty, delivery.isSurelyOfDevice {
        observer.violations.add(
          "apns-ack-token",
          headline: "a notification is acknowledged under the token of somebody else",
          detail: "Ack \(delivery.idText) names the token of \(wrong.name), and the notification "
            + "was for \(delivery.device.name)",
          session: session, at: moment)
      }
      if delivery.taint.isEmpty {
        delivery.taint = "its acknowledgement names the token of \(wrong.name)"
      }
      return
    }
    inFlight[ack.messageID] = nil
    settled.insert(ack.messageID)
    record.acknowledged += 1
    // It had been acknowledged before, and was sent again.
    guard delivery.isOpen else { return }
    if ack.status == 0 {
      delivery.note(.acknowledged, moment, in: session, holder: .nobody, "status 0")
      delivery.acknowledged = (moment, session)
      delivery.settle(.acknowledged)
    } else {
      delivery.note(
        .rejected, moment, in: session, holder: .nobody, "status \(ack.status)")
      delivery.settle(.rejected, "the device answered with status \(ack.status)")
    }
    delivery.device.close(delivery)
    if ack.end <= confirmedUpTo.toServer {
      observer.file(delivery)
    } else {
      unconfirmed.append(APNsUnconfirmed(delivery: delivery, end: ack.end))
    }
  }

  /// Whose token an acknowledgement carries, if it is known to be another's.
  private func foreignOwner(of token: APNsToken?, for delivery: APNsDelivery) -> APNsObservedDevice?
  {
    guard let token, token != delivery.token else { return nil }
    let owner = appTokens[token] ?? observer.knownOwner(of: token)
    return owner === delivery.device ? nil : owner
  }

  /// Acknowledgements of what was never seen to be sent here.
  func judgeEarlyAcks() {
    if evidenceMissing.isEmpty {
      for ack in earlyAcks { judge(ack) }
    }
    earlyAcks = []
  }

  private func judge(_ ack: APNsEarlyAck) {
    guard let delivery = ack.earlier else {
      observer.violations.add(
        "apns-ack-identity", headline: "an acknowledgement names a message that was not sent",
        detail: "Ack id \(ack.messageID): nothing of that identifier is open here",
        session: record.id, at: ack.moment)
      return
    }
    observer.violations.add(
      "apns-ack-connection",
      headline: "a notification is acknowledged on a connection on which it was not sent",
      detail: "Ack \(delivery.idText), which was sent on session "
        + "\(delivery.events.first?.session?.number ?? 0) only",
      session: record.id, at: ack.moment)
  }

  /// A token that can only be that of the device at hand.
  private func adopt(_ token: APNsToken, at moment: Moment) {
    guard devices.isEmpty, !handshake || !evidenceMissing.isEmpty else { return }
    let device = observer.device(token)
    join(device)
    record.subscriber = device.name
    record.isIdentified = true
  }

  func join(_ device: APNsObservedDevice) {
    guard devices.count < Self.waitingLimit else { return }
    if !devices.contains(where: { $0 === device }) { devices.append(device) }
  }
}
