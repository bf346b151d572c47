public import Custody
internal import Oracles
public import Simulation
internal import Timeline

/// What is wrong, in sentences.
public enum FindingStory {
  public static func sentence(
    _ violation: Violation, in ledger: Ledger, scenario: Scenario, subject: ProtocolUnderTest
  ) -> String {
    if OracleCatalog.name(of: violation.signature) == ProtocolOracle.name {
      let (byServer, rule) = ProtocolOracle.rule(of: violation.signature)
      let sender = byServer ? "The server" : name(violation.device, scenario)
      let text = Int(rule) < subject.rules.count ? subject.rules[Int(rule)] : "rule \(rule)"
      return "\(sender) breaks \(text)."
    }
    let story = OracleCatalog.story(of: violation, in: ledger) { name($0, scenario) }
    return story.prefix(1).uppercased() + story.dropFirst()
  }

  static func name(_ node: NodeID, _ scenario: Scenario) -> String {
    if node.isServer { return "the server" }
    return node.device < scenario.devices.count
      ? scenario.devices[node.device].name : "device \(node.index)"
  }
}
