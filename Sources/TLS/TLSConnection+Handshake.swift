import Wire

/// Handshake messages, and the keys that follow from them.
extension TLSConnection {
  func receive(_ type: HandshakeType, _ body: [UInt8], _ direction: Direction) {
    switch (type, direction) {
    case (.clientHello, .toServer):
      if let hello = try? ClientHello(body) { receive(hello) }
    case (.serverHello, .toClient):
      if let hello = try? ServerHello(body) { receive(hello) }
    case (.encryptedExtensions, .toClient):
      guard handshake.isTLS13, let extensions = try? EncryptedExtensions(body) else { return }
      facts.chosenProtocol = extensions.chosenProtocol
      if facts.earlyData == .offered {
        facts.earlyData = extensions.acceptsEarlyData ? .accepted : .rejected
      }
      resume(.toServer, force: false)
    case (.newSessionTicket, .toClient):
      guard !handshake.isTLS13, body.count > 6 else { return }
      handshake.ticket = Array(body[6...])
    case (.serverHelloDone, .toClient):
      handshake.sawServerHelloDone = true
    case (.endOfEarlyData, .toServer):
      advance(direction, to: .handshake)
    case (.finished, _):
      advance(direction, to: .application)
    case (.keyUpdate, _):
      guard case .sealed13(var keys) = self[direction].phase else { return }
      keys.update()
      self[direction].phase = .sealed13(keys)
      facts[direction].keyUpdates += 1
    case (.clientHello, .toClient), (.serverHello, .toServer), (.encryptedExtensions, .toServer),
      (.newSessionTicket, .toServer), (.serverHelloDone, .toServer), (.endOfEarlyData, .toClient),
      (.helloRetryRequestOfDrafts, _):
      break
    }
  }

  private func advance(_ direction: Direction, to stage: TrafficKeys.Stage) {
    guard case .sealed13(var keys) = self[direction].phase, keys.stage < stage else { return }
    keys.advance(to: stage)
    self[direction].phase = .sealed13(keys)
  }

  func receive(_ hello: ClientHello) {
    if handshake.clientHello == nil {
      facts.clientRandom = hello.random
      facts.serverName = hello.serverName
      facts.offeredProtocols = hello.offeredProtocols
      if hello.offersEarlyData { facts.earlyData = .offered }
    } else if !handshake.isRetrying {
      // Renegotiation: all begins anew, under the old keys until the next ChangeCipherSpec.
      facts.renegotiations += handshake.serverHello == nil ? 0 : 1
      handshake = HandshakeState()
    }
    handshake.clientHello = hello
    resume(.toClient, force: false)
  }

  private func receive(_ hello: ServerHello) {
    let suite = CipherSuite(hello.suite)
    handshake.suite = suite
    facts.versionNumber = hello.version
    facts.suiteNumber = hello.suite
    if hello.isRetryRequest {
      handshake.isRetrying = true
      if facts.earlyData == .offered { facts.earlyData = .rejected }
      dropRefusedEarlyData()
      return
    }
    handshake.isRetrying = false
    handshake.serverHello = hello
    if let name = hello.chosenProtocol { facts.chosenProtocol = name }
    if handshake.isTLS13 {
      facts.isResumed = hello.usesPreSharedKey
    }
    resume(.toServer, force: false)
    resume(.toClient, force: false)
  }

  /// After a HelloRetryRequest the client begins again, in the clear.
  private func dropRefusedEarlyData() {
    guard toServer.isAwaitingKeys else { return }
    toServer.phase = .plain
    for record in takeHeld(.toServer) { receiveCounted(record, .toServer) }
  }

  private func takeHeld(_ direction: Direction) -> [TLSRecord] {
    let held = self[direction].held
    shared.heldBytes -= self[direction].heldBytes
    self[direction].held = []
    self[direction].heldBytes = 0
    return held
  }

  // MARK: Keys

  /// Goes on with records that waited for keys, as soon as what the keys depend on is known.
  ///
  /// - Parameter force: it is known now or never.
  func resume(_ direction: Direction, force: Bool) {
    guard case .awaitingKeys(let afterChangeCipherSpec) = self[direction].phase else { return }
    let ownHelloIsMissing =
      direction == .toServer ? handshake.clientHello == nil : handshake.serverHello == nil
    let isLast = force || ownHelloIsMissing || cannotWait(for: direction.opposite)
    guard let next = nextPhase(direction, afterChangeCipherSpec, isLast) else { return }
    self[direction].phase = next
    for record in takeHeld(direction) { receiveCounted(record, direction) }
  }

  /// Nothing waits any more. Records that stay closed are told in their order: what the client has
  /// sent shows which of the server's still belong to the handshake.
  func letGoOfBoth() {
    var held: [(record: TLSRecord, direction: Direction)] = []
    var phases: [(Direction, TLSStream.Phase)] = []
    for direction in Direction.allCases {
      guard case .awaitingKeys(let afterChangeCipherSpec) = self[direction].phase,
        let next = nextPhase(direction, afterChangeCipherSpec, true)
      else { continue }
      phases.append((direction, next))
      held += takeHeld(direction).map { ($0, direction) }
    }
    for (direction, phase) in phases { self[direction].phase = phase }
    // Those of one segment in the order in which they were in it.
    let order = held.indices.sorted {
      (held[$0].record.moment.frame, $0) < (held[$1].record.moment.frame, $1)
    }
    for at in order { receiveCounted(held[at].record, held[at].direction) }
    for direction in Direction.allCases { letGo(direction) }
  }

