import ArgumentParser

@main
struct PushBenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pushbench", abstract: "Finds the deliveries that nobody acknowledged.",
    subcommands: [
      InspectCommand.self, ExtractCommand.self, ReplayCommand.self, FuzzCommand.self,
      CompareCommand.self, MinimizeCommand.self, RunCommand.self, MachinesCommand.self,
    ])
}
