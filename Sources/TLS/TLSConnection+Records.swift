import Wire

/// Records to their content.
extension TLSConnection {
  /// What was inside of a record.
  struct Content {
    var type: UInt8
    var bytes: [UInt8]
  }

  func noteRecord(_ direction: Direction) { facts[direction].records += 1 }

  func receive(_ record: TLSRecord, _ direction: Direction, isOldHello: Bool) {
    noteRecord(direction)
    if isOldHello {
      guard let hello = try? ClientHello(old: record.payload) else { return }
      receive(hello)
      return
    }
    receiveCounted(record, direction)
  }

  /// A record that is counted already: new, or one that waited.
  func receiveCounted(_ record: TLSRecord, _ direction: Direction) {
    switch self[direction].phase {
    case .plain: receivePlain(record, direction)
    case .awaitingKeys: hold(record, direction)
    case .sealed12, .sealed13: receiveSealed(record, direction)
    case .opaque: receiveOpaque(record, direction)
    }
  }

  private func receivePlain(_ record: TLSRecord, _ direction: Direction) {
    switch ContentType(rawValue: record.header.type) {
    case .handshake:
      for message in self[direction].handshake.receive(record.payload) {
        receive(message.type, message.body, direction)
      }
    case .changeCipherSpec:
      // In TLS 1.3 it means nothing (RFC 8446 §5).
      guard !handshake.isTLS13, !handshake.isRetrying else { return }
      expectKeys(direction, afterChangeCipherSpec: true)
    case .applicationData:
      // Early data that a HelloRetryRequest refuses: nobody ever reads it (RFC 8446 §4.2.10).
      if handshake.isRetrying, direction == .toServer { return }
      expectKeys(direction, afterChangeCipherSpec: false)
      receiveCounted(record, direction)
    case .alert:
      note(alert: record.payload, direction)
    case .heartbeat, nil:
      break
    }
  }

  private func expectKeys(_ direction: Direction, afterChangeCipherSpec: Bool) {
    self[direction].phase = .awaitingKeys(afterChangeCipherSpec: afterChangeCipherSpec)
    resume(direction, force: false)
  }

  private func hold(_ record: TLSRecord, _ direction: Direction) {
    self[direction].held.append(record)
    // What a record costs beside its bytes counts too.
    self[direction].heldBytes += record.payload.count + 64
    shared.heldBytes += record.payload.count + 64
    let isTooMuch =
      self[direction].heldBytes > TLSShared.mostHeldByStream
      || shared.heldBytes > TLSShared.mostHeld
    if isTooMuch, shared.moreSecrets != nil {
      letGoOfBoth()
    } else {
      resume(direction, force: isTooMuch)
      letGo(after: record.moment.time)
    }
  }

  // MARK: Encrypted records

  private func receiveSealed(_ record: TLSRecord, _ direction: Direction) {
    if case .sealed13 = self[direction].phase {
      switch ContentType(rawValue: record.header.type) {
      case .applicationData: break
      case .changeCipherSpec, .heartbeat, nil: return
      case .alert, .handshake:
        // A second ClientHello, or an alert of an end that has no keys.
        receivePlain(record, direction)
        return
      }
    }
    if let content = open(record, direction) {
      receive(content, direction, of: record)
    } else {
      failToOpen(record, direction)
    }
  }

  /// Opens a record with the keys of its direction; nothing has changed when that fails.
  func open(_ record: TLSRecord, _ direction: Direction) -> Content? {
    let content: Content?
    switch self[direction].phase {
    case .sealed12(let cipher, let sequence):
      content = open12(record, direction, cipher, sequence)
    case .sealed13(var keys):
      let plain = keys.open(record.header, record.payload, slack: self[direction].slack)
      self[direction].phase = .sealed13(keys)
      content = plain.flatMap { inner in
        // Zeros pad it; the last byte that is none is the type (RFC 8446 §5.2).
        inner.lastIndex { $0 != 0 }.map { Content(type: inner[$0], bytes: Array(inner[..<$0])) }
      }
    case .plain, .awaitingKeys, .opaque:
      content = nil
    }
    guard let content = content.flatMap({ expand($0, direction) }) else { return nil }
    self[direction].slack = 0
    self[direction].skipsUnreadable = false
    if direction == .toServer { handshake.clientSpokeSealed = true }
    tellSecrecy(direction, .decrypted, at: record.moment)
    return content
  }

