public import Custody

/// The `Bench` of a pair of machines.
///
/// Make it with `make` where the machines' types are concrete (in the protocol's module, or in a
/// user's program): the loop is specialised there, behind one closure call a run.
public final class MachineBench<Model: PushModel, Client: ClientMachine, Server: ServerMachine>:
  Bench
where Client.Message == Model.Message, Server.Message == Model.Message {
  @usableFromInline
  typealias Runner = (inout World<Model, Client, Server>, Scenario, RunOptions) -> RunSummary

  @usableFromInline var world: World<Model, Client, Server>
  @usableFromInline let runner: Runner
  private var record = RunRecord()

  @usableFromInline
  init(world: consuming World<Model, Client, Server>, runner: @escaping Runner) {
    self.world = world
    self.runner = runner
  }

  /// - Parameters:
  ///   - client: the value that every device's machine begins as, policy included.
  ///   - server: the same for the server.
  @inlinable @inline(__always)
  public static func make(_: Model.Type, client: Client, server: Server) -> MachineBench {
    MachineBench(world: World(Model.self, client: client, server: server)) {
      world, scenario, options in
      world.run(scenario, options: options)
    }
  }

  public func run(_ scenario: Scenario, options: RunOptions) -> RunSummary {
    let summary = runner(&world, scenario, options)
    swap(&record, &world.record)
    return summary
  }

  public var ledger: Ledger { record.ledger }
  public var edges: [UInt32] { record.edges }
  public var faultContexts: [FaultEncounter] { record.faultContexts }
  public var trace: [TraceEntry] { record.trace }
}
