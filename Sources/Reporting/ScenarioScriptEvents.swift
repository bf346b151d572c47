internal import Custody
internal import Oracles
internal import Simulation
internal import Timeline

/// The lines of steps, faults and expectations.
extension ScenarioReader {
  mutating func readEvent(_ reader: inout ScenarioLineReader) throws(ScenarioError) {
    guard let first = reader.next else { return }
    if !first.quoted, first.text.first == "+" {
      reader.skip()
      guard let time = Instant(text: first.text), time != .never else {
        throw reader.error(
          "\"\(first.text)\" is no time",
          advice: "Write the time since the start, such as +0s, +1.2s or +59min.",
          column: first.column)
      }
      if reader.take(ScenarioWord.fault) {
        scenario.faults.append(try fault(at: time, &reader))
      } else {
        let node = try device(&reader)
        scenario.steps.append(Step(time, node, try action(&reader)))
      }
    } else if reader.take(ScenarioWord.fault) {
      scenario.faults.append(try fault(at: nil, &reader))
    } else if reader.take("expect") {
      try readExpectation(&reader)
    } else if reader.nextKeyword.map({ Self.settings.contains($0) }) == true {
      return
    } else {
      let words = Self.settings + ["fault", "expect"]
      throw reader.error(
        "\"\(first.text)\" starts no line of a scenario",
        advice: Spelling.nearest(to: first.text, among: words).map { "Did you mean \"\($0)\"?" }
          ?? "A line begins with a time such as +1.2s, or with \(words.joined(separator: ", ")).")
    }
    try reader.end()
  }

  // MARK: - Steps

  private func device(_ reader: inout ScenarioLineReader) throws(ScenarioError) -> NodeID {
    let token = try reader.token("a device")
    guard let index = scenario.devices.firstIndex(where: { $0.name == token.text }) else {
      throw reader.error(
        "unknown device \"\(token.text)\"",
        advice: scenario.devices.isEmpty
          ? "Add a line: device  \(token.text)"
          : Spelling.advice(
            for: token.text, among: scenario.devices.map(\.name), what: "devices"),
        column: token.column)
    }
    return NodeID(device: index)
  }

  private mutating func action(_ reader: inout ScenarioLineReader) throws(ScenarioError) -> Action {
    let words = [
      "connect", "disconnect", "subscribe", "unsubscribe", "submit", "sleep", "wake", "kill",
      "launch",
    ]
    switch try reader.choice(words, what: "action") {
    case "connect": return .connect
    case "disconnect": return .disconnect
    case "subscribe":
      let topic = try topic(&reader)
      try reader.keyword("qos")
      return .subscribe(topic: topic, quality: try reader.number("quality of service", in: 0...2))
    case "unsubscribe": return .unsubscribe(topic: try topic(&reader))
    case "submit": return .submit(try submission(&reader))
    case "sleep": return .sleep
    case "wake": return .wake
    case "kill": return .kill(host: reader.take("host"))
    default: return .launch
    }
  }

  private mutating func submission(
    _ reader: inout ScenarioLineReader
  ) throws(ScenarioError) -> Submission {
    let column = reader.next?.column ?? 0
    let publication: UInt16 = try reader.number("number of a publication", in: 1...59_999)
    let taken = scenario.steps.contains { step in
      if case .submit(let other) = step.action { return other.publication == publication }
      return false
    }
    if taken {
      throw reader.error(
        "publication \(publication) is submitted twice",
        advice: "Give every submission a number of its own.", column: column)
    }
    try reader.keyword("topic")
    if let name = reader.next, let subject, !subject.isPublishable(name.text) {
      throw reader.error(
        "nothing can be published to \"\(name.text)\", which is a filter",
        advice: "Name a topic without wildcards.", column: name.column)
    }
    var submission = Submission(publication: publication, topic: try topic(&reader), quality: 0)
    try reader.keyword("qos")
    submission.quality = try reader.number("quality of service", in: 0...2)
    submission.retain = reader.take("retain")
    if reader.take("expires") { submission.expiry = try reader.length() }
    return submission
  }

  // MARK: - Faults

  private func fault(
    at time: Instant?, _ reader: inout ScenarioLineReader
  ) throws(ScenarioError) -> Fault {
    let node: NodeID
    if reader.take(ScenarioWord.everyone) || reader.take(ScenarioWord.server) {
      node = .server
    } else {
      node = try device(&reader)
    }
    let kind = try faultKind(&reader)
    if let time { return Fault(kind, node: node, .at(time)) }
    return Fault(kind, node: node, try anchor(&reader))
  }

