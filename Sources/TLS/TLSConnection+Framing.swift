import Wire

/// Bytes to records.
extension TLSConnection {
  private enum Frame {
    /// So many bytes are needed to say more.
    case needs(Int)
    /// Bytes of the whole record; `nil` as header: a ClientHello in the clothes of SSL 2.0.
    case record(Int, RecordHeader?)
    case none
  }

  func receive(
    _ bytes: [UInt8], _ direction: Direction, endingAt end: UInt64, at moment: Moment
  ) {
    self[direction].tcpOffset = end
    switch self[direction].framing {
    case .records:
      readRecords(bytes[...], direction, at: moment)
    case .searching:
      self[direction].buffer += bytes
      search(direction, at: moment)
    case .broken:
      let start = end &- UInt64(bytes.count)
      tellGap(
        direction, length: UInt64(bytes.count), .encrypted, record: start..<max(start, end),
        at: moment)
    }
  }

  /// Reads records off bytes that end where the stream has come to.
  private func readRecords(_ bytes: ArraySlice<UInt8>, _ direction: Direction, at moment: Moment) {
    var rest = bytes
    let skipped = min(self[direction].bytesToSkip, rest.count)
    self[direction].bytesToSkip -= skipped
    rest = rest.dropFirst(skipped)
    while !rest.isEmpty {
      let isWhole = self[direction].buffer.isEmpty
      switch frame(isWhole ? rest : self[direction].buffer[...], direction) {
      case .record(let length, let header) where isWhole && rest.count >= length:
        let bytes = rest.prefix(length)
        rest = rest.dropFirst(length)
        let record = cut(bytes, header, direction, before: rest.count, moment)
        receive(record, direction, isOldHello: header == nil)
      case .record(let length, _), .needs(let length):
        let missing = length - self[direction].buffer.count
        self[direction].buffer += rest.prefix(missing)
        rest = rest.dropFirst(missing)
        completeBuffer(direction, before: rest.count, at: moment)
      case .none:
        breakFraming(direction, losing: rest.count, at: moment)
        return
      }
    }
  }

  /// Takes the record in the buffer, if it is complete.
  private func completeBuffer(_ direction: Direction, before rest: Int, at moment: Moment) {
    let buffer = self[direction].buffer
    guard case .record(let length, let header) = frame(buffer[...], direction),
      buffer.count >= length
    else { return }
    self[direction].clearBuffer()
    let record = cut(buffer[...], header, direction, before: rest, moment)
    receive(record, direction, isOldHello: header == nil)
  }

  /// - Parameter rest: how many bytes of the stream lie behind the record.
  private func cut(
    _ bytes: ArraySlice<UInt8>, _ header: RecordHeader?, _ direction: Direction, before rest: Int,
    _ moment: Moment
  ) -> TLSRecord {
    let end = self[direction].tcpOffset &- UInt64(rest)
    let start = end &- UInt64(bytes.count)
    let oldHello = RecordHeader(handshakeOf: bytes.count - 2)
    return TLSRecord(
      header: header ?? oldHello,
      payload: Array(bytes.dropFirst(header == nil ? 2 : RecordHeader.size)),
      range: start..<max(start, end), moment: moment)
  }

  private func frame(_ bytes: ArraySlice<UInt8>, _ direction: Direction) -> Frame {
    guard let first = bytes.first else { return .needs(1) }
    let mayBeOldHello =
      direction == .toServer && handshake.clientHello == nil && facts.toServer.records == 0
    if first & 0x80 != 0, mayBeOldHello {
      guard bytes.count >= 2 else { return .needs(2) }
      return .record(2 + (Int(first & 0x7f) << 8 | Int(bytes[bytes.startIndex + 1])), nil)
    }
    guard bytes.count >= RecordHeader.size else { return .needs(RecordHeader.size) }
    guard let header = RecordHeader(bytes.prefix(RecordHeader.size)) else { return .none }
    return .record(RecordHeader.size + header.length, header)
  }

  private func breakFraming(_ direction: Direction, losing count: Int, at moment: Moment) {
    let lost = count + self[direction].buffer.count
    self[direction].clearBuffer()
    letGo(direction)
    self[direction].framing = .broken
    close(direction, .malformed, at: moment)
    let end = self[direction].tcpOffset
    let start = end &- UInt64(lost)
    tellGap(
      direction, length: UInt64(lost), .encrypted, record: start..<max(start, end), at: moment)
  }

