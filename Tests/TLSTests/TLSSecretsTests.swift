import Testing
import Wire

@testable import TLS

@Suite struct TLSSecretsTests {
  private let random = String(repeating: "ab", count: 32)
  private var master: String { String(repeating: "0F", count: 48) }

  private func secrets(_ log: String) -> (TLSSecrets, [TLSSecrets.Warning]) {
    var secrets = TLSSecrets()
    let warnings = secrets.read(keyLog: log.utf8)
    return (secrets, warnings)
  }

  @Test(arguments: ["\n", "\r\n", "\r"])
  func `Comments and empty lines are passed over, whatever ends lines`(_ end: String) {
    let lines = ["# a comment", "", "CLIENT_RANDOM \(random) \(master)", "EXPORTER_SECRET x y", ""]
    let log = lines.joined(separator: end)
    let (secrets, warnings) = secrets(log)
    #expect(warnings.isEmpty)
    #expect(secrets.count == 1)
    let key = ClientRandom([UInt8](repeating: 0xab, count: 32))
    #expect(
      key.flatMap(secrets.secrets)?[.master] == [UInt8](repeating: 0x0f, count: 48))
  }

  @Test func `Broken lines are named by their number, and the others are used`() {
    let (secrets, warnings) = secrets(
      """
      CLIENT_RANDOM \(random)
      CLIENT_RANDOM \(random) 0f0f
      CLIENT_RANDOM zz \(master)
      NONSENSE \(random) \(master)

      CLIENT_TRAFFIC_SECRET_0 \(random) \(String(repeating: "11", count: 32))

      """)
    #expect(warnings.map(\.line) == [1, 2, 3, 4])
    #expect(warnings.last?.problem == "unknown label NONSENSE")
    #expect(secrets.count == 1)
  }

  @Test func `A last line that somebody is still writing is no reason for a warning`() {
    let (secrets, warnings) = secrets("CLIENT_RANDOM \(random) 0f0f0f")
    #expect(warnings.isEmpty)
    #expect(secrets.isEmpty)
  }

  @Test func `Any bytes are survived`() {
    var random = SplitMix(state: 1)
    for _ in 0..<200 {
      var secrets = TLSSecrets()
      secrets.read(keyLog: (0..<300).map { _ in UInt8(truncatingIfNeeded: random.next()) })
      #expect(secrets.isEmpty)
    }
  }
}

@Suite struct DecryptionSecretsBlockTests {
  private let log = Array("CLIENT_RANDOM x y\n".utf8)

  private func number(_ value: Int, _ littleEndian: Bool) -> [UInt8] {
    let bytes = Talk.number(value, 4)
    return littleEndian ? bytes.reversed() : bytes
  }

  private func block(
    _ type: Int, _ body: [UInt8], littleEndian: Bool
  ) -> [UInt8] {
    let padded = body + [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
    let length = number(padded.count + 12, littleEndian)
    return number(type, littleEndian) + length + padded + length
  }

  private func secretsBlock(_ littleEndian: Bool, kind: Int = 0x544c_534b) -> [UInt8] {
    block(
      10, number(kind, littleEndian) + number(log.count, littleEndian) + log,
      littleEndian: littleEndian)
  }

  private func file(_ littleEndian: Bool) -> [UInt8] {
    let magic = number(0x1a2b_3c4d, littleEndian)
    let section = magic + [1, 0, 0, 0] + [UInt8](repeating: 0xff, count: 8)
    return block(0x0a0d_0d0a, section, littleEndian: littleEndian)
      + block(1, [1, 0, 0, 0, 0, 0, 0, 0], littleEndian: littleEndian)
      + secretsBlock(littleEndian)
      + block(6, [UInt8](repeating: 0, count: 40), littleEndian: littleEndian)
      + secretsBlock(littleEndian, kind: 0x5747_4b4c)
  }

  private func keyLogs(_ file: [UInt8]) -> [[UInt8]] {
    DecryptionSecretsBlock.keyLogs { offset, count in
      Array(file.dropFirst(Int(offset)).prefix(count))
    }
  }

  @Test(arguments: [false, true])
  func `The key log of a file is found, in either byte order`(_ littleEndian: Bool) {
    #expect(keyLogs(file(littleEndian)) == [log])
  }

  @Test func `A block gives its key log, and one of another kind none`() throws {
    #expect(
      try DecryptionSecretsBlock.keyLog(in: secretsBlock(true), littleEndian: true) == log)
    let other = secretsBlock(true, kind: 0x5747_4b4c)
    #expect(try DecryptionSecretsBlock.keyLog(in: other, littleEndian: true) == nil)
  }

  @Test func `A block whose secrets reach beyond it is refused`() {
    var block = secretsBlock(true)
    block[12] = 200
    #expect(throws: DecodeError.self) {
      try DecryptionSecretsBlock.keyLog(in: block, littleEndian: true)
    }
  }

  @Test func `A file that is cut anywhere ends the search`() {
    let whole = file(true)
    for count in whole.indices { #expect(keyLogs(Array(whole.prefix(count))).count <= 1) }
    #expect(keyLogs(Array("no capture at all".utf8)).isEmpty)
  }
}
