import Wire
import Testing

/// The examples of FIPS 180-4 and its appendices, and the lengths at which padding needs a block.
@Suite struct SHA256SumTests {
  private func hash(_ text: String) -> String {
    var hash = SHA256Sum()
    hash.update(text.utf8)
    return hash.finish()
  }

  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      String(repeating: "a", count: 64),
      "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"
    ),
  ])
  func `known texts have their known hashes`(text: String, expected: String) {
    #expect(hash(text) == expected)
  }

  @Test func `it makes no difference how the bytes are cut`() {
    let text = String(repeating: "pushbench ", count: 20)
    var pieces = SHA256Sum()
    for byte in text.utf8 { pieces.update(CollectionOfOne(byte)) }
    #expect(pieces.finish() == hash(text))
  }
}
