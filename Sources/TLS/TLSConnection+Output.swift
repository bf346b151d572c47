import Wire

/// What is told to the sink behind.
extension TLSConnection {
  /// Application data that was opened.
  func tell(_ plain: [UInt8], _ direction: Direction, of record: TLSRecord) {
    facts[direction].applicationRecords += 1
    facts[direction].applicationBytes &+= UInt64(plain.count)
    facts[direction].lastApplicationRecord = record.moment
    guard !plain.isEmpty else { return }
    let offset = self[direction].plaintextOffset
    let end = offset &+ UInt64(plain.count)
    self[direction].plaintextOffset = end
    self[direction].marks.append(record.range, holds: offset..<max(offset, end))
    outlet.send(.bytes(direction, offset: offset), plain, at: record.moment)
    tellAcknowledged(direction, at: record.moment)
  }

  /// Application data that stays closed.
  func tellClosed(_ direction: Direction, _ record: TLSRecord) {
    let length = plaintextLength(direction, of: record.header.length)
    facts[direction].applicationRecords += 1
    facts[direction].applicationBytes &+= UInt64(length)
    facts[direction].lastApplicationRecord = record.moment
    guard length > 0 else { return }
    tellGap(direction, length: UInt64(length), .encrypted, record: record.range, at: record.moment)
  }

  func tellGap(
    _ direction: Direction, length: UInt64, _ kind: GapKind, record: Range<UInt64>,
    at moment: Moment
  ) {
    let offset = self[direction].plaintextOffset
    let end = offset &+ length
    self[direction].plaintextOffset = end
    self[direction].marks.append(record, holds: offset..<max(offset, end))
    outlet.send(.gap(direction, offset: offset, length: length, kind), at: moment)
    tellAcknowledged(direction, at: moment)
  }

  func tellAcknowledged(_ direction: Direction, at moment: Moment) {
    guard let upTo = self[direction].marks.takeAcknowledged() else { return }
    outlet.send(.acknowledged(direction, upTo: upTo), at: moment)
  }

  func tellSecrecy(_ direction: Direction, _ secrecy: Secrecy, at moment: Moment) {
    guard facts[direction].secrecy != secrecy else { return }
    facts[direction].secrecy = secrecy
    outlet.send(.secured(direction, secrecy), at: moment)
  }

  /// How much is inside of a record of application data, at most.
  private func plaintextLength(_ direction: Direction, of payload: Int) -> Int {
    switch self[direction].phase {
    case .sealed12(let cipher, _): return cipher.plaintextLength(of: payload)
    case .plain, .awaitingKeys, .sealed13, .opaque: break
    }
    if handshake.isTLS13 { return max(0, payload - 17) }
    switch handshake.suite?.protection {
    case .gcm: return max(0, payload - 24)
    case .ccm(_, let tagLength): return max(0, payload - 8 - tagLength)
    case .chaCha20Poly1305: return max(0, payload - 16)
    case .cbc(_, let mac): return max(0, payload - 17 - mac.length)
    case .rc4(let mac), .clear(let mac): return max(0, payload - mac.length)
    case nil: return payload
    }
  }
}
