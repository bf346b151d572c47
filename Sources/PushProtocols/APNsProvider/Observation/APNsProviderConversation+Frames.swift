import Custody
import HTTP2
import Timeline
import Wire

/// What the frames of a connection mean to a provider and to APNs.
extension APNsProviderConversation: HTTP2Listener {
  func receive(_ frame: HTTP2Frame, _ direction: Direction) { count(frame, direction) }

  func receive(_ event: HTTP2Event, _ place: HTTP2Place) {
    let moment = place.moment
    observer.onlooker?(record.id, event, place)
    switch (event, place.direction) {
    case (.headers(let stream, let fields, let ends), .toServer):
      receiveRequest(stream, fields, place)
      if ends { endRequest(stream, place) }
    case (.headers(let stream, let fields, let ends), .toClient):
      receiveAnswer(stream, fields)
      if ends { endAnswer(stream, at: moment) }
    case (.data(let stream, let content, let missing, let ends), .toServer):
      open[stream]?.add(content, missing: missing)
      if ends { endRequest(stream, place) }
    case (.data(let stream, let content, _, let ends), .toClient):
      if let request = open[stream], request.body.count < 4096 { request.body += content }
      if ends { endAnswer(stream, at: moment) }
    case (.reset(let stream, let code), let direction):
      receiveReset(stream, code, from: direction, at: moment)
    case (.settings, let direction):
      if hasSettings[direction] == nil { hasSettings[direction] = moment }
    case (.goAway(let last, let code, let debug), let direction):
      let said = APNsErrorBody(debug)?.reason ?? (debug.isEmpty ? "" : "with a note")
      goAway(
        GoAway(
          lastStream: last, code: code, reason: said, moment: moment,
          isFirst: hasSettings[direction] == nil), from: direction)
    case (.ping(let opaque), let direction):
      if pings[direction].count < 64 {
        pings[direction].append(Ping(opaque: opaque, moment: moment))
      }
    case (.pingAcknowledged(let opaque), let direction):
      pings[direction.opposite].removeAll { $0.opaque == opaque }
    case (.preface, _), (.priority, _), (.settingsAcknowledged, _), (.pushPromise, _),
      (.windowUpdate, _), (.unknown, _), (.damaged, _):
      break
    }
  }

  func receive(_ violation: HTTP2Violation) {
    observer.violations.add(
      violation.rule, rule: violation.text,
      detail: violation.text + (violation.sender == .toServer ? " (provider)" : " (APNs)"),
      session: record.id, at: violation.moment)
  }

  func lostTrack(_ direction: Direction, _ why: String, at moment: Moment) {
    miss(why)
  }

  // MARK: Requests

  private func receiveRequest(_ stream: UInt32, _ fields: HTTP2Fields, _ place: HTTP2Place) {
    // Trailers.
    if open[stream] != nil { return }
    let request = APNsRequest(stream: stream, session: record.id, began: place.moment)
    switch fields {
    case .known(let all): request.read(all) { claims($0) }
    case .unknown(let why):
      request.unknown = why
      miss(why)
    }
    begin(request)
  }

  private func endRequest(_ stream: UInt32, _ place: HTTP2Place) {
    guard let request = open[stream] else { return }
    complete(request, end: place.bytes.upperBound, at: place.moment)
  }

  // MARK: Answers

  private func receiveAnswer(_ stream: UInt32, _ fields: HTTP2Fields) {
    guard let request = open[stream] else { return }
    switch fields {
    case .known(let all):
      // Trailers have no status.
      if let text = all.first(where: { $0.name == ":status" })?.value, let status = Int(text),
        (100...999).contains(status)
      {
        request.status = status
      }
      if let id = all.first(where: { $0.name == "apns-id" })?.value {
        request.answerID = APNsProviderText.plain(id)
      }
    case .unknown(let why): miss(why)
    }
  }

  private func endAnswer(_ stream: UInt32, at moment: Moment) {
    guard let request = open[stream] else { return }
    answer(request, at: moment)
  }

  private func receiveReset(
    _ stream: UInt32, _ code: HTTP2ErrorCode, from direction: Direction, at moment: Moment
  ) {
    guard let request = open[stream] else { return }
    // After a whole answer a reset says only that nobody reads on (RFC 9113 §8.1).
    if request.outcome == .waiting {
      request.outcome = .reset(direction, code)
      if direction == .toClient, code == .refusedStream {
        request.outcome = .refused("reset with \(code)")
      }
      request.ended = moment
    }
    close(request)
  }
}
