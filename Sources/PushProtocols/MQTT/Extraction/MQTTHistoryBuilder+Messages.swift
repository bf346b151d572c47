internal import Custody
internal import Simulation
internal import Timeline
internal import Wire

// What the capture shows, in the words in which a run is traced.
extension MQTTHistoryBuilder {
  mutating func collectMessages() {
    var ledger = CapturedLedger()
    for number in included {
      let session = story.sessions[number]
      for (position, item) in session.recording.packets.enumerated() {
        // What a device got from publishers that are not in this scenario is another story.
        guard isTold(session.marks[position]) else { continue }
        let publication = publication(of: session.marks[position])
        append(asTold(item, session.marks[position]), publication, session, nodes[number])
        ledger.see(item, publication, device: receiver(for: nodes[number]))
      }
    }
    history.messages.sort { ($0.time, $0.frame) < ($1.time, $1.frame) }
    history.deliveries = ledger.deliveries
  }

  /// The first device of the same identity: ledgers count by identity.
  private func receiver(for node: NodeID) -> NodeID {
    let identity = devices[node.device].identity
    return NodeID(device: devices.firstIndex { $0.identity == identity } ?? node.device)
  }

  /// A retained message that the scenario submits as an ordinary one is compared as one.
  private func asTold(_ item: MQTTRecordedPacket, _ mark: MQTTMark) -> MQTTRecordedPacket {
    guard case .publish(var publish) = item.packet, item.direction == .toServer,
      case .publication(let index) = mark
    else { return item }
    publish.retain = isRetained(index)
    var told = item
    told.packet = .publish(publish)
    return told
  }

  private func isTold(_ mark: MQTTMark) -> Bool {
    switch mark {
    case .nothing: true
    case .publication(let index): numbers[index] > 0
    case .will(let session): !nodes[session].isServer
    }
  }

  private func publication(of mark: MQTTMark) -> UInt16 {
    switch mark {
    case .nothing: 0
    case .publication(let index): numbers[index]
    case .will(let session):
      nodes[session].isServer ? 0 : firstWillPublication + UInt16(nodes[session].device)
    }
  }

  /// SUBSCRIBE and its kin hold several filters on the wire; the machines send one each.
  private mutating func append(
    _ item: MQTTRecordedPacket, _ publication: UInt16, _ session: MQTTStorySession,
    _ node: NodeID
  ) {
    var texts: [String]
    switch item.packet {
    case .subscribe(let subscribe):
      texts = subscribe.subscriptions.map {
        MQTTComparableText.subscribe($0.filter, quality: $0.qos.rawValue)
      }
    case .suback(let suback):
      texts = suback.reasonCodes.map { MQTTComparableText.answer(.suback, $0) }
    case .unsubscribe(let unsubscribe):
      texts = unsubscribe.filters.map { MQTTComparableText.unsubscribe($0) }
    case .unsuback(let unsuback):
      texts = unsuback.reasonCodes.map { MQTTComparableText.answer(.unsuback, $0) }
      if texts.isEmpty { texts = [item.packet.type.name] }
    case .disconnect(let goodbye)
    where goodbye.reasonCode == .disconnectWithWill && session.connect.will == nil:
      // Asks for a will that there is not: an ordinary goodbye.
      texts = [item.packet.type.name]
    case .connect, .connack, .publish, .puback, .pubrec, .pubrel, .pubcomp, .pingreq, .pingresp,
      .disconnect, .auth:
      texts = [MQTTComparableText.of(item.packet, publication: publication)]
    }
    let isApplication = item.packet.type == .publish
    for text in texts {
      history.messages.append(
        CapturedMessage(
          time: story.time(item.moment), frame: item.moment.frame, device: node,
          sender: item.direction == .toServer ? .client : .server,
          kind: item.packet.type.rawValue, publication: publication, text: text,
          isApplication: isApplication))
    }
  }

  /// Counts what crossed the wire, by receiver and publication.
  private struct CapturedLedger {
    private var rows: [CapturedDelivery] = []

    var deliveries: [CapturedDelivery] {
      rows.sorted { ($0.receiver, $0.publication) < ($1.receiver, $1.publication) }
    }

    mutating func see(_ item: MQTTRecordedPacket, _ publication: UInt16, device: NodeID) {
      guard publication > 0 else { return }
      let receiver = item.direction == .toClient ? device : NodeID.server
      switch item.packet {
      case .publish(let publish):
        let index = index(publication, receiver, publish.qos.rawValue)
        rows[index].sends &+= 1
      case .puback(let answer), .pubrec(let answer):
        guard !item.peerHadClosed, !answer.reasonCode.isFailure else { return }
        let answered = item.direction == .toClient ? NodeID.server : device
        if let index = rows.firstIndex(where: {
          $0.publication == publication && $0.receiver == answered
        }) {
          rows[index].isAcknowledged = true
        }
      case .connect, .connack, .pubrel, .pubcomp, .subscribe, .suback, .unsubscribe, .unsuback,
        .pingreq, .pingresp, .disconnect, .auth:
        break
      }
    }

    private mutating func index(
      _ publication: UInt16, _ receiver: NodeID, _ quality: UInt8
    ) -> Int {
      if let known = rows.firstIndex(where: {
        $0.publication == publication && $0.receiver == receiver
      }) {
        return known
      }
      rows.append(
        CapturedDelivery(
          publication: publication, receiver: receiver, quality: quality, sends: 0,
          isAcknowledged: false))
      return rows.count - 1
    }
  }
}
