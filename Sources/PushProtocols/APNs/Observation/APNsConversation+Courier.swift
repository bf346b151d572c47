import Custody
import Timeline
import Wire

/// What the courier says.
extension APNsConversation {
  /// Packets of two directions may be recorded in another order than they were sent in.
  private static let reordering = Nanoseconds.milliseconds(100)

  func receiveFromCourier(_ frame: APNsFrame, end: UInt64, at moment: Moment) {
    lastServerFrame = moment
    switch frame.command {
    case .connectResponse: receiveResponse(frame, at: moment)
    case .notification: receiveNotification(frame, end: end, at: moment)
    case .ack: receiveAnswer(frame, at: moment)
    case .keepAliveResponse: keepAlive.answer()
    case .noStorage:
      let token = frame.bytes(1).map { APNsToken($0) } ?? devices.first?.token
      if demands[token]?.nothingStored == nil { demands[token]?.nothingStored = moment }
      saidNothingStored = true
      details.saysNothingStored = true
    case .appTokenResponse: receiveAppToken(frame)
    case _: break
    }
  }

  private func receiveResponse(_ frame: APNsFrame, at moment: Moment) {
    let presentation = presentations.isEmpty ? nil : presentations.removeFirst()
    let status = frame.number(1) ?? 0
    if let host = frame.bytes(2), !host.isEmpty {
      record.endNote = "redirected to \(APNsText.printable(host))"
    }
    details.respond(frame, status: status)
    guard status == 0 else {
      refuse(presentation, status: status, at: moment)
      return
    }
    let issued = frame.bytes(3).map { APNsToken($0) }
    guard let token = issued ?? presentation?.token else { return }
    let device = observer.device(token)
    device.refusals = []
    join(device)
    if accepted == nil { accepted = moment }
    if devices.count == 1 {
      record.subscriber = device.name
      record.isIdentified = true
      if let presentation { record.resumed = presentation.token == token }
    }
    if let former = presentation?.token, former != token {
      let old = observer.device(former)
      device.former = old
      observer.newTokens.append(
        APNsNewToken(from: old, to: device, session: record.id, moment: moment))
    }
  }

  private func refuse(
    _ presentation: APNsPresentation?, status: UInt64, at moment: Moment
  ) {
    guard devices.isEmpty else { return }
    record.end = .refused
    record.endNote = "ConnectResponse status \(status)"
    ending = moment
    guard let token = presentation?.token else { return }
    let device = observer.device(token)
    record.subscriber = device.name
    record.isIdentified = true
    device.refusals.append((presentation?.moment ?? moment, record.id))
    observer.noteRefusal(of: device)
  }

  /// An app's token. The answer names the topic and nothing else of the request.
  private func receiveAppToken(_ frame: APNsFrame) {
    let topic = frame.bytes(3).map { APNsTopic(hash: $0) }
    let index = appTokenRequests.firstIndex { $0.topic == topic }
    let request = index.map { appTokenRequests.remove(at: $0) }
    guard frame.number(1) ?? 0 == 0, let token = frame.bytes(2).map({ APNsToken($0) }) else {
      return
    }
    let base = request?.base
    guard let device = devices.first(where: { $0.token == base }) ?? devices.first else { return }
    appTokens[token] = device
    observer.learn(token, of: device)
    details.appTokens += 1
  }

  // MARK: Notifications

  private func receiveNotification(_ frame: APNsFrame, end: UInt64, at moment: Moment) {
    guard let notification = APNsNotification(frame, at: moment) else {
      record.sentAtMostOnce += 1
      return
    }
    let (device, isSure) = recipient(of: notification)
    record.sent += 1
    record.receives = true
    let delivery: APNsDelivery
    if let earlier = device.earlier(notification, on: self) {
      delivery = earlier
      record.redelivered += 1
    } else {
      delivery = observer.begin(notification, to: device)
    }
    // One that was acknowledged is counted with all of its sendings.
    observer.unfile(delivery)
    delivery.send(notification, on: self)
    if !delivery.isOpen { observer.file(delivery) }
    delivery.isSurelyOfDevice = isSure
    if let other = inFlight[notification.messageID], other !== delivery, other.isOpen,
      other.taint.isEmpty
    {
      other.taint = "its identifier was given to another notification on the same connection"
    }
    inFlight[notification.messageID] = delivery
    settled.remove(notification.messageID)
    awaitingTransport.append(APNsUnconfirmed(delivery: delivery, end: end))
    if let topic = notification.topic, demands[device.token]?.served[topic] == nil {
      demands[device.token]?.served[topic] = APNsService(
        moment: moment, isFromStorage: notification.isFromStorage)
    }
    takeEarly(for: delivery, at: moment)
  }

  /// Whom it is for, and whether that is known for sure: the token may be that of an app, given
  /// before the capture.
  private func recipient(of notification: APNsNotification) -> (APNsObservedDevice, isSure: Bool) {
    if let token = notification.token {
      if let device = appTokens[token] ?? devices.first(where: { $0.token == token })
        ?? observer.knownOwner(of: token)
      {
        return (device, true)
      }
    }
    if let base = notification.baseToken { return (observer.device(base), true) }
    if let device = devices.first { return (device, false) }
    let device = notification.token.map(observer.device) ?? observer.anonymousDevice(name)
    join(device)
    record.subscriber = device.name
    record.isIdentified = device.token != nil
    return (device, false)
  }

  /// Its acknowledgement may have been recorded before it.
  private func takeEarly(for delivery: APNsDelivery, at moment: Moment) {
    let index = earlyAcks.firstIndex {
      $0.messageID == delivery.messageID && $0.moment.time + Self.reordering >= moment.time
    }
    guard let index else { return }
    take(earlyAcks.remove(at: index), for: delivery)
  }

  /// To what the device has sent. Without an identifier it is for the one that waits.
  private func receiveAnswer(_ frame: APNsFrame, at moment: Moment) {
    let status = frame.number(8) ?? 0
    if let id = frame.number(4) {
      if let index = submissions.firstIndex(of: UInt32(truncatingIfNeeded: id)) {
        submissions.remove(at: index)
      } else {
        if evidenceMissing.isEmpty, !hasForgottenSubmissions {
          observer.violations.add(
            "apns-ack-identity",
            headline: "the courier acknowledges a message that the device has not sent",
            detail: "Ack id \(id) from the courier: nothing of that identifier waits",
            session: record.id, at: moment)
        }
        return
      }
    } else if !submissions.isEmpty {
      submissions.removeFirst()
    } else {
      return
    }
    if status == 0 { record.accepted += 1 } else { record.rejected += 1 }
  }
}
