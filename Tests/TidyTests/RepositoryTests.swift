import Testing

/// The rules of the house, held against this repository's own files.
@Suite struct RepositoryTests {
  private func expectNone(_ complaints: [Complaint]) {
    guard !complaints.isEmpty else { return }
    Issue.record("\(complaints.map(\.description).joined(separator: "\n"))")
  }

  @Test func `the rules see the repository`() throws {
    // Without this, a wrong root would make every rule hold.
    #expect(try Repository.swiftSources("Sources").count > 50)
    #expect(try Repository.paths().contains("Package.swift"))
  }

  @Test func `no source file is too long`() throws {
    for source in try Repository.swiftSources("Sources") {
      expectNone(SizeRules.fileLength(source, limit: SizeRules.longestFile))
      for complaint in SizeRules.fileLength(source, limit: SizeRules.longFile) {
        Issue.record("\(complaint): think about parting it", severity: .warning)
      }
    }
  }

  @Test func `no function is too long`() throws {
    expectNone(try Repository.swiftSources("Sources").flatMap(SizeRules.functionLength))
  }

  @Test func `no line is too wide`() throws {
    expectNone(try Repository.swiftSources("Sources", "Tests").flatMap(SizeRules.lineWidth))
    let scripts = try Repository.paths().filter {
      $0.hasSuffix(".py") || $0.hasSuffix(".sh") || $0.hasPrefix(".ci/")
    }
    #expect(scripts.count > 10)
    for path in scripts {
      let text = try #require(Repository.text(path))
      expectNone(SizeRules.lineWidth(SwiftSource(path: path, text: text)))
    }
  }

  @Test func `no type or file has a name that says nothing`() throws {
    expectNone(try Repository.swiftSources("Sources", "Tests").flatMap(NameRules.emptyNames))
  }

  @Test func `what is public at the top level is documented`() throws {
    expectNone(try Repository.swiftSources("Sources").flatMap(NameRules.undocumented))
  }

  @Test func `nothing takes time or chance from its surroundings`() throws {
    expectNone(try Repository.swiftSources("Sources").flatMap(PurityRules.ambience))
  }

  @Test func `the layers below reporting do without Foundation`() throws {
    expectNone(try Repository.swiftSources("Sources").flatMap(PurityRules.foundation))
  }

  @Test func `paths have no spaces, and the root holds only what belongs there`() throws {
    expectNone(NameRules.spaces(inPaths: try Repository.paths()))
    expectNone(NameRules.strangers(inRoot: try Repository.rootEntries()))
  }

  @Test func `no text names a folder of one machine, or how it was written`() throws {
    for path in try Repository.paths() where path != "LICENSE" {
      guard let text = Repository.text(path) else { continue }
      expectNone(TextRules.paths(path, text))
      expectNone(TextRules.words(path, text))
    }
  }

  @Test func `the package and its map list the same imports`() throws {
    guard let document = Repository.text("docs/ARCHITECTURE.md") else { return }
    let manifest = try #require(Repository.text("Package.swift"))
    let differences = ImportTable(manifest: manifest)
      .differences(from: ImportTable(document: document))
    #expect(differences == [], "Package.swift (here) and docs/ARCHITECTURE.md (there)")
  }
}
