import PushProtocols
import Replay
import Reporting
import Simulation
import Testing

/// Extracted scenarios go through files: extract writes them, run and fuzz read them.
@Suite struct ScenarioTextTests {
  @Test(arguments: CaptureFolder.all)
  func `an extracted scenario is the same after writing and reading it`(name: String) throws {
    for history in try ScenarioSource.extraction(fromCapture: CaptureFolder.path(name)).histories {
      #expect(history.scenario.flaw == nil)
      let text = ExtractionText.scenario(history, catalog: ProtocolCatalog.all)
      let read = try ScenarioScript.read(text, file: name, catalog: ProtocolCatalog.all)
      #expect(read == history.scenario, "\(name)\n\(text)")
    }
  }
}