  private func faultKind(_ reader: inout ScenarioLineReader) throws(ScenarioError) -> FaultKind {
    let name = try reader.choice(FaultKind.allNames, what: "fault")
    switch name {
    case "delay": return .delay(by: try reader.length(after: "by"))
    case "pause": return .pause(try side(&reader), for: try reader.length(after: "for"))
    case "slow":
      let side = try side(&reader)
      let by = try reader.length(after: "by")
      return .slow(side, by: by, for: try reader.length(after: "for"))
    case "clock-jump":
      let side = try side(&reader)
      let forward = try reader.choice(["forward", "backward"], what: "direction") == "forward"
      return .clockJump(side, forward: forward, by: try reader.length(after: "by"))
    case "lose":
      let names = LossDirection.allCases.map(\.name)
      let chosen = try reader.choice(names, what: "direction")
      let direction = LossDirection.allCases.first { $0.name == chosen } ?? .both
      return .lose(direction, for: try reader.length(after: "for"))
    case "cut": return .cut
    case "half-open": return .halfOpen
    case "reset":
      let ends = try reader.choice(["both", "client", "server", "neither"], what: "end")
      return .reset(
        client: ends == "both" || ends == "client", server: ends == "both" || ends == "server")
    case "forget-mapping":
      return .forgetMapping(
        reset: try reader.choice(["reset", "silent"], what: "way to forget") == "reset")
    case "change-network": return .changeNetwork
    case "restart-server":
      let length = try reader.length(after: "for")
      let host = reader.take("host")
      return .restartServer(downFor: length, host: host, wipe: reader.take("wipe"))
    case "kill-client":
      let length = try reader.length(after: "for")
      return .killClient(downFor: length, host: reader.take("host"))
    case "resubmit": return .resubmit
    case "expire-credential": return .expireCredential
    case "slow-refresh":
      let by = try reader.length(after: "by")
      return .slowRefresh(by: by, for: try reader.length(after: "for"))
    case "refuse": return .refuse(for: try reader.length(after: "for"))
    case "refuse-refresh": return .refuseRefresh(for: try reader.length(after: "for"))
    case "stale-refresh": return .staleRefresh(for: try reader.length(after: "for"))
    case "lose-refresh": return .loseRefresh(for: try reader.length(after: "for"))
    case "throttle-refresh": return .throttleRefresh(for: try reader.length(after: "for"))
    default: preconditionFailure("\(name) is a kind of fault and not read")
    }
  }

  private func side(_ reader: inout ScenarioLineReader) throws(ScenarioError) -> Side {
    try reader.choice(["client", "server"], what: "side") == "client" ? .client : .server
  }

  private func anchor(_ reader: inout ScenarioLineReader) throws(ScenarioError) -> Anchor {
    guard reader.take("at") else {
      throw reader.error(
        "the fault has no anchor",
        advice: "Begin the line with a time such as +1.2s, or end it with an anchor such as "
          + "\"at server publish 3\".")
    }
    let side = try side(&reader)
    if reader.take("state") {
      let state = try state(of: side, &reader)
      return .state(side: side, state: state, ordinal: try ordinal(&reader))
    }
    let kinds = subject?.messageKinds ?? []
    let token = try reader.token("a kind of message")
    guard let kind = kinds.firstIndex(of: token.text), let kind = UInt8(exactly: kind) else {
      throw reader.error(
        "unknown kind of message \"\(token.text)\"",
        advice: Spelling.advice(for: token.text, among: kinds, what: "kinds of message"),
        column: token.column)
    }
    return .message(sender: side, kind: kind, ordinal: try ordinal(&reader))
  }

  private func ordinal(_ reader: inout ScenarioLineReader) throws(ScenarioError) -> UInt16 {
    try reader.number("count from 1", in: 1...UInt16.max)
  }

  private func state(
    of side: Side, _ reader: inout ScenarioLineReader
  ) throws(ScenarioError) -> UInt16 {
    let token = try reader.token("a state")
    if !token.quoted, let number = UInt16(token.text) { return number }
    guard let subject else { preconditionFailure("a state is read after the protocol is known") }
    let states = subject.states(side)
    guard let state = states.first(where: { subject.stateName($0, side) == token.text }) else {
      throw reader.error(
        "unknown state \"\(token.text)\" of the \(side.name)",
        advice: Spelling.advice(
          for: token.text, among: states.map { subject.stateName($0, side) }, what: "states"),
        column: token.column)
    }
    return state
  }

  // MARK: - Expectations

  private mutating func readExpectation(
    _ reader: inout ScenarioLineReader
  ) throws(ScenarioError) {
    if reader.take("none") { return }
    let names = OracleCatalog.names
    let oracle = try reader.token("a finding")
    guard names.contains(oracle.text) else {
      throw reader.error(
        "unknown finding \"\(oracle.text)\"",
        advice: Spelling.advice(for: oracle.text, among: names + ["none"], what: "findings"),
        column: oracle.column)
    }
    var publication: UInt16 = 0
    if let next = reader.next, !next.quoted, let number = UInt16(next.text),
      !scenario.devices.contains(where: { $0.name == next.text })
        || reader.line.tokens.count > reader.position + 1
    {
      publication = number
      reader.skip()
    }
    let node = reader.take(ScenarioWord.server) ? NodeID.server : try device(&reader)
    scenario.expectations.append(
      Expectation(oracle: oracle.text, publication: publication, node: node))
  }
}
