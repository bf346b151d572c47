import ArgumentParser
import CMalloc

@main
struct PushBenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pushbench", abstract: "Finds the deliveries that nobody acknowledged.",
    subcommands: [
      InspectCommand.self, ExtractCommand.self, ReplayCommand.self, FuzzCommand.self,
      CompareCommand.self, MinimizeCommand.self, RunCommand.self, MachinesCommand.self,
    ])

  /// Begins on the process's first thread, before there are others: whose heap they are to share.
  @MainActor static func main() async {
    // One thread reads and one follows the protocols; only the latter allocates much. Fuzzing has
    // many that do.
    if CommandLine.arguments.dropFirst().first == InspectCommand.configuration.commandName {
      share_one_arena()
    }
    await Self.main(nil)
  }
}
