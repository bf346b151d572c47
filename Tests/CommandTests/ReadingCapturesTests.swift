import Foundation
import Testing

/// How every command is told to read captures.
@Suite struct ReadingCapturesTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  static let capture = root.appending(path: "captures/mqtt-tls/tls-1.3.pcap").path
  static let keyLog = root.appending(path: "captures/mqtt-tls/tls-1.3.keylog").path

  @Test(arguments: ["inspect", "replay", "extract", "fuzz", "minimize", "run"])
  func `a port that is none is wrong usage`(_ command: String) throws {
    for text in ["mqtt", "mqtt=0", "mqtt=99999", "coap=5683", "=1883"] {
      let ran = try Binary.run([command, Self.capture, "--as", text])
      #expect(ran.status == 64, "\(text)")
      #expect(ran.errors.contains("Error: "))
    }
  }

  @Test func `a key log that is not there is said before anything is read`() throws {
    for command in ["inspect", "replay", "fuzz", "minimize"] {
      let ran = try Binary.run([command, Self.capture, "--keylog", "/nowhere/keys"])
      #expect(ran.status == 66)
      #expect(ran.errors.contains("/nowhere/keys: there is no such file"))
      #expect(ran.output.isEmpty)
    }
  }

  @Test func `a file that is no key log is named, and not quoted`() throws {
    let ran = try Binary.run(["inspect", Self.capture, "--keylog", Self.capture])
    #expect(ran.errors.contains("has no secrets"))
    let closed = try Binary.run(["inspect", Self.capture])
    #expect(ran.output == closed.output && ran.status == closed.status)
  }

  @Test func `secrets come from the option or from the environment`() throws {
    let option = try Binary.run(["inspect", Self.capture, "--keylog", Self.keyLog])
    let environment = try Binary.run(
      ["inspect", Self.capture], environment: ["SSLKEYLOGFILE": Self.keyLog])
    #expect(option.status == 0 && option.errors.isEmpty)
    #expect(option.output.contains("3 sessions decrypted: TLS 1.3"))
    #expect(option.output == environment.output)
  }

  @Test func `without secrets nothing can be replayed, and that is why`() throws {
    let closed = try Binary.run(["replay", Self.capture])
    #expect(closed.status == 65)
    #expect(closed.errors.contains("3 of its connections are encrypted"))
    #expect(closed.errors.contains("--keylog"))
    let open = try Binary.run(["replay", Self.capture, "--keylog", Self.keyLog])
    #expect(open.output.contains("FAITHFUL"))
  }

  @Test func `streams are written as they were, and as what was inside`() throws {
    try withTemporaryDirectory { folder in
      let ran = try Binary.run(
        ["extract", Self.capture, "--keylog", Self.keyLog, "--streams", folder])
      #expect(ran.status == 0, "\(ran.errors)")
      let names = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(names.count == 12)
      func bytes(_ end: String) throws -> Data {
        let name = names.first { $0.hasPrefix("000000-") && $0.hasSuffix(end) }
        return try Data(contentsOf: URL(filePath: folder + "/" + (name ?? "none")))
      }
      let outside = try bytes(".to-server.bin")
      #expect(outside.starts(with: [0x16, 0x03]))
      let inside = try bytes(".to-server.decrypted.bin")
      #expect(inside.first == 0x10)
      #expect(inside.count < outside.count)
      // A command that has nowhere to write to is wrong usage.
      let aimless = try Binary.run(["extract", Self.capture])
      #expect(aimless.status == 64)
    }
  }
}
