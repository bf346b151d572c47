internal import Custody
internal import Simulation
internal import Timeline

/// A trace, made ready for drawing: messages with their fate, everything else as notes.
struct SequenceDiagramEvents {
  enum Event {
    /// Written by one end; `arrived` is `nil` when it never did.
    case message(Instant, NodeID, from: Side, text: String, arrived: Instant?)
    case note(Instant, NodeID, String)
    case fault(Instant, NodeID, String)
    /// So many messages of routine, left out.
    case elided(Int)
  }

  private(set) var events: [Event] = []

  /// - Parameter limit: how many events; the routine ones go first, then the middle.
  init(_ trace: [TraceEntry], scenario: Scenario, limit: Int) {
    let fates = Self.fates(trace)
    for (index, entry) in trace.enumerated() {
      append(entry, arrived: fates[index], scenario)
    }
    elideRoutine()
    elideMiddle(limit)
  }

  /// When each written message arrived, by position of the entry that wrote it. Within a direction
  /// of a link everything arrives in order, so the nth that arrives is the nth that was written.
  private static func fates(_ trace: [TraceEntry]) -> [Int: Instant] {
    struct Lane: Hashable {
      var link: LinkID
      var sender: Side
    }
    var waiting: [Lane: [Int]] = [:]
    var fates: [Int: Instant] = [:]
    for (index, entry) in trace.enumerated() {
      guard let link = entry.link else { continue }
      switch entry.what {
      case .wrote(let side): waiting[Lane(link: link, sender: side), default: []].append(index)
      case .arrived(let side):
        // Told by the end that it arrived at.
        let lane = Lane(link: link, sender: side.peer)
        guard let queue = waiting[lane] else { continue }
        guard let place = queue.firstIndex(where: { trace[$0].text == entry.text }) else {
          continue
        }
        fates[queue[place]] = entry.time
        waiting[lane]?.removeSubrange(...place)
      case .action, .opening, .opened, .openFailed, .closed, .closing, .retransmitted, .fault,
        .timer, .requestedCredential, .credential, .handedOver, .applied, .countedDone, .dropped,
        .gaveUp, .blamed, .died, .launched, .paused, .resumed, .believes, .openingAgain, .pathLost,
        .credentialExpired, .backAfterExpiry, .calm:
        continue
      }
    }
    return fates
  }

  private mutating func append(_ entry: TraceEntry, arrived: Instant?, _ scenario: Scenario) {
    let publication = entry.publication
    switch entry.what {
    case .wrote(let side):
      events.append(
        .message(entry.time, entry.device, from: side, text: entry.text, arrived: arrived))
    case .fault(let index):
      let kind = index < scenario.faults.count ? scenario.faults[index].kind.words : "fault"
      events.append(.fault(entry.time, entry.device, kind))
    case .arrived, .timer, .opening, .opened, .openingAgain, .retransmitted, .believes, .pathLost,
      .backAfterExpiry:
      return
    case .credentialExpired: note(entry, "the credential expires")
    case .action(let action): note(entry, action.words)
    case .openFailed(let failure): note(entry, failure == .refused ? "refused" : "no answer")
    case .closed(let side, let cause): note(entry, "\(side.name)'s connection: \(cause.words)")
    case .closing(let side, let reset):
      note(entry, "\(side.name) \(reset ? "resets" : "closes") the connection")
    case .requestedCredential: note(entry, "asks for a credential")
    case .credential(let answer): note(entry, answer.words)
    case .handedOver: note(entry, "publication \(publication) is handed to the app")
    case .applied: note(entry, "the app is done with publication \(publication)")
    case .countedDone(let side):
      note(entry, "\(side.name) counts publication \(publication) as delivered")
    case .dropped(let side, let reason):
      note(entry, "\(side.name) drops publication \(publication): \(reason.words)")
    case .gaveUp: note(entry, "gives up for good")
    case .blamed(let side, _): note(entry, "\(side.name) sees a rule broken")
    case .died(let side): note(entry, "\(side.name)'s program ends")
    case .launched(let side): note(entry, "\(side.name)'s program starts")
    case .paused(let side): note(entry, "\(side.name) stops processing")
    case .resumed(let side): note(entry, "\(side.name) goes on")
    case .calm: note(entry, "all faults are over")
    }
  }

