public import PushProtocols
public import Simulation
internal import Timeline

/// An extracted history as a scenario file, with comments that say what the capture showed.
public enum ExtractionText {
  /// - Parameter catalog: the protocols whose words may be needed.
  public static func scenario(
    _ history: ExtractedHistory, catalog: [ProtocolUnderTest]
  ) -> String {
    guard let subject = catalog.first(where: { $0.name == history.scenario.model }) else {
      preconditionFailure("extracted a protocol that is not in the catalog")
    }
    var notes = ScenarioNotes()
    notes.steps = history.stepNotes
    notes.faults = history.faultNotes
    if !history.unmodelled.isEmpty {
      notes.trailer = ["", "Not in this scenario, though in the capture:"]
      notes.trailer += history.unmodelled.map { event in
        let frame = event.frame == 0 ? "" : " frame \(event.frame):"
        return "\(event.time)\(frame) \(event.text)"
      }
    }
    return ScenarioScript.write(history.scenario, for: subject, notes: notes)
  }
}
