internal import Custody
internal import Oracles
internal import Simulation
internal import Timeline

/// Reads what `ScenarioWriter` writes, and what people make of it. See `ScenarioScript`.
///
/// Two passes, so that the order of the lines is free: first the settings, which say what names
/// there are, then the events.
struct ScenarioReader {
  let file: String
  let catalog: [ProtocolUnderTest]
  var scenario = Scenario(model: "", client: "", server: "")
  var subject: ProtocolUnderTest?

  init(file: String, catalog: [ProtocolUnderTest]) {
    self.file = file
    self.catalog = catalog
  }

  static let settings = [
    "client", "server", "protocol", "source", "path", "budget", "topics", "device",
  ]

  mutating func read(_ text: String) throws(ScenarioError) -> Scenario {
    var lines = try tokenized(text)
    try checkFirstLine(&lines)
    try findSubject(lines)
    for line in lines {
      var reader = ScenarioLineReader(file: file, line: line)
      try readSetting(&reader)
    }
    try requireMachines()
    for line in lines {
      var reader = ScenarioLineReader(file: file, line: line)
      try readEvent(&reader)
    }
    scenario.steps = stablySorted(scenario.steps)
    return scenario
  }

  private func tokenized(_ text: String) throws(ScenarioError) -> [ScenarioLine] {
    var lines: [ScenarioLine] = []
    var number = 0
    for text in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      number += 1
      do throws(ScenarioLexer.Failure) {
        let tokens = try ScenarioLexer.tokens(of: text)
        if !tokens.isEmpty {
          lines.append(ScenarioLine(number: number, text: String(text), tokens: tokens))
        }
      } catch {
        throw ScenarioError(
          file: file, line: number, column: error.column, problem: error.problem,
          advice: error.advice, text: String(text))
      }
    }
    return lines
  }

  private func checkFirstLine(_ lines: inout [ScenarioLine]) throws(ScenarioError) {
    guard let first = lines.first else {
      throw ScenarioError(
        file: file, line: 0, column: 0, problem: "the file is empty",
        advice: "A scenario begins with: pushbench scenario \(ScenarioScript.version)", text: "")
    }
    var reader = ScenarioLineReader(file: file, line: first)
    guard reader.take("pushbench"), reader.take("scenario") else {
      throw reader.error(
        "this is no scenario",
        advice: "A scenario begins with: pushbench scenario \(ScenarioScript.version)", column: 1)
    }
    let version: Int = try reader.number("version", in: 1...Int.max)
    guard version == ScenarioScript.version else {
      throw reader.error(
        "version \(version) is not known",
        advice: "This program reads version \(ScenarioScript.version); a newer one may be needed.",
        column: first.tokens[2].column)
    }
    try reader.end()
    lines.removeFirst()
  }

  // MARK: - Which protocol

  /// A line `protocol` decides, otherwise the client's name does.
  private mutating func findSubject(_ lines: [ScenarioLine]) throws(ScenarioError) {
    for key in ["protocol", "client"] {
      for line in lines where !line.tokens[0].quoted && line.tokens[0].text == key {
        var reader = ScenarioLineReader(file: file, line: line, position: 1)
        let token = try reader.token(key == "protocol" ? "a protocol" : "a machine")
        let found = catalog.first { subject in
          key == "protocol"
            ? subject.name == token.text
            : subject.machines.contains { $0.name == token.text && $0.side == .client }
        }
        guard let found else {
          let known =
            key == "protocol"
            ? catalog.map(\.name)
            : catalog.flatMap(\.machines).filter { $0.side == .client }.map(\.name)
          throw reader.error(
            "unknown \(key) \"\(token.text)\"",
            advice: Spelling.advice(
              for: token.text, among: known, what: key == "protocol" ? "protocols" : "clients"),
            column: token.column)
        }
        subject = found
        scenario.model = found.name
        return
      }
    }
    throw ScenarioError(
      file: file, line: 0, column: 0, problem: "no line says which client to run",
      advice: "Add a line such as: client  \(catalog.first?.standardClient ?? "mqtt.client@good")",
      text: "")
  }

  private func requireMachines() throws(ScenarioError) {
    for (name, word) in [(scenario.client, "client"), (scenario.server, "server")]
    where name.isEmpty {
      throw ScenarioError(
        file: file, line: 0, column: 0, problem: "no line says which \(word) to run",
        advice: "Add a line such as: \(word)  "
          + ((word == "client" ? subject?.standardClient : subject?.standardServer) ?? ""),
        text: "")
    }
  }

  // MARK: - Settings

  private mutating func readSetting(_ reader: inout ScenarioLineReader) throws(ScenarioError) {
    guard let key = reader.nextKeyword, Self.settings.contains(key), let subject else { return }
    reader.skip()
    switch key {
    case "client": scenario.client = try machine(.client, &reader)
    case "server":
      scenario.server = try machine(.server, &reader)
      scenario.serverParameters = try parameters(subject.serverParameters, &reader)
    case "protocol": _ = try reader.token("a protocol")
    case "source":
      var words = [try reader.token("a source").text]
      while !reader.isAtEnd { words.append(try reader.token("a word").text) }
      scenario.source = words.joined(separator: " ")
    case "path": try readPath(&reader)
    case "budget": try readBudget(&reader)
    case "topics":
      while !reader.isAtEnd { _ = try topic(&reader) }
    case "device": try readDevice(&reader)
    default: preconditionFailure("\(key) is listed in `settings` and not read")
    }
    try reader.end()
  }

  private func machine(
    _ side: Side, _ reader: inout ScenarioLineReader
  ) throws(ScenarioError) -> String {
    let known = (subject?.machines ?? []).filter { $0.side == side }.map(\.name)
    let token = try reader.token("a machine")
    guard known.contains(token.text) else {
      throw reader.error(
        "unknown \(side.name) \"\(token.text)\"",
        advice: Spelling.advice(for: token.text, among: known, what: "\(side.name)s"),
        column: token.column)
    }
    return token.text
  }

  private mutating func readPath(_ reader: inout ScenarioLineReader) throws(ScenarioError) {
    let words = [
      "rtt", "server-delay", "device-delay", "nat-timeout", "nat-resets", "user-timeout",
      "probe-after", "probe-every", "probe-count",
    ]
    while !reader.isAtEnd {
      switch try reader.choice(words, what: "setting of the path") {
      case "rtt": scenario.path.rtt = try reader.length()
      case "server-delay": scenario.path.serverDelay = try reader.length()
      case "device-delay": scenario.path.deviceDelay = try reader.length()
      case "nat-timeout": scenario.path.natTimeout = try reader.length()
      case "nat-resets":
        scenario.path.natResets = try reader.choice(["yes", "no"], what: "answer") == "yes"
      case "user-timeout": scenario.path.userTimeout = try reader.length()
      case "probe-after": scenario.path.keepAliveIdle = try reader.length()
      case "probe-every": scenario.path.keepAliveInterval = try reader.length()
      default: scenario.path.keepAliveCount = try reader.number("number", in: 0...UInt16.max)
      }
    }
  }

  private mutating func readBudget(_ reader: inout ScenarioLineReader) throws(ScenarioError) {
    while !reader.isAtEnd {
      switch try reader.choice(["connects", "refreshes", "per"], what: "setting of the budget") {
      case "connects": scenario.budget.connects = try reader.number("number", in: 0...UInt16.max)
      case "refreshes": scenario.budget.refreshes = try reader.number("number", in: 0...UInt16.max)
      default: scenario.budget.per = try reader.length()
      }
    }
  }

  private mutating func readDevice(_ reader: inout ScenarioLineReader) throws(ScenarioError) {
    let name = try reader.token("a name")
    if name.text.isEmpty || scenario.devices.contains(where: { $0.name == name.text }) {
      throw reader.error(
        name.text.isEmpty ? "a device needs a name" : "\"\(name.text)\" is a device already",
        advice: "Give it a name of its own.", column: name.column)
    }
    if !name.quoted, ScenarioWord.reservedNames.contains(name.text) {
      throw reader.error(
        "\"\(name.text)\" means something else here", advice: "Quote it, or take another name.",
        column: name.column)
    }
    var device = Device(name: name.text, identity: name.text)
    if reader.take("identity") { device.identity = try reader.token("an identity").text }
    device.parameters = try parameters(subject?.deviceParameters ?? [], &reader)
    scenario.devices.append(device)
  }

  private mutating func parameters(
    _ kinds: [ParameterKind], _ reader: inout ScenarioLineReader
  ) throws(ScenarioError) -> [Parameter] {
    var parameters: [Parameter] = []
    while let name = reader.next {
      guard let kind = kinds.first(where: { $0.name == name.text }) else {
        throw reader.error(
          "unknown setting \"\(name.text)\"",
          advice: Spelling.advice(for: name.text, among: kinds.map(\.name), what: "settings"))
      }
      reader.skip()
      let value: UInt64
      switch kind.unit {
      case .duration: value = try reader.length().count
      case .count: value = try reader.number("number", in: 0...UInt64.max)
      case .topic: value = UInt64(try topic(&reader))
      case .flag:
        if reader.take("yes") {
          value = 1
        } else if reader.take("no") {
          value = 0
        } else {
          value = try reader.number("yes or no", in: 0...UInt64.max)
        }
      }
      parameters.append(Parameter(kind.name, value))
    }
    return parameters
  }

  /// A topic becomes known by being named.
  mutating func topic(_ reader: inout ScenarioLineReader) throws(ScenarioError) -> UInt16 {
    let name = try reader.token("a topic").text
    if let known = scenario.topics.firstIndex(of: name) { return UInt16(known) }
    guard scenario.topics.count <= Int(UInt16.max) else {
      throw reader.error("more than 65,536 topics", advice: "Use fewer.")
    }
    scenario.topics.append(name)
    return UInt16(scenario.topics.count - 1)
  }

  /// People append lines where they like; the order of lines decides among equal times only.
  private func stablySorted(_ steps: [Step]) -> [Step] {
    let order = steps.indices.sorted { a, b in
      steps[a].time != steps[b].time ? steps[a].time < steps[b].time : a < b
    }
    return order.map { steps[$0] }
  }
}
