/// Things to look at again and again, in turn: so many of the old ones each time, however many
/// there are, and all that are new.
struct LookedAfter<Thing> {
  private var things: [Thing] = []
  private var head = 0
  /// Since they were looked at last.
  private var added = 0

  static var most: Int { 1024 }

  mutating func append(_ thing: Thing) {
    things.append(thing)
    added += 1
  }

  var count: Int { things.count - head }

  /// - Parameter look: whether to keep it.
  mutating func lookAt(_ look: (inout Thing) -> Bool) {
    // More than come in, so that those that are over don't pile up.
    let looks = min(count, Self.most + 2 * added)
    added = 0
    for _ in 0..<looks {
      var thing = things[head]
      head += 1
      if look(&thing) { things.append(thing) }
    }
    // Now and then, so that each costs little.
    if head > Self.most, head * 2 > things.count || count == 0 {
      things.removeFirst(head)
      head = 0
    }
  }
}