  /// Whether the other direction's hello will not come any more.
  private func cannotWait(for other: Direction) -> Bool {
    if self[other].isOpaque { return true }
    switch self[other].framing {
    case .records: return false
    case .searching, .broken: return true
    }
  }

  /// What follows on waiting; `nil` is more waiting.
  private func nextPhase(
    _ direction: Direction, _ afterChangeCipherSpec: Bool, _ isLast: Bool
  ) -> TLSStream.Phase? {
    if handshake.isTLS13 {
      let isUndecided = direction == .toServer && facts.earlyData == .offered
      if isUndecided, !isLast, !toClient.isOpaque { return nil }
      // A CCS for the sake of middleboxes: what follows may still be in the clear.
      if afterChangeCipherSpec { return .plain }
      return phase13(direction, isLast)
    }
    if let server = handshake.serverHello, handshake.clientHello != nil {
      if !afterChangeCipherSpec, self[direction].slack == 0 { return .opaque(.beganMidStream) }
      return phase12(direction, server, isLast)
    }
    guard isLast else { return nil }
    if handshake.serverHello == nil, direction == .toServer, let phase = guessedPhase13() {
      return phase
    }
    return .opaque(reasonForNoHello)
  }

  /// Whether secrets that are missing may still come.
  private func mayWaitForSecrets(_ isLast: Bool) -> Bool { !isLast && shared.moreSecrets != nil }

  private func phase13(_ direction: Direction, _ isLast: Bool) -> TLSStream.Phase? {
    guard let suite = handshake.suite, let hello = handshake.clientHello else {
      return .opaque(reasonForNoHello)
    }
    guard suite.protection != nil, suite.isTLS13 else { return .opaque(.suiteNotSupported) }
    let isClient = direction == .toServer
    // Those of the handshake may be there a moment before the others are.
    let last = isClient ? SecretKind.clientTraffic : .serverTraffic
    let found = shared.secrets(of: hello.random, with: last)
    if found?[last] == nil, mayWaitForSecrets(isLast) { return nil }
    guard let secrets = found else { return .opaque(.noSecrets) }
    let beginsEarly = facts.earlyData == .accepted || facts.earlyData == .offered
    let keys = TrafficKeys(
      suite, secrets, isClient: isClient, from: isClient && beginsEarly ? .early : .handshake)
    if isClient { toServer.skipsUnreadable = facts.earlyData == .rejected }
    return keys.canEverOpen ? .sealed13(keys) : .opaque(.noSecrets)
  }

  /// The server's direction is missing: the first record that waits tells the suite, if secrets of
  /// TLS 1.3 are there.
  private func guessedPhase13() -> TLSStream.Phase? {
    guard let hello = handshake.clientHello, let record = toServer.held.first,
      let secrets = shared.secrets(of: hello.random, with: .clientTraffic)
    else { return nil }
    let stage: TrafficKeys.Stage = hello.offersEarlyData ? .early : .handshake
    for number: UInt16 in 0x1301...0x1305 {
      let keys = TrafficKeys(CipherSuite(number), secrets, isClient: true, from: stage)
      var trial = keys
      guard trial.open(record.header, record.payload, slack: 0) != nil else { continue }
      facts.versionNumber = ProtocolVersion.tls13
      facts.suiteNumber = number
      return .sealed13(keys)
    }
    return nil
  }

  private func phase12(
    _ direction: Direction, _ server: ServerHello, _ isLast: Bool
  ) -> TLSStream.Phase? {
    guard (ProtocolVersion.tls10...ProtocolVersion.tls12).contains(server.version) else {
      return .opaque(.versionNotSupported)
    }
    guard let suite = handshake.suite, suite.protection != nil, !suite.isTLS13,
      [RecordDecompression.none, RecordDecompression.deflate].contains(server.compression)
    else { return .opaque(.suiteNotSupported) }
    guard let keys = keys12(server, suite) else {
      return mayWaitForSecrets(isLast) ? nil : .opaque(.noSecrets)
    }
    facts.isResumed = !handshake.sawServerHelloDone
    guard
      let cipher = RecordCipher.before13(
        suite, direction == .toServer ? keys.client : keys.server, version: server.version,
        encryptThenMAC: server.encryptThenMAC)
    else { return .opaque(.suiteNotSupported) }
    self[direction].lastExplicitNonce = nil
    let isCompressed = server.compression == RecordDecompression.deflate
    self[direction].decompression = isCompressed ? RecordDecompression() : nil
    return .sealed12(cipher, sequence: 0)
  }

  private func keys12(_ server: ServerHello, _ suite: CipherSuite) -> KeySchedule12.KeyBlock? {
    guard let client = handshake.clientHello, let protection = suite.protection else { return nil }
    let isSameSession = client.sessionID == server.sessionID
    let logged = shared.secrets(of: client.random, with: .master)?[.master]
    let master =
      logged ?? (isSameSession ? shared.resumption[server.sessionID] : nil)
      ?? shared.resumption[client.ticket]
    guard let master else { return nil }
    shared.resumption.remember(master, as: server.sessionID)
    shared.resumption.remember(master, as: handshake.ticket)
    if let keys = handshake.keys { return keys }
    let lengths = protection.lengths(server.version)
    let keys = KeySchedule12.keyBlock(
      master: master, clientRandom: client.random, serverRandom: server.random, hash: suite.hash,
      version: server.version, macLength: lengths.mac, keyLength: lengths.key,
      ivLength: lengths.iv)
    handshake.keys = keys
    return keys
  }
}
