/// Made with the CCM of OpenSSL: key, nonce and additional data as in the test.
enum CCMVectors {
  static let sealed: [(tagLength: Int, text: String)] = [
    (16, "3d3cef188df7830d987b22e465f5b67fb14adc630ab5ac0b842b2f2b449cd833aa9335a59537ef"),
    (8, "3d3cef188df7830d987b22e465f5b67fb14adc630ab5ac70af75d4d508c250"),
  ]
}
