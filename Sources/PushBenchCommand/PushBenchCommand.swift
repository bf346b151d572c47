import ArgumentParser

@main
struct PushBenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pushbench", abstract: "Finds the deliveries that nobody acknowledged.",
    subcommands: [InspectCommand.self, ExtractCommand.self, ReplayCommand.self])
}