  // MARK: Holes

  /// A hole inside of one record: its length says where the next one begins, and exactly one is
  /// lost.
  ///
  /// - Returns: whether it was such a hole.
  func stepOver(
    _ direction: Direction, holeOf length: UInt64, endingAt end: UInt64, _ kind: GapKind,
    at moment: Moment
  ) -> Bool {
    guard self[direction].framing == .records else { return false }
    if self[direction].bytesToSkip > 0 {
      guard length <= UInt64(self[direction].bytesToSkip) else {
        self[direction].bytesToSkip = 0
        return false
      }
      self[direction].bytesToSkip -= Int(length)
      return true
    }
    let buffer = self[direction].buffer
    guard case .record(let size, let header?) = frame(buffer[...], direction),
      length <= UInt64(size - buffer.count)
    else { return false }
    self[direction].clearBuffer()
    self[direction].bytesToSkip = size - buffer.count - Int(length)
    let start = end &- length &- UInt64(buffer.count)
    let range = start..<max(start, start &+ UInt64(size))
    loseRecord(
      TLSRecord(header: header, payload: [], range: range, moment: moment), direction, kind)
    return true
  }

  /// Looks for the next record behind a hole: what opens with the keys is one. Where there are no
  /// keys, it has to end with the segment, or before another header.
  private func search(_ direction: Direction, at moment: Moment) {
    guard case .searching(var search) = self[direction].framing else { return }
    let buffer = self[direction].buffer
    var at = 0
    while buffer.count - at >= RecordHeader.size {
      let rest = buffer[at...]
      guard let header = RecordHeader(rest.prefix(RecordHeader.size)), header.length > 0,
        header.version == ProtocolVersion.tls12 || facts.versionNumber == header.version
      else {
        at += 1
        continue
      }
      let size = RecordHeader.size + header.length
      guard rest.count >= size else { break }
      guard mayEnd(before: rest.dropFirst(size), direction) else {
        at += 1
        continue
      }
      let record = cut(rest.prefix(size), header, direction, before: rest.count - size, moment)
      search.budget -= size + RecordHeader.size
      if found(record, direction, &search) {
        self[direction].framing = .records
        self[direction].clearBuffer()
        readRecords(rest.dropFirst(size), direction, at: moment)
        return
      }
      guard search.budget > 0 else {
        self[direction].framing = .searching(RecordSearch(missingBytes: 0))
        self[direction].buffer = []
        close(direction, .bytesMissing, at: moment)
        return
      }
      at += 1
    }
    self[direction].buffer.removeFirst(min(at, buffer.count))
    self[direction].framing = .searching(search)
  }

  /// What can be said of a record by what follows it, before it costs anything.
  private func mayEnd(before rest: ArraySlice<UInt8>, _ direction: Direction) -> Bool {
    switch self[direction].phase {
    case .sealed12, .sealed13: true
    case .plain, .awaitingKeys, .opaque:
      rest.isEmpty || RecordHeader(rest.prefix(RecordHeader.size)) != nil
    }
  }

  /// What it costs to try keys on a record, however short, in bytes of a long one.
  private static let costOfGuess = 512

  /// Takes the record when it is surely one.
  private func found(
    _ record: TLSRecord, _ direction: Direction, _ search: inout RecordSearch
  ) -> Bool {
    switch self[direction].phase {
    case .sealed12, .sealed13:
      search.budget -= (record.payload.count + Self.costOfGuess) * (search.missingRecords + 1)
      self[direction].slack = search.missingRecords
      guard let opened = open(record, direction) else { return false }
      noteRecord(direction)
      receive(opened, direction, of: record)
      return true
    case .plain, .awaitingKeys, .opaque:
      self[direction].slack = search.missingRecords
      receive(record, direction, isOldHello: false)
      return true
    }
  }
}

extension RecordHeader {
  /// For a hello that came without one.
  fileprivate init(handshakeOf length: Int) {
    self.type = ContentType.handshake.rawValue
    self.version = ProtocolVersion.tls10
    self.length = length
  }
}
