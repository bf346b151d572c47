// As `pushbench minimize corpus/mqtt/broker-forgets-in-flight.scenario` writes it: generated tests
// compile and pass.
import PushBench
import Testing

/// The server sent publication 1 to a and no longer has it, but a never acknowledged it. The last
/// thing known is that it was written to a connection.
///
/// The `expect` line says what the machines do today. Once the defect is fixed, write
/// `expect none` there: from then on this test keeps it fixed.
@Suite struct BrokerForgetsInFlightTests {
  static let scenario = """
    pushbench scenario 1
    # The server sent publication 1 to a and no longer has it, but a never acknowledged it. The last
    # thing known is that it was written to a connection.
    # Minimal: each of 5 simplifications was tried and makes the finding vanish.
    client  mqtt.client@good
    server  mqtt.broker@forgets-in-flight
    source  standard: QoS 2 in both directions through a window of two
    device  a

    +0s     a  connect                     # without it: nothing; any time +0s … +20ms
    +0s     a  subscribe a/b  qos 2        # without it: nothing; any time +0s … +100ms
    +0s     a  submit 1  topic a/b  qos 2  # without it: nothing; any time +0s … +100ms
    +100ms  a  disconnect                  # without it: nothing; any time +80ms … +120ms

    expect  ghost  1 a
    # Trace hash 12f3a7d94969d628.

    """

  @Test
  func `mqtt.client@good and mqtt.broker@forgets-in-flight show ghost`() throws {
    let run = try ScenarioCheck(of: Self.scenario)
    #expect(run.isAsExpected, "\(run)")
  }

  @Test func `the machines that are meant to be right do not`() throws {
    let run = try ScenarioCheck(
      of: Self.scenario, client: "mqtt.client@good", server: "mqtt.broker@good")
    #expect(run.verdict == .holds, "\(run)")
  }
}
