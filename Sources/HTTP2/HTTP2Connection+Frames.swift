import Wire

/// What whole frames say, and the rules of each type (RFC 9113 §6).
extension HTTP2Connection {
  func take(_ frame: HTTP2Frame, _ body: [UInt8], missing: Int, _ place: HTTP2Place) {
    let flow = self[place.direction]
    if let block = flow.block, frame.kind != .continuation || frame.stream != block.stream {
      violate("§6.10", "\(frame.name) in the middle of a header block", place)
      flow.block = nil
      var cut = block
      cut.isWhole = false
      finish(cut, place, "a header block was not ended")
    }
    guard let kind = frame.kind else {
      listener.receive(.unknown(type: frame.type, stream: frame.stream), place)
      return
    }
    if missing > 0, kind != .data {
      takeDamaged(frame, place)
      return
    }
    switch kind {
    case .data: takeData(frame, body, missing: missing, place)
    case .headers, .pushPromise: takeBlock(frame, body, place)
    case .continuation: takeContinuation(frame, body, place)
    case .priority:
      if check(frame, place, "§6.3", length: 5, onStream: true) {
        listener.receive(.priority(stream: frame.stream), place)
      }
    case .resetStream:
      if check(frame, place, "§6.4", length: 4, onStream: true) {
        streams.reset(frame.stream, at: place.moment)
        let code = HTTP2ErrorCode(rawValue: number(body[...]))
        listener.receive(.reset(stream: frame.stream, code), place)
      }
    case .settings: takeSettings(frame, body, place)
    case .ping:
      if check(frame, place, "§6.7", length: 8, onStream: false) {
        let opaque = body.reduce(0) { $0 << 8 | UInt64($1) }
        listener.receive(
          frame.hasAcknowledgement ? .pingAcknowledged(opaque) : .ping(opaque), place)
      }
    case .goAway: takeGoAway(frame, body, place)
    case .windowUpdate: takeWindowUpdate(frame, body, place)
    }
  }

  private func number(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
  }

  private func violate(_ section: String, _ text: String, _ place: HTTP2Place) {
    violate(section, text, place.direction, place.moment)
  }

  /// A frame of a fixed length, on a stream or on the connection.
  private func check(
    _ frame: HTTP2Frame, _ place: HTTP2Place, _ section: String, length: Int?, onStream: Bool
  ) -> Bool {
    if (frame.stream != 0) != onStream {
      violate(
        section, onStream ? "\(frame.name) on no stream" : "\(frame.name) on a stream", place)
    } else if let length, frame.length != length {
      violate(section, "\(frame.name) of \(frame.length) bytes, not \(length)", place)
    } else {
      return true
    }
    listener.receive(.damaged(type: frame.type, stream: frame.stream), place)
    return false
  }

  private func takeDamaged(_ frame: HTTP2Frame, _ place: HTTP2Place) {
    let flow = self[place.direction]
    switch frame.kind {
    case .headers, .pushPromise:
      flow.blocks.lose("a part of a header block is missing")
      var block = HTTP2Flow.Block(
        stream: frame.stream, endsStream: frame.kind == .headers && frame.hasEndStream,
        start: place.bytes.lowerBound)
      block.isWhole = false
      flow.block = block
      endBlock(frame, place)
    case .continuation:
      flow.blocks.lose("a part of a header block is missing")
      flow.block?.isWhole = false
      endBlock(frame, place)
    case .data, .priority, .resetStream, .settings, .ping, .goAway, .windowUpdate, nil:
      listener.receive(.damaged(type: frame.type, stream: frame.stream), place)
    }
  }

  // MARK: DATA

  private func takeData(
    _ frame: HTTP2Frame, _ body: [UInt8], missing: Int, _ place: HTTP2Place
  ) {
    guard check(frame, place, "§6.1", length: nil, onStream: true) else { return }
    var content = body[...]
    if frame.hasPadding, missing == 0 {
      guard let padding = content.popFirst(), Int(padding) <= content.count else {
        violate("§6.1", "DATA with more padding than payload", place)
        listener.receive(.damaged(type: frame.type, stream: frame.stream), place)
        return
      }
      content = content.dropLast(Int(padding))
    }
    let isAllowed = streams.send(
      frame.length, on: frame.stream, place.direction, ends: frame.hasEndStream, at: place.moment)
    if !isAllowed, isWhole { violate("§6.9.1", "more DATA than the window allows", place) }
    listener.receive(
      .data(
        stream: frame.stream, content: Array(content), missing: missing,
        endsStream: frame.hasEndStream), place)
  }

  // MARK: Header blocks

  private func takeBlock(_ frame: HTTP2Frame, _ body: [UInt8], _ place: HTTP2Place) {
    let isHeaders = frame.kind == .headers
    let section = isHeaders ? "§6.2" : "§6.6"
    let flow = self[place.direction]
    var block = HTTP2Flow.Block(
      stream: frame.stream, endsStream: isHeaders && frame.hasEndStream,
      start: place.bytes.lowerBound)
    var content = body[...]
    var isGood = frame.stream != 0
    if frame.hasPadding {
      let padding = content.popFirst()
      isGood = isGood && padding.map { Int($0) <= content.count } ?? false
      if isGood { content = content.dropLast(Int(padding ?? 0)) }
    }
    let fixed = isHeaders ? (frame.hasPriority ? 5 : 0) : 4
    isGood = isGood && content.count >= fixed
    guard isGood else {
      violate(section, "\(frame.name) that is shorter than its own parts, or on no stream", place)
      flow.blocks.lose("a header block can't be read")
      block.isWhole = false
      flow.block = block
      endBlock(frame, place)
      return
    }
    if !isHeaders { block.promised = number(content) & 0x7FFF_FFFF }
    block.bytes = Array(content.dropFirst(fixed))
    flow.block = block
    endBlock(frame, place)
  }

