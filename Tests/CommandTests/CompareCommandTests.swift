import Foundation
import Testing

@Suite struct CompareCommandTests {
  static let pair = ["--client", "mqtt.client@good", "--client", "mqtt.client@no-ping-timeout"]
  static let short = ["--seeds", "2", "--executions", "6", "--length", "1h"]

  @Test func `two processes with one and two workers give equal bytes`() throws {
    try withTemporaryDirectory { directory in
      var outputs: [String] = []
      var charts: [String] = []
      for workers in ["1", "2"] {
        let svg = "\(directory)/\(workers).svg"
        let run = try Binary.run(
          ["compare", "mqtt", "--format", "json", "--workers", workers, "--svg", svg] + Self.pair
            + Self.short)
        #expect(run.status == 0 || run.status == 1, "\(run.errors)")
        outputs.append(run.output)
        charts.append(try String(contentsOfFile: svg, encoding: .utf8))
      }
      #expect(outputs[0] == outputs[1])
      #expect(charts[0] == charts[1] && charts[0].hasPrefix("<svg "))
      let json = try JSONSerialization.jsonObject(with: Data(outputs[0].utf8)) as? [String: Any]
      #expect((json?["measures"] as? [Any])?.isEmpty == false)
    }
  }

  @Test func `the scenarios that make a difference are written, and run shows the same`() throws {
    try withTemporaryDirectory { directory in
      let capture = ReadingCapturesTests.root.appending(path: "captures/mqtt/offline-queue.pcap")
      let compared = try Binary.run(
        ["compare", capture.path, "--output", directory, "--executions", "20", "--seeds", "2"]
          + ["--length", "2h"] + Self.pair)
      #expect(compared.status == 1, "\(compared.errors)")
      #expect(compared.output.contains("dead link, client p99"))
      let names = try FileManager.default.contentsOfDirectory(atPath: directory)
      #expect(names.contains { $0.hasSuffix(".good.scenario") })
      #expect(names.contains { $0.hasSuffix(".no-ping-timeout.scenario") })
      let page = try #require(names.sorted().first { $0.hasSuffix(".md") })
      let text = try String(contentsOfFile: "\(directory)/\(page)", encoding: .utf8)
      #expect(text.contains("## good") && text.contains("## no-ping-timeout"))
      // Hours of pings are a few lines.
      let zombie = try String(contentsOfFile: "\(directory)/client-zombie-p99.md", encoding: .utf8)
      #expect(zombie.contains(" times more, until "))
      #expect(zombie.split(separator: "\n").count < 300)
      let run = try Binary.run(["run", directory])
      #expect(run.status == 0, "\(run.output)\(run.errors)")
    }
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var arguments: [String]
    var status: Int32
    var testDescription: String { arguments.joined(separator: " ") }
  }

  @Test(arguments: [
    Case(arguments: pair, status: 64),
    Case(arguments: ["mqtt", "--client", "mqtt.client@good"], status: 64),
    Case(arguments: ["mqtt", "--client", "mqtt.client@gud"] + pair, status: 64),
    Case(arguments: ["mqtt", "--length", "1"] + pair, status: 64),
    Case(arguments: ["mqtt", "--length", "1min"] + pair, status: 64),
    Case(arguments: ["mqtt", "--seeds", "0"] + pair, status: 64),
    Case(arguments: ["/nowhere"] + pair, status: 66),
    Case(arguments: ["/etc/hostname"] + pair, status: 65),
    Case(
      arguments: ["mqtt", "--client", "mqtt.client@good", "--client", "mqtt.client@good"] + short,
      status: 0),
  ])
  func `what is asked decides the exit code`(asked: Case) throws {
    let run = try Binary.run(["compare"] + asked.arguments)
    #expect(run.status == asked.status, "\(run.output)\(run.errors)")
    #expect(asked.status == 0 || !run.errors.isEmpty)
  }
}
