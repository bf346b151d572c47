internal import Custody
public import Simulation
internal import Timeline

/// Who wrote what to whom, as a picture.
public enum SequenceDiagram {
  /// For a terminal or a text file: one event a line, time first.
  public static func text(
    _ trace: [TraceEntry], scenario: Scenario, limit: Int = 120
  ) -> String {
    let events = SequenceDiagramEvents(trace, scenario: scenario, limit: limit).events
    let names = scenario.devices.map(\.name)
    let width = max(6, names.map(\.count).max() ?? 0)
    func name(_ node: NodeID) -> String {
      let name = node.isServer ? "server" : node.device < names.count ? names[node.device] : "?"
      return name + String(repeating: " ", count: max(0, width - name.count))
    }
    let lines = events.map { event in
      switch event {
      case .message(let time, let device, let sender, let text, let arrived):
        let arrow =
          switch (sender, arrived) {
          case (.client, .some): "───────▶ server"
          case (.client, nil): "───✗     server"
          case (.server, .some): "◀─────── server"
          case (.server, nil): "     ✗── server"
          }
        let fate = arrived == nil ? "   never arrives" : ""
        return "\(column(time))  \(name(device)) \(arrow)  \(text)\(fate)"
      case .note(let time, let device, let text):
        return "\(column(time))  \(name(device))                  \(text)"
      case .fault(let time, let device, let text):
        return "\(column(time))  \(name(device)) ▓▓ fault ▓▓      \(text)"
      case .elided(let count):
        return column("…") + "  \(TerminalNumber.counted(count, "more event"))"
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func column(_ time: Instant) -> String {
    column(Nanoseconds(time.nanoseconds).seconds3)
  }

  private static func column(_ text: String) -> String {
    String(repeating: " ", count: max(0, 14 - text.count)) + text
  }

  /// For Markdown: a Mermaid sequence diagram.
  public static func mermaid(
    _ trace: [TraceEntry], scenario: Scenario, limit: Int = 120
  ) -> String {
    var lines = ["sequenceDiagram"]
    for (index, device) in scenario.devices.enumerated() {
      lines.append("  participant d\(index) as \(escaped(device.name))")
    }
    lines.append("  participant s as server")
    for event in SequenceDiagramEvents(trace, scenario: scenario, limit: limit).events {
      switch event {
      case .message(let time, let device, let sender, let text, let arrived):
        let client = "d\(device.device)"
        let (from, to) = sender == .client ? (client, "s") : ("s", client)
        let arrow = arrived == nil ? "--x" : "->>"
        lines.append("  \(from)\(arrow)\(to): \(stamp(time)) \(escaped(text))")
      case .note(let time, let device, let text):
        lines.append("  Note over \(place(device)): \(stamp(time)) \(escaped(text))")
      case .fault(let time, let device, let text):
        lines.append(
          "  Note over \(device.isServer ? "s" : "d\(device.device),s"): "
            + "\(stamp(time)) FAULT \(escaped(text))")
      case .elided(let count):
        lines.append("  Note over s: … \(TerminalNumber.counted(count, "more event"))")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func place(_ node: NodeID) -> String {
    node.isServer ? "s" : "d\(node.device)"
  }

  private static func stamp(_ time: Instant) -> String {
    Nanoseconds(time.nanoseconds).seconds3
  }

  /// Mermaid ends a statement at `;` and `#`, and a line at its end.
  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case ";": result += "#59;"
      case "#": result += "#35;"
      case _ where character.isNewline: result += " "
      default: result.append(character)
      }
    }
    return result
  }
}
