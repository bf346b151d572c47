/// What keeps a run a pure function of its scenario, and the layers apart.
enum PurityRules {
  /// Layers in which there is no Foundation: all below Reporting and the command line.
  static let withoutFoundation: Set<Substring> = [
    "Timeline", "Wire", "Custody", "Simulation", "Capture", "PushProtocols", "Oracles", "Shrinking",
    "Search", "Comparison",
  ]

  /// The one exception: JSON and base64 of APNs' provider API.
  static let essentials = "Sources/PushProtocols/APNsProvider/Observation/APNsProviderJSON.swift"

  static func foundation(_ source: SwiftSource) -> [Complaint] {
    guard withoutFoundation.contains(source.target), source.path != essentials else { return [] }
    return source.code.enumerated().compactMap { index, line in
      let words = line.split { $0 == " " || $0 == "." }
      guard let keyword = words.firstIndex(of: "import"), keyword + 1 < words.count,
        words[(keyword + 1)...].contains(where: { $0.hasPrefix("Foundation") })
      else { return nil }
      return Complaint(
        path: source.path, line: index + 1, what: "\(source.target) does without Foundation")
    }
  }

  /// Clocks, generators and environments that nobody passed in.
  static let ambient = [
    "Date()", "Date.now", "ContinuousClock", "SuspendingClock", "DispatchTime", "clock_gettime",
    "gettimeofday", "SystemRandomNumberGenerator", "arc4random", "UUID()", "ProcessInfo", "getenv(",
    ".shuffled()", ".shuffle()", ".randomElement()", "Bool.random()",
  ]

  /// The world outside comes in through the command line, live runs and what draws progress.
  static func mayBeAmbient(_ path: String) -> Bool {
    path.hasPrefix("Sources/PushBenchCommand/") || path.contains("Live")
      || path.contains("Progress")
  }

  static func ambience(_ source: SwiftSource) -> [Complaint] {
    guard !mayBeAmbient(source.path) else { return [] }
    var complaints: [Complaint] = []
    for (index, line) in source.code.enumerated() where !line.allSatisfy({ $0 == " " }) {
      for word in ambient where line.contains(word) {
        complaints.append(
          Complaint(path: source.path, line: index + 1, what: "ambient: \(word)"))
      }
      // A call may go over two lines.
      let next = index + 1 < source.code.count ? source.code[index + 1] : ""
      if let call = line.firstRange(of: ".random(in:"),
        !line[call.lowerBound...].contains("using:"), !next.contains("using:")
      {
        complaints.append(
          Complaint(path: source.path, line: index + 1, what: "ambient: .random without using:"))
      }
    }
    return complaints
  }
}
