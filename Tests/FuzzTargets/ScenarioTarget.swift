import PushProtocols
import Reporting
import Simulation

/// A scenario file: is refused with a reason, or means the same when it is written out again.
enum ScenarioTarget {
  static func run(_ input: [UInt8]) throws(FuzzFinding) {
    let text = String(decoding: input, as: UTF8.self)
    let scenario: Scenario
    do throws(ScenarioError) {
      scenario = try ScenarioScript.read(text, file: "input", catalog: ProtocolCatalog.all)
    } catch {
      if error.description.isEmpty { throw FuzzFinding("an error without words") }
      return
    }
    guard scenario.flaw == nil,
      let subject = ProtocolCatalog.all.first(where: { $0.name == scenario.model })
    else { return }
    let written = ScenarioScript.write(scenario, for: subject)
    let again: Scenario
    do throws(ScenarioError) {
      again = try ScenarioScript.read(written, file: "input", catalog: ProtocolCatalog.all)
    } catch {
      throw FuzzFinding("can't be read when written: \(error)\n\(written)")
    }
    if again != scenario { throw FuzzFinding("means something else when written:\n\(written)") }
  }
}
