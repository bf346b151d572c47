import Foundation
import Testing

/// What captures/ promises: each recording described, its truth beside it, and all of it small.
@Suite struct CapturesTests {
  /// The part of a truth file that tests of inspection read.
  private struct Truth: Decodable {
    struct Expected: Decodable {
      struct Finding: Decodable { var oracle: String }
      var `protocol`: String
      var subscribers: [String: [String: Int]]
      var findings: [Finding]
      var doubtful: Bool
      var notes: String
    }
    var file: String
    var expected: Expected
  }

  private func captures() throws -> [String] {
    try Repository.paths().filter {
      $0.hasPrefix("captures/") && ($0.hasSuffix(".pcap") || $0.hasSuffix(".pcapng"))
    }
  }

  private func size(_ path: String) throws -> Int {
    let url = Repository.root.appending(path: path)
    return try #require(try url.resourceValues(forKeys: [.fileSizeKey]).fileSize)
  }

  @Test func `each capture has a truth that says how its deliveries end`() throws {
    let states: Set<String> = [
      "acknowledged", "redelivered", "pending", "lost", "ghost", "expired", "rejected", "unknown",
      "qos0",
    ]
    let captures = try captures()
    #expect(captures.count > 40)
    for path in captures {
      let truthPath = Self.truthPath(of: path)
      let text = try #require(Repository.text(truthPath), "\(truthPath)")
      let truth = try JSONDecoder().decode(Truth.self, from: Data(text.utf8))
      #expect(path.hasSuffix("/" + truth.file))
      for (subscriber, counts) in truth.expected.subscribers {
        #expect(Set(counts.keys).subtracting(["accepted"]) == states, "\(path), \(subscriber)")
        #expect(counts["redelivered", default: 0] <= counts["acknowledged", default: 0])
      }
      let oracles: Set<String> = ["ghost", "lost", "zombie", "protocol"]
      #expect(truth.expected.findings.allSatisfy { oracles.contains($0.oracle) }, "\(path)")
      #expect(!truth.expected.doubtful || !truth.expected.notes.isEmpty, "\(path): doubtful, why?")
    }
  }

  @Test func `each capture is described, and every description has its capture`() throws {
    let document = try #require(Repository.text("captures/README.md"))
    let linked = document.split(separator: "](").dropFirst().compactMap { rest in
      rest.firstIndex(of: ")").map { "captures/" + rest[..<$0] }
    }
    #expect(linked.sorted() == (try captures()))
  }

  @Test func `all captures together stay under 3 MB`() throws {
    let total = try Repository.paths().filter { $0.hasPrefix("captures/") }
      .reduce(0) { try $0 + size($1) }
    #expect(total < 3_000_000)
  }

  /// `captures/mqtt/a-3.1.1.pcap` has `captures/mqtt/a-3.1.1.truth.json`.
  private static func truthPath(of capture: String) -> String {
    let end = capture.lastIndex(of: ".") ?? capture.endIndex
    return capture[..<end] + ".truth.json"
  }
}
