import FuzzTargets
import Simulation
import Testing

/// What `make fuzz` found in the past, and a first look for what it would find now.
@Suite struct HostileInputTests {
  @Test(arguments: FuzzTarget.allCases)
  func `seeds lead nowhere bad`(target: FuzzTarget) throws {
    let seeds = FuzzSeeds.all(for: target)
    #expect(!seeds.isEmpty)
    for seed in seeds {
      #expect(throws: Never.self) { try target.run(seed) }
    }
  }

  @Test(arguments: FuzzTarget.allCases)
  func `what was found once is not found again`(target: FuzzTarget) {
    for (name, input) in FuzzSeeds.findings(for: target) {
      #expect(throws: Never.self, "\(target.rawValue)/\(name)") { try target.run(input) }
    }
  }

  @Test(arguments: FuzzTarget.allCases)
  func `mutations of seeds lead nowhere bad`(target: FuzzTarget) {
    let seeds = FuzzSeeds.all(for: target)
    var random = SeededRandom(seed: 22)
    for round in 0..<400 {
      let seed = seeds[random.below(seeds.count)]
      let other = seeds[random.below(seeds.count)]
      let input = Mutation.mutate(seed, other, &random)
      #expect(throws: Never.self, "\(target.rawValue), round \(round)") { try target.run(input) }
    }
  }
}