  private func expand(_ content: Content, _ direction: Direction) -> Content? {
    guard self[direction].decompression != nil else { return content }
    return self[direction].decompression?.expand(content.bytes).map {
      Content(type: content.type, bytes: $0)
    }
  }

  private func open12(
    _ record: TLSRecord, _ direction: Direction, _ cipher: RecordCipher, _ sequence: UInt64
  ) -> Content? {
    var cipher = cipher
    let slack = UInt64(self[direction].slack)
    var explicit: UInt64?
    if case .authenticated12(_, _, 8) = cipher, record.payload.count >= 8 {
      explicit = record.payload.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
    var guesses = [sequence]
    if slack > 0 {
      // Most senders count with the explicit nonce: its distance is that of the numbers.
      if let explicit, let last = self[direction].lastExplicitNonce, explicit &- last <= 1 << 32 {
        guesses.append(sequence &+ (explicit &- last) &- 1)
      }
      guesses += (1...slack).map { sequence &+ $0 }
    }
    for guess in guesses {
      let plain = cipher.open(record.header, record.payload, sequence: guess)
      guard let plain else { continue }
      self[direction].phase = .sealed12(cipher, sequence: guess &+ 1)
      self[direction].lastExplicitNonce = explicit
      return Content(type: record.header.type, bytes: plain)
    }
    return nil
  }

  func receive(_ content: Content, _ direction: Direction, of record: TLSRecord) {
    switch ContentType(rawValue: content.type) {
    case .applicationData:
      tell(content.bytes, direction, of: record)
    case .handshake:
      for message in self[direction].handshake.receive(content.bytes) {
        receive(message.type, message.body, direction)
      }
    case .changeCipherSpec:
      guard case .sealed12 = self[direction].phase else { return }
      expectKeys(direction, afterChangeCipherSpec: true)
    case .alert:
      note(alert: content.bytes, direction)
    case .heartbeat, nil:
      break
    }
  }

  private func failToOpen(_ record: TLSRecord, _ direction: Direction) {
    if case .sealed13(var keys) = self[direction].phase, !keys.hasKeys {
      // The secret of this stage is not in the key log, that of a later one may be.
      guard keys.canEverOpen else {
        close(direction, .noSecrets, at: record.moment)
        receiveOpaque(record, direction)
        return
      }
      keys.skip()
      self[direction].phase = .sealed13(keys)
      if keys.stage == .early { tellClosed(direction, record) }
      return
    }
    if self[direction].skipsUnreadable { return }
    let reason: Secrecy = self[direction].slack > 0 ? .bytesMissing : .authenticationFailed
    close(direction, reason, at: record.moment)
    receiveOpaque(record, direction)
  }

  /// A record that stays closed: its size, time and direction are all that it tells.
  private func receiveOpaque(_ record: TLSRecord, _ direction: Direction) {
    if case .opaque(let reason) = self[direction].phase {
      tellSecrecy(direction, reason, at: record.moment)
    }
    switch ContentType(rawValue: record.header.type) {
    case .applicationData:
      let isHandshake = handshake.isTLS13 && !handshake.clientSpokeSealed
      if direction == .toServer { handshake.clientSpokeSealed = true }
      if !isHandshake { tellClosed(direction, record) }
    case .handshake, .changeCipherSpec, .alert, .heartbeat, nil:
      break
    }
  }

  /// A record of which a part is missing.
  func loseRecord(_ record: TLSRecord, _ direction: Direction, _ kind: GapKind) {
    noteRecord(direction)
    self[direction].handshake.reset()
    var holdsApplicationData = record.header.type == ContentType.applicationData.rawValue
    switch self[direction].phase {
    case .sealed12(let cipher, let sequence):
      self[direction].phase = .sealed12(cipher, sequence: sequence &+ 1)
    case .sealed13(var keys):
      keys.skip()
      if keys.stage == .handshake { holdsApplicationData = false }
      self[direction].phase = .sealed13(keys)
    case .plain, .awaitingKeys, .opaque:
      break
    }
    self[direction].slack = max(1, self[direction].slack)
    losePlaceUnlessSurvivable(direction, at: record.moment)
    guard holdsApplicationData else { return }
    let length = UInt64(max(1, record.header.length - 16))
    tellGap(direction, length: length, kind, record: record.range, at: record.moment)
  }

  private func note(alert: [UInt8], _ direction: Direction) {
    guard alert.count == 2 else { return }
    facts[direction].alert = alert[1]
  }
}