  private mutating func note(_ entry: TraceEntry, _ text: String) {
    events.append(.note(entry.time, entry.device, text))
  }

  // MARK: - Leaving out

  /// Pings say nothing once they have been seen to work.
  private mutating func elideRoutine() {
    var kept: [Event] = []
    var run = 0
    for event in events {
      if case .message(_, _, _, let text, .some) = event,
        text.hasPrefix("PINGREQ") || text.hasPrefix("PINGRESP")
      {
        run += 1
        continue
      }
      if run > 0 {
        kept.append(.elided(run))
        run = 0
      }
      kept.append(event)
    }
    if run > 0 { kept.append(.elided(run)) }
    events = kept
  }

  private mutating func elideMiddle(_ limit: Int) {
    guard events.count > limit else { return }
    let head = limit * 2 / 3
    let tail = limit - head
    let left = events.count - head - tail
    events.replaceSubrange(head..<(events.count - tail), with: [.elided(left)])
  }
}

extension CloseCause {
  var words: String {
    switch self {
    case .finished: "closed by the other end"
    case .reset: "reset"
    case .timedOut: "timed out"
    case .aborted: "gone with the network"
    }
  }
}

extension DropReason {
  var words: String {
    switch self {
    case .messageExpired: "it expired"
    case .sessionExpired: "its session expired"
    case .sessionReplaced: "its session was replaced"
    case .rejected: "it was rejected"
    case .queueFull: "the queue is full"
    case .superseded: "a newer one took its place"
    case .tooLarge: "it is too large"
    }
  }
}

extension CredentialAnswer {
  var words: String {
    switch self {
    case .issued: "gets a credential"
    case .refused: "is refused a credential"
    case .throttled(let retry): "is told to ask for a credential again in \(retry)"
    }
  }
}

extension Action {
  var words: String {
    switch self {
    case .connect: "connect"
    case .disconnect: "disconnect"
    case .subscribe(_, let quality): "subscribe (QoS \(quality))"
    case .unsubscribe: "unsubscribe"
    case .submit(let submission):
      "submit publication \(submission.publication) (QoS \(submission.quality))"
    case .sleep: "sleep"
    case .wake: "wake"
    case .kill(let host): host ? "kill with its host" : "kill"
    case .launch: "launch"
    }
  }
}

extension FaultKind {
  /// For reports; scenario files have their own, which can be read back.
  var words: String {
    var words = name.replacing("-", with: " ")
    switch self {
    case .lose(let direction, _):
      words =
        switch direction {
        case .toServer: "loses everything towards the server"
        case .toClient: "loses everything towards the device"
        case .both: "loses everything both ways"
        }
    case .pause(let side, _): words = "\(side.name) stops processing"
    case .slow(let side, _, _): words = "\(side.name) is slow"
    case .clockJump(let side, let forward, _):
      words = "\(side.name)'s clock jumps \(forward ? "forward" : "backward")"
    case .restartServer(_, _, let wipe): words = "server restarts\(wipe ? ", storage lost" : "")"
    case .killClient: words = "device's program is killed"
    case .cut: words = "connection breaks inside a message"
    case .reset: words = "connection is reset"
    case .delay, .halfOpen, .forgetMapping, .changeNetwork, .refuse, .resubmit,
      .expireCredential, .slowRefresh, .refuseRefresh, .staleRefresh, .loseRefresh,
      .throttleRefresh:
      break
    }
    if let by { words += " by \(by)" }
    if let length { words += " for \(length)" }
    return words
  }
}
