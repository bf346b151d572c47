import Custody
import Inspection
import Reporting
import Testing
import Unwrapping

/// A report that counts says of deliveries what a report that lists them says.
@Suite struct CountedDeliveriesTests {
  @Test(arguments: Captures.mqtt)
  func `counting and listing agree`(_ truth: Captures.Truth) throws {
    let path = Captures.path("mqtt/" + truth.file)
    let options = CaptureOptions()
    let listed = try CaptureInspection.inspect(path, options)
    let counted = try CaptureInspection.inspect(path, options, keepsDeliveries: false)
    #expect(counted.observation.deliveries.isEmpty)
    #expect(counted.observation.tallies == DeliveryTally.of(listed.observation.deliveries))
    #expect(counted.observation.tallies == listed.observation.tallies)
    #expect(counted.observation.findings == listed.observation.findings)
    #expect(counted.observation.sessions == listed.observation.sessions)
    #expect(InspectionText.text(counted) == InspectionText.text(listed))
  }
}