  private func takeContinuation(_ frame: HTTP2Frame, _ body: [UInt8], _ place: HTTP2Place) {
    let flow = self[place.direction]
    guard flow.block != nil else {
      // Behind a hole its HEADERS may be the ones that are missing.
      if isWhole { violate("§6.10", "CONTINUATION of nothing", place) }
      flow.blocks.lose("a part of a header block is missing")
      listener.receive(.damaged(type: frame.type, stream: frame.stream), place)
      return
    }
    if (flow.block?.bytes.count ?? 0) + body.count > Self.longestBlock {
      flow.blocks.lose("a header block is longer than \(Self.longestBlock) bytes")
      flow.block?.bytes = []
      flow.block?.isWhole = false
    } else if flow.block?.isWhole == true {
      flow.block?.bytes += body
    }
    endBlock(frame, place)
  }

  private func endBlock(_ frame: HTTP2Frame, _ place: HTTP2Place) {
    let flow = self[place.direction]
    guard frame.hasEndHeaders, let block = flow.block else { return }
    flow.block = nil
    finish(block, place, "a part of a header block is missing")
  }

  /// - Parameter why: what to say of a block that is not whole.
  private func finish(_ block: HTTP2Flow.Block, _ place: HTTP2Place, _ why: String) {
    let flow = self[place.direction]
    var fields = HTTP2Fields.unknown(flow.blocks.obstacle ?? why)
    if !block.isWhole {
      flow.blocks.lose(why)
    } else {
      let decoded = flow.blocks.decode(block.bytes)
      fields = decoded.fields
      if decoded.isFaulty { violate("§4.3", "a header block that can't be decoded", place) }
    }
    let whole = HTTP2Place(
      place.direction, bytes: min(block.start, place.bytes.upperBound)..<place.bytes.upperBound,
      place.moment)
    if let promised = block.promised {
      listener.receive(.pushPromise(stream: block.stream, promised: promised, fields), whole)
      return
    }
    if block.stream == 0 { return }
    streams.begin(
      block.stream, place.direction, ends: block.endsStream, at: place.moment)
    listener.receive(
      .headers(stream: block.stream, fields, endsStream: block.endsStream), whole)
  }

  // MARK: The connection

  private func takeSettings(_ frame: HTTP2Frame, _ body: [UInt8], _ place: HTTP2Place) {
    if frame.hasAcknowledgement {
      guard check(frame, place, "§6.5", length: 0, onStream: false) else { return }
      acknowledgeSettings(place)
      listener.receive(.settingsAcknowledged, place)
      return
    }
    guard check(frame, place, "§6.5", length: frame.length / 6 * 6, onStream: false) else { return }
    let settings = stride(from: 0, to: body.count, by: 6).map { at in
      HTTP2Setting(
        id: UInt16(body[at]) << 8 | UInt16(body[at + 1]), value: number(body[(at + 2)...]))
    }
    for setting in settings where setting.id == HTTP2Setting.headerTableSize {
      self[place.direction.opposite].blocks.announce(tableSize: setting.value)
    }
    // Somebody who never gets an answer may send very many; the first of them are enough.
    if self[place.direction].unacknowledgedSettings.count < 64 {
      self[place.direction].unacknowledgedSettings.append(settings)
    }
    listener.receive(.settings(settings), place)
  }

  /// What the other end said with the oldest SETTINGS that wait is in force now.
  private func acknowledgeSettings(_ place: HTTP2Place) {
    let flow = self[place.direction.opposite]
    guard !flow.unacknowledgedSettings.isEmpty else {
      if isWhole { violate("§6.5", "an acknowledgement of no SETTINGS", place) }
      return
    }
    let settings = flow.unacknowledgedSettings.removeFirst()
    for setting in settings where setting.id == HTTP2Setting.initialWindowSize {
      if setting.value > UInt32(Int32.max) {
        violate(
          "§6.5.2", "an initial window of \(setting.value)", place.direction.opposite,
          place.moment)
        continue
      }
      streams.setInitialWindow(setting.value, place.direction, at: place.moment)
    }
  }

  private func takeGoAway(_ frame: HTTP2Frame, _ body: [UInt8], _ place: HTTP2Place) {
    guard check(frame, place, "§6.8", length: max(8, frame.length), onStream: false) else { return }
    listener.receive(
      .goAway(
        lastStream: number(body[...]) & 0x7FFF_FFFF,
        HTTP2ErrorCode(rawValue: number(body[4...])),
        debug: Array(body.dropFirst(8).prefix(Self.longestDebug))), place)
  }

  private func takeWindowUpdate(_ frame: HTTP2Frame, _ body: [UInt8], _ place: HTTP2Place) {
    guard check(frame, place, "§6.9", length: 4, onStream: frame.stream != 0) else { return }
    let increment = number(body[...]) & 0x7FFF_FFFF
    if increment == 0 { violate("§6.9", "WINDOW_UPDATE of nothing", place) }
    // It opens the way to whoever sends it.
    let isAllowed = streams.grow(
      frame.stream, place.direction.opposite, by: increment, at: place.moment)
    if !isAllowed, isWhole { violate("§6.9.1", "a window of more than 31 bits", place) }
    listener.receive(.windowUpdate(stream: frame.stream, increment: increment), place)
  }
}
