internal import Custody
internal import Simulation
internal import Timeline

/// Words that stand where a device's name may stand.
enum ScenarioWord {
  /// All devices.
  static let everyone = "all"
  static let server = "server"
  static let fault = "fault"
  static let reservedNames = [everyone, server, fault, "none", "expect"]
}

/// Writes a scenario as text. See `ScenarioScript`.
struct ScenarioWriter {
  let scenario: Scenario
  let subject: ProtocolUnderTest
  let notes: ScenarioNotes

  func text() -> String {
    var text = "pushbench scenario \(ScenarioScript.version)\n"
    for line in notes.header { text += line.isEmpty ? "#\n" : "# \(line)\n" }
    append(header(), to: &text)
    let events = events()
    if !events.isEmpty {
      text += "\n"
      append(events, to: &text)
    }
    text += "\n"
    append(expectations(), to: &text)
    for line in notes.trailer { text += line.isEmpty ? "#\n" : "# \(line)\n" }
    return text
  }

  /// Two columns at most are aligned; the rest of a line is one piece.
  struct Row {
    var columns: [String]
    var rest: String
    var note: String?
  }

  private func append(_ rows: [Row], to text: inout String) {
    var widths: [Int] = []
    for row in rows {
      for (index, column) in row.columns.enumerated() {
        if index == widths.count { widths.append(0) }
        widths[index] = max(widths[index], Self.width(of: column))
      }
    }
    guard rows.contains(where: { $0.note != nil }) else {
      for row in rows {
        append(row, widths, to: &text)
        text += "\n"
      }
      return
    }
    let bodies = rows.map { row in
      var body = ""
      append(row, widths, to: &body)
      return body
    }
    let noted = zip(rows, bodies).filter { $0.0.note != nil }
    let notesColumn = noted.map(\.1.count).max() ?? 0
    for (row, body) in zip(rows, bodies) {
      text += body
      if let note = row.note {
        text += String(repeating: " ", count: notesColumn - body.count + 2) + "# \(note)"
      }
      text += "\n"
    }
  }

  private func append(_ row: Row, _ widths: [Int], to line: inout String) {
    for (index, column) in row.columns.enumerated() {
      line += column
      if index == row.columns.count - 1, row.rest.isEmpty { return }
      line += Self.blanks(widths[index] - Self.width(of: column) + 2)
    }
    line += row.rest
  }

  private static func blanks(_ count: Int) -> String {
    count < shortBlanks.count ? shortBlanks[count] : String(repeating: " ", count: count)
  }

  /// Made once: there are dozens in every scenario.
  private static let shortBlanks = (0..<24).map { String(repeating: " ", count: $0) }

  /// Characters; a search writes thousands of scenarios a second, so plain text is not taken apart.
  private static func width(of text: String) -> Int {
    text.utf8.allSatisfy { $0 < 0x80 } ? text.utf8.count : text.count
  }

  // MARK: - Header

  private func header() -> [Row] {
    var rows: [Row] = []
    func add(_ key: String, _ rest: String) { rows.append(Row(columns: [key], rest: rest)) }
    if scenario.model != subject.name
      || !subject.machines.contains(where: { $0.name == scenario.client })
    {
      add("protocol", ScenarioLexer.word(scenario.model))
    }
    add("client", ScenarioLexer.word(scenario.client))
    add(
      "server",
      ([ScenarioLexer.word(scenario.server)]
        + parameters(scenario.serverParameters, subject.serverParameters)).joined(separator: "  "))
    if !scenario.source.isEmpty { add("source", source()) }
    let path = path()
    if !path.isEmpty { add("path", path.joined(separator: "  ")) }
    if scenario.budget != StormBudget() {
      let budget = scenario.budget
      add(
        "budget",
        "connects \(budget.connects)  refreshes \(budget.refreshes)  per \(budget.per)")
    }
    if topicsInOrderOfUse() != scenario.topics {
      add("topics", scenario.topics.map { ScenarioLexer.word($0) }.joined(separator: "  "))
    }
    for device in scenario.devices {
      var words = [ScenarioLexer.word(device.name, reserved: ScenarioWord.reservedNames)]
      if device.identity != device.name {
        words.append("identity \(ScenarioLexer.word(device.identity))")
      }
      words += parameters(device.parameters, subject.deviceParameters)
      add("device", words.joined(separator: "  "))
    }
    return rows
  }

  private func source() -> String {
    if isPlain(scenario.source) { return scenario.source }
    let words = scenario.source.split(separator: " ", omittingEmptySubsequences: false)
    let plain = words.allSatisfy { ScenarioLexer.word(String($0)) == $0 }
    return plain ? scenario.source : ScenarioLexer.word(scenario.source)
  }

