import Foundation
import PushBench

/// The files of a campaign: a scenario for each finding, and what it takes to go on.
///
///     DIR/ghost-qos1-after-sent.scenario    a finding; never overwritten by another one
///     DIR/.campaign/corpus                  scenarios worth starting from, one after the other
///     DIR/.campaign/epoch                   the last one that is wholly in there
///
/// A finding is written before it is told, and appended files are cut where a kill tore them.
struct CampaignStore {
  let directory: String

  private var campaignDirectory: String { directory + "/.campaign" }
  private var corpusFile: String { campaignDirectory + "/corpus" }
  private var epochFile: String { campaignDirectory + "/epoch" }
  /// No line of a scenario looks like this.
  private static let separator = "=====\n"

  func begin(resuming: Bool) throws(OutputError) {
    try WholeFile.makeFolder(campaignDirectory)
    if !resuming {
      try WholeFile.write("", to: corpusFile)
      try WholeFile.write("0\n", to: epochFile)
    }
  }

  /// - Returns: the file's path.
  func write(_ finding: Finding, _ subject: ProtocolUnderTest) throws(OutputError) -> String {
    var notes = ScenarioNotes()
    let story = ScenarioCheck(finding.scenario, subject: subject)?.stories.first ?? ""
    notes.header = [story, "`pushbench minimize` makes it small."]
    notes.trailer = ["Trace hash \(hexadecimal(finding.traceHash))."]
    let text = ScenarioScript.write(finding.scenario, for: subject, notes: notes)
    var path = "\(directory)/\(finding.name).scenario"
    var number = 1
    // Another machine's finding of the same kind stays; the very same one is just written again.
    while let old = FileManager.default.contents(atPath: path), old != Data(text.utf8) {
      number += 1
      path = "\(directory)/\(finding.name)-\(number).scenario"
    }
    try WholeFile.write(text, to: path)
    return path
  }

  func append(_ report: Campaign.EpochReport, _ subject: ProtocolUnderTest) throws(OutputError) {
    if !report.discoveries.isEmpty {
      var file = try FileOutput(appendingTo: corpusFile)
      var text = ""
      for scenario in report.discoveries {
        text += ScenarioScript.write(scenario, for: subject) + Self.separator
      }
      try file.write(Array(text.utf8))
      try file.flush()
    }
    try WholeFile.write("\(report.epoch)\n", to: epochFile)
  }

  var savedEpoch: Int {
    let contents = FileManager.default.contents(atPath: epochFile) ?? Data()
    let text = String(decoding: contents, as: UTF8.self)
    return Int(text.prefix { $0 != "\n" }) ?? 0
  }

  /// The corpus of the campaign that is here.
  func load(_ input: ScenarioInput) throws(ScenarioInput.Failure) -> [ScenarioInput.Item] {
    guard let contents = FileManager.default.contents(atPath: corpusFile) else {
      throw ScenarioInput.Failure(
        text: "\(directory): there is no campaign to resume.",
        exitCode: ScenarioInput.Failure.noInput)
    }
    var items: [ScenarioInput.Item] = []
    let text = String(decoding: contents, as: UTF8.self)
    for part in text.split(separator: Self.separator) {
      // What a kill tore off in the middle is no scenario any more; the rest is.
      guard
        let scenario = try? ScenarioScript.read(
          String(part), file: corpusFile, catalog: input.catalog),
        let subject = input.catalog.first(where: { $0.name == scenario.model })
      else { continue }
      items.append(
        ScenarioInput.Item(
          scenario: scenario, subject: subject, origin: corpusFile, isFile: false))
    }
    guard !items.isEmpty else {
      throw ScenarioInput.Failure(
        text: "\(directory): the campaign's corpus is empty.",
        exitCode: ScenarioInput.Failure.badInput)
    }
    return items
  }

  private func hexadecimal(_ hash: UInt64) -> String {
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
