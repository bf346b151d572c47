public import Simulation

/// The mutators and how often each is drawn. To add one: a file, and a line here.
public enum MutatorCatalog {
  public static let all: [(mutator: any Mutator, weight: Int)] = [
    (AddFault(.drops), 14),
    (AddFault(.timing), 8),
    (AddFault(.credentials), 6),
    (RemoveFault(), 4),
    (MoveFault(), 8),
    (ChangeMagnitude(), 8),
    (DuplicateFault(), 3),
    (SpliceFaults(), 4),
    (AddSubmission(), 6),
    (AppendLateSubmission(), 6),
    (ChangeSubmission(), 3),
    (AddInterruption(), 8),
    (AddSubscription(), 3),
    (AddSubscriber(), 1),
    (RemoveStep(), 4),
    (MoveStep(), 4),
    (StretchTime(), 3),
    (ChangeParameter(), 5),
  ]

  public static let names: [String] = all.map(\.mutator.name)

  private static let totalWeight = all.reduce(0) { $0 + $1.weight }

  /// Position of a mutator, drawn by the weights.
  public static func draw(using random: inout SeededRandom) -> Int {
    var wanted = random.below(totalWeight)
    var index = 0
    while wanted >= all[index].weight {
      wanted -= all[index].weight
      index += 1
    }
    return index
  }
}
