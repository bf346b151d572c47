import Foundation
import Testing

@Suite struct SearchCommandsTests {
  static let specimen = ["--server", "mqtt.broker@forgets-in-flight"]

  /// What a campaign leaves behind, apart from its own files.
  func findings(in directory: String) throws -> [String: String] {
    var files: [String: String] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: directory)
    where name.hasSuffix(".scenario") {
      files[name] = try String(contentsOfFile: "\(directory)/\(name)", encoding: .utf8)
    }
    return files
  }

  @Test func `the same campaign in two processes with one and two workers gives equal bytes`()
    throws
  {
    try withTemporaryDirectory { directory in
      var outputs: [String] = []
      var files: [[String: String]] = []
      for (number, workers) in [1, 2, 1].enumerated() {
        // Paths are part of the output, so all go to the same place, one after the other.
        let output = "\(directory)/findings"
        let run = try Binary.run(
          ["fuzz", "mqtt", "--executions", "1500", "--seed", "7", "--workers", "\(workers)"]
            + ["--output", output, "--format", "json"] + Self.specimen)
        #expect(run.status == 1, "\(run.errors)")
        outputs.append(run.output)
        files.append(try findings(in: output))
        try FileManager.default.moveItem(atPath: output, toPath: "\(directory)/\(number)")
      }
      #expect(!files[0].isEmpty)
      #expect(outputs[0] == outputs[1] && outputs[0] == outputs[2])
      #expect(files[0] == files[1] && files[0] == files[2])
    }
  }

  @Test func `a finding is minimized to a scenario and a test, and the scenario runs`() throws {
    try withTemporaryDirectory { directory in
      let fuzz = try Binary.run(
        ["fuzz", "mqtt", "--executions", "800", "--output", directory] + Self.specimen)
      #expect(fuzz.status == 1)
      let found = try #require(try findings(in: directory).keys.sorted().first)
      let minimized = "\(directory)/minimized"
      let minimize = try Binary.run(
        ["minimize", "\(directory)/\(found)", "--output", minimized, "--name", "it"])
      #expect(minimize.status == 0, "\(minimize.errors)")
      #expect(minimize.output.contains("Minimal: each of"))
      let names = try FileManager.default.contentsOfDirectory(atPath: minimized).sorted()
      #expect(names == ["ItTests.swift", "it.md", "it.scenario"])
      let test = try String(contentsOfFile: "\(minimized)/ItTests.swift", encoding: .utf8)
      #expect(test.contains("import PushBench") && test.contains("pushbench scenario 1"))
      let run = try Binary.run(["run", minimized])
      #expect(run.status == 0, "\(run.output)")
      let clean = try Binary.run(
        ["run", minimized, "--clean", "--server", "mqtt.broker@good"])
      #expect(clean.status == 0, "\(clean.output)")
      let broken = try Binary.run(["run", minimized, "--clean"])
      #expect(broken.status == 1)
    }
  }

  @Test func `a killed campaign goes on and loses no finding`() throws {
    try withTemporaryDirectory { directory in
      let first = try Binary.run(
        ["fuzz", "mqtt", "--executions", "600", "--output", directory] + Self.specimen)
      #expect(first.status == 1)
      let before = try findings(in: directory)
      // As a kill in the middle of writing would leave it.
      let corpus = "\(directory)/.campaign/corpus"
      let whole = try Data(contentsOf: URL(fileURLWithPath: corpus))
      try whole.dropLast(100).write(to: URL(fileURLWithPath: corpus))
      let second = try Binary.run(
        ["fuzz", "--resume", "--executions", "600", "--output", directory])
      #expect(second.status == 1, "\(second.errors)")
      let after = try findings(in: directory)
      for (name, text) in before { #expect(after[name] == text) }
    }
  }

  struct Case: Sendable {
    var arguments: [String]
    var status: Int32
  }

  static let cases: [Case] = [
    Case(arguments: ["fuzz"], status: 64),
    Case(arguments: ["fuzz", "mqtt", "--time", "3"], status: 64),
    Case(arguments: ["fuzz", "mqtt", "--server", "mqtt.broker@godo"], status: 64),
    Case(arguments: ["fuzz", "/nowhere"], status: 66),
    Case(arguments: ["run", "/nowhere"], status: 66),
    Case(arguments: ["minimize", "/nowhere"], status: 66),
    Case(arguments: ["run", "/etc/hostname"], status: 65),
    Case(arguments: ["machines"], status: 0),
    Case(arguments: ["fuzz", "--list-machines"], status: 0),
    Case(arguments: ["run", "mqtt"], status: 0),
  ]

  @Test(arguments: cases)
  func `what is asked decides the exit code`(asked: Case) throws {
    let run = try Binary.run(asked.arguments)
    #expect(run.status == asked.status, "\(run.output)\(run.errors)")
    #expect(asked.status == 0 || !run.errors.isEmpty)
  }
}
