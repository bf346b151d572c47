import Testing

@testable import TLS

@Suite struct KeyScheduleTests {
  @Test func `TLS 1.3 labels expand as other implementations do`() {
    let secret = [UInt8](0...31)
    func expand(_ label: String, _ count: Int) -> [UInt8] {
      KeySchedule13.expandLabel(secret, label, count: count, hash: .sha256)
    }
    #expect(expand("key", 16) == bytes("9c9783cf77ea32d44f369da41f19f3cc"))
    #expect(
      expand("key", 32)
        == bytes("2ffbc449e87844051c7768f61ffd8ad070830f01ec2c520ef65f08e8296dffa0"))
    #expect(expand("iv", 12) == bytes("2f41c846a431a163814bcd71"))
    #expect(
      KeySchedule13.nextSecret(secret, hash: .sha256)
        == bytes("2cecd0a17506ef5fa73edc062d6e7b5397cf074ec1b4d8f99a120772932f0b45"))
  }

  @Test func `A secret of SHA-384 gives keys and the secret after it`() {
    let secret = bytes(
      """
      d41e06c37f607a9c548e6bde683bd1e1a5efadbec44eb5eda3d21db2e5febf91
      ec654c1bd4dd7958fa839b560875abd7
      """)
    #expect(
      KeySchedule13.trafficKey(secret: secret, hash: .sha384, keyLength: 32)
        == .init(
          key: bytes("ac20c1f42e42853b70c3051d88975754f97709001e3644a0a73ab721bc72b93a"),
          iv: bytes("5868c9d422d35ab23684f1df")))
    #expect(
      KeySchedule13.nextSecret(secret, hash: .sha384)
        == bytes(
          """
          f4c159aff7d087db56e026d7764918654f08032a4857586bb0d5f30571187c01
          130afa72d9a7062ce1e0228bceba240c
          """))
  }

  @Test func `The pseudo-random function of TLS 1.2 expands as other implementations do`() {
    let seed = [UInt8](repeating: UInt8(ascii: "S"), count: 32)
    let rest = [UInt8](repeating: UInt8(ascii: "C"), count: 32)
    let output = KeySchedule12.pseudoRandom(
      [UInt8](0...47), label: "key expansion", seed: seed + rest, count: 40, hash: .sha256,
      version: ProtocolVersion.tls12)
    #expect(
      output
        == bytes(
          """
          59ffecea377561c3fc1b43ea209e383ac5e4ebc3343aedce2dd33fd8a48ce3bc
          64b89d7c61f6b0c7
          """))
  }

  @Test func `A key block is cut into client and server, MAC, key and IV`() {
    let block = KeySchedule12.keyBlock(
      master: bytes(
        """
        d42bf702d68231a65b4cab72eb181c2146e5cff2bd889fe8779484e38859b992
        295e56781fcbefdbc0d5900afd690333
        """),
      clientRandom: bytes("9f0b4c72d81599cd65aba9c2465730e57e41bf716203584e307cd13b59899dda"),
      serverRandom: bytes("4e36b51038a767327a516146da7daef54417215b88ebe05e413f96b3f0c4709f"),
      hash: .sha256, version: ProtocolVersion.tls12, macLength: 0, keyLength: 16, ivLength: 4)
    #expect(block.client.key == bytes("219937a45f034dcd1c9bbc8e82b89dd6"))
    #expect(block.server.key == bytes("74b9e559e2021fad135f5f21ab184269"))
    #expect(block.client.iv == bytes("8c9000e0"))
    #expect(block.server.iv == bytes("945e38d5"))
    #expect(block.client.macKey.isEmpty)
  }
}
