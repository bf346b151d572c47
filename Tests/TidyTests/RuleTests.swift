import Testing

/// Each rule is shown able to fail, and to let pass what is in order.
@Suite struct RuleTests {
  private func source(_ text: String, path: String = "Sources/Wire/Sample.swift") -> SwiftSource {
    SwiftSource(path: path, text: text)
  }

  @Test func `code is told from comments and strings`() {
    let text = """
      let a = "Date()" // Date()
      /* Date() /* nested */ Date() */ let b = #"a "quoted" Date()"#
      let c = "\\(f("Date()")) Date()"; let d = 1
      """
    let code = SwiftSource.codeOnly(text)
    #expect(!code.contains("Date"))
    #expect(code.contains("let b = ") && code.contains("; let d = 1"))
    #expect(code.utf8.filter { $0 == UInt8(ascii: "\n") }.count == 2)
  }

  @Test func `a multi-line literal ends where it ends`() {
    let code = SwiftSource.codeOnly("let a = \"\"\"\n  say \"Date()\"\n  \"\"\"\nlet b = Date()\n")
    #expect(code.ranges(of: "Date()").count == 1)
  }

  @Test func `a long file is long`() {
    let text = String(repeating: "let a = 1\n", count: 12)
    #expect(SizeRules.fileLength(source(text), limit: 12) == [])
    #expect(SizeRules.fileLength(source(text), limit: 11).count == 1)
  }

  @Test func `a line of 101 columns is too wide, one of 100 letters of two bytes is not`() {
    #expect(SizeRules.lineWidth(source(String(repeating: "é", count: 100))) == [])
    #expect(SizeRules.lineWidth(source("\n" + String(repeating: "x", count: 101)))[0].line == 2)
  }

  @Test(arguments: [
    "func long() {", "  public mutating func long<T>(_ a: T) -> Int {", "  init?(_ a: Int) {",
    "@inlinable static func long(",
  ])
  func `a function of 71 lines is too long, one of 70 is not`(declaration: String) {
    let opened = declaration.hasSuffix("(") ? "  _ a: Int) { _ = 1" : "  _ = 1"
    func sample(_ count: Int) -> SwiftSource {
      let body = String(repeating: "  _ = 1\n", count: count - 3)
      return source("protocol P { func other() }\n\(declaration)\n\(opened)\n\(body)}\nlet z = 1\n")
    }
    #expect(SizeRules.functionLength(sample(70)) == [])
    let complaints = SizeRules.functionLength(sample(71))
    #expect(complaints.map(\.line) == [2])
  }

  @Test func `calls of initialisers are no declarations`() {
    let call = "x = .init(a) {\n" + String(repeating: "  _ = 1\n", count: 80) + "}\n"
    #expect(SizeRules.functionLength(source(call)) == [])
  }

  @Test func `names that say nothing are found in types and files`() {
    #expect(NameRules.emptyNames(source("public struct PacketManager {")).count == 1)
    #expect(NameRules.emptyNames(source("let a = 1", path: "Sources/Wire/Utils.swift")).count == 1)
    #expect(NameRules.emptyNames(source("struct Datagram { enum Contexture {} }")) == [])
    #expect(NameRules.emptyNames(source("// class Helper")) == [])
  }

  @Test func `a public declaration without a doc comment is found`() {
    #expect(NameRules.undocumented(source("public struct Bare {}")).count == 1)
    #expect(NameRules.undocumented(source("@frozen public struct Bare {}")).count == 1)
    #expect(NameRules.undocumented(source("/// Said.\n@frozen\npublic struct Told {}")) == [])
    #expect(NameRules.undocumented(source("public import Wire\npublic extension Int {}")) == [])
  }

  @Test(arguments: [
    "let now = Date()", "let clock = ContinuousClock()", "var g = SystemRandomNumberGenerator()",
    "let n = Int.random(in: 1...6)", "list.shuffled()",
  ])
  func `ambient time and chance are found`(code: String) {
    #expect(PurityRules.ambience(source(code)).count == 1)
    #expect(
      PurityRules.ambience(source(code, path: "Sources/PushBenchCommand/Fuzz.swift")) == [])
  }

  @Test func `chance that was passed in is no chance`() {
    #expect(PurityRules.ambience(source("Int.random(in: 1...6, using: &random)")) == [])
    #expect(PurityRules.ambience(source("Int.random(in: 1...6,\n  using: &random)")) == [])
  }

  @Test func `Foundation is found where it may not be`() {
    for statement in ["import Foundation", "public import FoundationEssentials"] {
      #expect(PurityRules.foundation(source(statement)).count == 1)
      #expect(
        PurityRules.foundation(source(statement, path: "Sources/Reporting/Text.swift")) == [])
    }
    #expect(PurityRules.foundation(source("import Timeline")) == [])
  }

  @Test func `spaces in paths and strangers in the root are found`() {
    #expect(NameRules.spaces(inPaths: ["Sources/Wire/Frame Buffers.swift", "a/b"]).count == 1)
    let strangers = NameRules.strangers(inRoot: ["Sources", "notes.txt", ".ci"])
    #expect(strangers.map(\.path) == ["notes.txt"])
  }

  @Test func `folders of one machine and foreign words are found`() {
    #expect(TextRules.paths("a.md", "see /" + "home/me/x").count == 1)
    #expect(TextRules.paths("a.md", "see docs/home and work/x") == [])
    #expect(TextRules.words("a.md", "written by Cla" + "ude").count == 1)
    #expect(TextRules.words("a.md", "an ag" + "ent wrote it").count == 1)
    #expect(TextRules.words("a.md", "User-Ag" + "ent: x; a reagent") == [])
  }

  @Test func `a difference between the package and its map is found`() {
    let manifest = """
      layer("A"), layer("B", ["A"]), .systemLibrary(name: "CPcap", providers: [.apt(["libpcap"])]),
      layer(
        "C",
        ["A", "B"]), .executableTarget(name: "D", dependencies: ["C", parser], swiftSettings: s),
      """
    func document(_ imports: String) -> String {
      "| target | holds | imports |\n|---|---|---|\n| A | x | – |\n| B | x | \(imports) |\n"
        + "| CPcap | x | – |\n| C | x | all above |\n| D | x | C |\n\n| B | x | other |\n"
    }
    let package = ImportTable(manifest: manifest)
    #expect(package.differences(from: ImportTable(document: document("A"))) == [])
    #expect(
      package.differences(from: ImportTable(document: document("A, C"))) == [
        "B: A here, A, C there"
      ])
  }
}
