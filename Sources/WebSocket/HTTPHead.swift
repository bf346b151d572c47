/// The head of an HTTP/1.1 message, as far as an upgrade needs it (RFC 9112).
struct HTTPHead {
  /// Longer ones are not waited for.
  static let longest = 64 << 10

  /// The first line, split at spaces into at most three.
  var start: [String]
  private var fields: [(name: String, value: String)] = []

  /// - Returns: the head and the bytes that it takes up; `nil` while it is not complete.
  static func read(_ bytes: [UInt8]) -> (head: HTTPHead, length: Int)? {
    guard let end = end(of: bytes) else { return nil }
    let text = String(decoding: bytes[..<end], as: UTF8.self)
    let lines = text.split(whereSeparator: \.isNewline)
    var head = HTTPHead(
      start: (lines.first ?? "").split(separator: " ", maxSplits: 2).map(String.init))
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      let value = line[line.index(after: colon)...]
      head.fields.append((line[..<colon].lowercased(), trimmed(value)))
    }
    return (head, end)
  }

  /// Behind the empty line.
  private static func end(of bytes: [UInt8]) -> Int? {
    var index = 0
    while let feed = bytes[index...].firstIndex(of: 0x0a) {
      let next = bytes[(feed + 1)...]
      if next.first == 0x0a { return feed + 2 }
      if next.starts(with: [0x0d, 0x0a]) { return feed + 3 }
      index = feed + 1
    }
    return nil
  }

  private static func trimmed(_ text: Substring) -> String {
    func isSpace(_ character: Character) -> Bool { character == " " || character == "\t" }
    return String(text.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
  }

  private init(start: [String]) { self.start = start }

  /// All elements of a field that is a list, in its order.
  func list(_ name: String) -> [String] {
    fields.filter { $0.name == name }.flatMap { field in
      field.value.split(separator: ",").map { Self.trimmed($0) }
    }
  }

  var isUpgradeToWebSocket: Bool {
    list("upgrade").contains { $0.lowercased() == "websocket" }
  }

  var isRequest: Bool { start.count == 3 && start[0] == "GET" }
  var status: Int? { start.count >= 2 && start[0].hasPrefix("HTTP/1.") ? Int(start[1]) : nil }
}