  /// Plain words with a blank between them: nothing that `ScenarioLexer.word` would quote.
  private func isPlain(_ text: String) -> Bool {
    var last = UInt8(ascii: " ")
    for byte in text.utf8 {
      if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "#") {
        if last == UInt8(ascii: " ") { return false }
      } else if byte <= 0x22 || byte >= 0x7f || byte == UInt8(ascii: "\\") {
        return false
      }
      last = byte
    }
    return last != UInt8(ascii: " ")
  }

  private func path() -> [String] {
    let path = scenario.path
    let standard = PathSettings()
    var words: [String] = []
    if path.rtt != standard.rtt { words.append("rtt \(path.rtt)") }
    if path.serverDelay != standard.serverDelay { words.append("server-delay \(path.serverDelay)") }
    if path.deviceDelay != standard.deviceDelay { words.append("device-delay \(path.deviceDelay)") }
    if path.natTimeout != standard.natTimeout { words.append("nat-timeout \(path.natTimeout)") }
    if path.natResets != standard.natResets { words.append("nat-resets yes") }
    if path.userTimeout != standard.userTimeout { words.append("user-timeout \(path.userTimeout)") }
    if path.keepAliveIdle != standard.keepAliveIdle {
      words.append("probe-after \(path.keepAliveIdle)")
    }
    if path.keepAliveInterval != standard.keepAliveInterval {
      words.append("probe-every \(path.keepAliveInterval)")
    }
    if path.keepAliveCount != standard.keepAliveCount {
      words.append("probe-count \(path.keepAliveCount)")
    }
    return words
  }

  private func parameters(_ parameters: [Parameter], _ kinds: [ParameterKind]) -> [String] {
    parameters.map { parameter in
      let unit = kinds.first { $0.name == parameter.name }?.unit ?? .count
      let value =
        switch unit {
        case .duration: "\(Nanoseconds(parameter.value))"
        case .count: "\(parameter.value)"
        case .flag:
          parameter.value == 0 ? "no" : parameter.value == 1 ? "yes" : "\(parameter.value)"
        case .topic: topic(parameter.value)
        }
      return "\(ScenarioLexer.word(parameter.name)) \(value)"
    }
  }

  /// Positions outside the table are written too, to be shown in an error rather than to crash.
  private func topic(_ position: some BinaryInteger) -> String {
    guard position < scenario.topics.count else { return "topic-\(position)-of-none" }
    return ScenarioLexer.word(scenario.topics[Int(position)])
  }

  /// The table that reading would build from the names in the lines.
  private func topicsInOrderOfUse() -> [String] {
    var used: [String] = []
    func use(_ position: some BinaryInteger) {
      guard position < scenario.topics.count else { return }
      let name = scenario.topics[Int(position)]
      if !used.contains(name) { used.append(name) }
    }
    func use(_ parameters: [Parameter], _ kinds: [ParameterKind]) {
      for parameter in parameters
      where kinds.contains(where: { $0.name == parameter.name && $0.unit == .topic }) {
        use(parameter.value)
      }
    }
    use(scenario.serverParameters, subject.serverParameters)
    for device in scenario.devices { use(device.parameters, subject.deviceParameters) }
    for step in scenario.steps {
      switch step.action {
      case .subscribe(let topic, _), .unsubscribe(let topic): use(topic)
      case .submit(let submission): use(submission.topic)
      case .connect, .disconnect, .sleep, .wake, .kill, .launch: break
      }
    }
    return used
  }

  // MARK: - Events

  /// Steps and faults in one stream by time; the order within each is kept, because it is theirs.
  private func events() -> [Row] {
    var rows: [Row] = []
    var nextFault = 0
    for (index, step) in scenario.steps.enumerated() {
      while nextFault < scenario.faults.count, isDue(nextFault, before: step.time) {
        rows.append(row(ofFault: nextFault))
        nextFault += 1
      }
      rows.append(
        Row(
          columns: ["\(step.time)", name(of: step.node)], rest: words(of: step.action),
          note: notes.steps[index]))
    }
    while nextFault < scenario.faults.count {
      rows.append(row(ofFault: nextFault))
      nextFault += 1
    }
    return rows
  }

  private func isDue(_ fault: Int, before time: Instant) -> Bool {
    if case .at(let at) = scenario.faults[fault].anchor { return at <= time }
    // No time of its own: as late as the order of the faults allows.
    return scenario.faults[(fault + 1)...].contains { other in
      if case .at(let at) = other.anchor { return at <= time }
      return false
    }
  }

  private func row(ofFault index: Int) -> Row {
    let fault = scenario.faults[index]
    let subjectWord = fault.node.isServer ? everyone(fault.kind) : name(of: fault.node)
    let words = "\(subjectWord)  \(words(of: fault.kind))"
    switch fault.anchor {
    case .at(let time):
      return Row(
        columns: ["\(time)", ScenarioWord.fault], rest: words, note: notes.faults[index])
    case .message(let sender, let kind, let ordinal):
      let name =
        Int(kind) < subject.messageKinds.count
        ? ScenarioLexer.word(subject.messageKinds[Int(kind)], reserved: ["state"]) : "\(kind)"
      return Row(
        columns: [ScenarioWord.fault], rest: "\(words)  at \(sender.name) \(name) \(ordinal)",
        note: notes.faults[index])
    case .state(let side, let state, let ordinal):
      return Row(
        columns: [ScenarioWord.fault],
        rest: "\(words)  at \(side.name) state \(stateName(state, side)) \(ordinal)",
        note: notes.faults[index])
    }
  }

  private func everyone(_ kind: FaultKind) -> String {
    switch kind {
    case .restartServer, .pause(.server, _), .slow(.server, _, _), .clockJump(.server, _, _):
      ScenarioWord.server
    case .delay, .pause, .slow, .clockJump, .lose, .cut, .halfOpen, .reset, .forgetMapping,
      .changeNetwork, .refuse, .killClient, .resubmit, .expireCredential, .slowRefresh,
      .refuseRefresh, .staleRefresh, .loseRefresh, .throttleRefresh:
      ScenarioWord.everyone
    }
  }

  /// The name when it leads back to the state, the number otherwise.
  private func stateName(_ state: UInt16, _ side: Side) -> String {
    let name = subject.stateName(state, side)
    let states = subject.states(side)
    guard let first = states.first(where: { subject.stateName($0, side) == name }), first == state
    else { return "\(state)" }
    let word = ScenarioLexer.word(name)
    return UInt16(word) == nil ? word : "\"\(word)\""
  }

  private func name(of node: NodeID) -> String {
    guard !node.isServer else { return ScenarioWord.server }
    guard node.device < scenario.devices.count else { return "device-\(node.index)-of-none" }
    return ScenarioLexer.word(
      scenario.devices[node.device].name, reserved: ScenarioWord.reservedNames)
  }

  private func words(of action: Action) -> String {
    switch action {
    case .connect: return "connect"
    case .disconnect: return "disconnect"
    case .subscribe(let topic, let quality):
      return "subscribe \(self.topic(topic))  qos \(quality)"
    case .unsubscribe(let topic): return "unsubscribe \(self.topic(topic))"
    case .submit(let submission):
      var words =
        "submit \(submission.publication)  topic \(topic(submission.topic))"
        + "  qos \(submission.quality)"
      if submission.retain { words += "  retain" }
      if submission.expiry != .forever { words += "  expires \(submission.expiry)" }
      return words
    case .sleep: return "sleep"
    case .wake: return "wake"
    case .kill(let host): return host ? "kill host" : "kill"
    case .launch: return "launch"
    }
  }

  private func words(of kind: FaultKind) -> String {
    let name = kind.name
    switch kind {
    case .delay(let by): return "\(name) by \(by)"
    case .pause(let side, let length): return "\(name) \(side.name)  for \(length)"
    case .slow(let side, let by, let length):
      return "\(name) \(side.name)  by \(by)  for \(length)"
    case .clockJump(let side, let forward, let by):
      return "\(name) \(side.name)  \(forward ? "forward" : "backward") by \(by)"
    case .lose(let direction, let length): return "\(name) \(direction.name)  for \(length)"
    case .cut, .halfOpen, .changeNetwork, .resubmit, .expireCredential: return name
    case .reset(let client, let server):
      let ends = client ? (server ? "both" : "client") : (server ? "server" : "neither")
      return "\(name) \(ends)"
    case .forgetMapping(let reset): return "\(name) \(reset ? "reset" : "silent")"
    case .restartServer(let length, let host, let wipe):
      return "\(name) for \(length)\(host ? "  host" : "")\(wipe ? "  wipe" : "")"
    case .killClient(let length, let host): return "\(name) for \(length)\(host ? "  host" : "")"
    case .slowRefresh(let by, let length): return "\(name) by \(by)  for \(length)"
    case .refuse(let length), .refuseRefresh(let length), .staleRefresh(let length),
      .loseRefresh(let length), .throttleRefresh(let length):
      return "\(name) for \(length)"
    }
  }

  private func expectations() -> [Row] {
    guard !scenario.expectations.isEmpty else {
      return [Row(columns: ["expect", "none"], rest: "")]
    }
    return scenario.expectations.map { expected in
      let publication = expected.publication == 0 ? "" : "\(expected.publication) "
      return Row(
        columns: ["expect", ScenarioLexer.word(expected.oracle)],
        rest: publication + name(of: expected.node))
    }
  }
}

extension Side {
  var name: String { self == .client ? "client" : "server" }
}

extension LossDirection {
  var name: String {
    switch self {
    case .toServer: "to-server"
    case .toClient: "to-client"
    case .both: "both"
    }
  }
}
