import Foundation
import PushBench

/// Scenarios out of what a user names: scenario files, directories of them, captures, or a
/// protocol's name for its standard scenarios.
struct ScenarioInput {
  struct Item {
    var scenario: Scenario
    var subject: ProtocolUnderTest
    /// The file it came from, or the protocol's name.
    var origin: String
    var isFile: Bool
  }

  /// A file or argument that is of no use, with the exit code that says so.
  struct Failure: Error {
    var text: String
    var exitCode: Int32

    static let badInput: Int32 = 65
    static let noInput: Int32 = 66
  }

  var client: String?
  var server: String?
  var options = CaptureOptions()
  var catalog = ProtocolCatalog.all

  func load(_ arguments: [String]) throws(Failure) -> [Item] {
    var items: [Item] = []
    for argument in arguments { items += try load(argument) }
    guard !items.isEmpty else {
      throw Failure(
        text: "There is no scenario in \(arguments.joined(separator: ", ")).",
        exitCode: Failure.badInput)
    }
    return items
  }

  private func load(_ argument: String) throws(Failure) -> [Item] {
    var isDirectory: ObjCBool = false
    let exists = unsafe FileManager.default.fileExists(
      atPath: argument, isDirectory: &isDirectory)
    guard exists else {
      if let subject = catalog.first(where: { $0.name == argument }) {
        var items: [Item] = []
        for scenario in subject.standardScenarios {
          items.append(try item(scenario, origin: argument, isFile: false))
        }
        return items
      }
      throw Failure(
        text: "\(argument): no such file. A protocol's own scenarios go by its name: "
          + catalog.map(\.name).joined(separator: ", ") + ".", exitCode: Failure.noInput)
    }
    if isDirectory.boolValue {
      var items: [Item] = []
      for file in Self.scenarioFiles(in: argument) { items += try load(file) }
      guard !items.isEmpty else {
        throw Failure(
          text: "\(argument): no file in this directory ends in .scenario.",
          exitCode: Failure.badInput)
      }
      return items
    }
    return try loadFile(argument)
  }

  private func loadFile(_ path: String) throws(Failure) -> [Item] {
    guard path.hasSuffix(".scenario") || ScenarioFiles.text(of: path) != nil else {
      return try loadCapture(path)
    }
    guard let contents = FileManager.default.contents(atPath: path) else {
      throw Failure(text: "\(path): can't be read.", exitCode: Failure.noInput)
    }
    let text = String(decoding: contents, as: UTF8.self)
    let scenario: Scenario
    do throws(ScenarioError) {
      scenario = try ScenarioScript.read(text, file: path, catalog: catalog)
    } catch {
      throw Failure(text: "\(error)", exitCode: Failure.badInput)
    }
    return [try item(scenario, origin: path, isFile: true)]
  }

  private func loadCapture(_ path: String) throws(Failure) -> [Item] {
    let extraction: CaptureExtraction
    do throws(CaptureError) {
      extraction = try ScenarioSource.extraction(fromCapture: path, options)
    } catch {
      throw Failure(text: "\(error). \(error.remedy)", exitCode: error.exitClass.rawValue)
    }
    guard !extraction.histories.isEmpty else {
      let error = extraction.whyEmpty(path)
      throw Failure(text: "\(error). \(error.remedy)", exitCode: error.exitCode)
    }
    var items: [Item] = []
    for history in extraction.histories {
      items.append(try item(history.scenario, origin: path, isFile: false))
    }
    return items
  }

  private func item(
    _ scenario: Scenario, origin: String, isFile: Bool
  ) throws(Failure) -> Item {
    guard let subject = catalog.first(where: { $0.name == scenario.model }) else {
      throw Failure(
        text: "\(origin): nobody knows the protocol \"\(scenario.model)\".",
        exitCode: Failure.badInput)
    }
    var scenario = scenario
    if let client { scenario.client = try Self.machine(client, .client, subject) }
    if let server { scenario.server = try Self.machine(server, .server, subject) }
    return Item(scenario: scenario, subject: subject, origin: origin, isFile: isFile)
  }

  static func machine(
    _ name: String, _ side: Side, _ subject: ProtocolUnderTest
  ) throws(Failure) -> String {
    guard subject.machines.contains(where: { $0.name == name && $0.side == side }) else {
      throw Failure(
        text: "There is no \(side == .client ? "client" : "server") \"\(name)\" for "
          + "\(subject.name); `pushbench machines` lists them.", exitCode: 64)
    }
    return name
  }

  /// In order of their names, so that nothing depends on the file system.
  static func scenarioFiles(in directory: String) -> [String] {
    guard let enumerator = FileManager.default.enumerator(atPath: directory) else { return [] }
    var files: [String] = []
    while let name = enumerator.nextObject() as? String {
      if name.hasSuffix(".scenario") { files.append("\(directory)/\(name)") }
    }
    return files.sorted()
  }
}
