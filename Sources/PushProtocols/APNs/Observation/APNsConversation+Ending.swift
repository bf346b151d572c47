import Custody
import Timeline
import Wire

/// How a connection ends, and what it proves.
extension APNsConversation {
  func depart(_ direction: Direction, _ how: APNsDeparture.How, at moment: Moment) {
    let departure = APNsDeparture(how: how, moment: moment)
    switch direction {
    case .toServer:
      // Until then it has kept the connection.
      if how == .finished, server == nil { keepAlive.heard(at: moment, isClosing: true) }
      if client == nil { client = departure }
    case .toClient:
      if server == nil { server = departure }
    }
    guard record.end == .open else { return }
    ending = moment
    record.end =
      switch (direction, how) {
      case (.toServer, .saidGoodbye): .disconnected
      case (.toServer, .finished): .clientClosed
      case (.toServer, .reset): .clientReset
      case (.toClient, .saidGoodbye): .dismissed
      case (.toClient, .finished): .serverClosed
      case (.toClient, .reset): .serverReset
      }
  }

  /// Nothing more will be told.
  func finish(_ end: EndOfConnection, at moment: Moment) {
    if isOver { return }
    if record.end == .open {
      switch end {
      case .closed, .reset, .refused, .reused, .evicted:
        record.end = .unknown
        record.endNote = end == .evicted ? "not followed any longer" : "the ports were used again"
      case .captureOver: break
      }
      if end == .evicted { missedPackets("the connection was not followed to its end") }
    }
    let isStillOpen = end == .captureOver && client == nil && server == nil
    for delivery in unconfirmed.rest {
      if isStillOpen { observer.file(delivery) } else { doubtAck(delivery, at: moment) }
    }
    unconfirmed.removeAll()
    judgeEarlyAcks()
    judgeFilter()
    for device in devices { device.passOver(self) }
    if let zombie = keepAlive.longest { observer.zombies.append((zombie, self)) }
    isOver = !isStillOpen
    record.evidenceMissing = evidenceMissing
    record.messages = messageCounts
    record.details = details.lines(keepAlive)
    letGo(at: moment)
    observer.close(self)
  }

  /// TCP did not bring the acknowledgement over before the connection ended: it may not have come.
  private func doubtAck(_ delivery: APNsDelivery, at moment: Moment) {
    guard delivery.conversation === self, delivery.state == .acknowledged else {
      observer.file(delivery)
      return
    }
    delivery.isDoubtful = true
    delivery.note(
      .unconfirmedAcknowledgement, moment, in: record.id, holder: .server,
      "TCP did not confirm it before the connection ended")
    record.acknowledged -= min(1, record.acknowledged)
    delivery.device.reopen(delivery)
  }

  /// A courier sends nothing to a device that has not said what it wants.
  private func judgeFilter() {
    guard let accepted, firstFilter == nil, evidenceMissing.isEmpty, let lastClientFrame,
      lastClientFrame.time - accepted.time >= .seconds(60)
    else { return }
    observer.violations.add(
      "apns-filter-after-connect",
      headline: "the device never says which topics it wants, so no notification can come",
      detail: "no Filter since the courier let the device in (frame \(accepted.frame)), and the "
        + "device talks on",
      session: record.id, at: lastClientFrame)
  }

  /// The device says that it was connected after that connection was over: then what was open may
  /// have been settled where the capture did not look.
  func mayHaveBeenElsewhere(since earlier: APNsConversation?) -> Bool {
    guard let lastConnected, let deviceClock, let end = earlier?.record.ended else { return false }
    // By the clock of the capture.
    let behind = deviceClock > lastConnected ? deviceClock - lastConnected : 0
    let then = began.time - .milliseconds(behind)
    return then > end.time + .seconds(5)
  }
}
