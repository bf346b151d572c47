import Custody
import TLS
import Unwrapping
import WebSocket
import Wire

extension ConnectionRecord {
  /// What was around a connection, for a report.
  init(_ wrapped: WrappedConnection) {
    self.init(
      connection: wrapped.id.index, client: wrapped.description.client.description,
      server: wrapped.description.server.description)
    webSocket = wrapped.webSocket.map(WebSocketLayerRecord.init)
    guard let facts = wrapped.tls else { return }
    tls = TLSLayerRecord(facts)
    let reasons = [facts.reason(.toServer), facts.reason(.toClient)].compactMap { $0 }
    guard let first = reasons.first else { return }
    problem = first
    if reasons.count == 2, reasons[1] != first { problem += "; from the server, \(reasons[1])" }
    if reasons.count == 1 {
      let isClient = facts.reason(.toServer) != nil
      problem = (isClient ? "from the client, " : "from the server, ") + first
    }
    obstacle = wrapped.secrecy?.rawValue ?? ""
    if let spoken = SpokenProtocol(facts) {
      speaks = spoken.name
      recognisedBy = spoken.reason
    }
    hint = wrapped.secrecy?.hint ?? ""
  }
}

extension TLSLayerRecord {
  init(_ facts: TLSFacts) {
    self.init()
    version = facts.version
    suite = facts.suite
    serverName = facts.serverName
    offeredProtocols = facts.offeredProtocols
    chosenProtocol = facts.chosenProtocol
    isResumed = facts.isResumed
    toServer = Flow(facts, .toServer)
    toClient = Flow(facts, .toClient)
  }
}

extension TLSLayerRecord.Flow {
  init(_ facts: TLSFacts, _ direction: Direction) {
    self.init()
    isReadable = facts.reason(direction) == nil
    records = facts[direction].records
    applicationRecords = facts[direction].applicationRecords
    applicationBytes = facts[direction].applicationBytes
  }
}

extension WebSocketLayerRecord {
  init(_ facts: WebSocketFacts) {
    self.init()
    path = facts.path
    offeredProtocols = facts.offeredProtocols
    chosenProtocol = facts.chosenProtocol
    isCompressed = facts.isCompressed
    toServer = Flow(facts.toServer)
    toClient = Flow(facts.toClient)
  }
}

extension WebSocketLayerRecord.Flow {
  init(_ flow: WebSocketFacts.Flow) {
    self.init()
    text = flow.text
    binary = flow.binary
    continuation = flow.continuation
    ping = flow.ping
    pong = flow.pong
    close = flow.close
    bytes = flow.bytes
    closeCode = flow.closeCode
  }
}

extension Secrecy {
  /// What a person can do so that the next look shows more.
  var hint: String {
    switch self {
    case .decrypted: ""
    case .noSecrets:
      "Give the key log of the client or the server with --keylog: programs write one where "
        + "SSLKEYLOGFILE says, if they are built for it."
    case .beganMidStream:
      "Capture from before the client connects: the keys depend on the TLS handshake."
    case .suiteNotSupported:
      "For a test, let the server offer TLS 1.3, or TLS 1.2 with AES or ChaCha20."
    case .versionNotSupported: "For a test, let the server offer TLS 1.2 or TLS 1.3."
    case .bytesMissing:
      "Capture whole packets without loss: a larger buffer (-B), no snap length (-s 0)."
    case .authenticationFailed:
      "Look whether the key log is of this very run: the secrets are for another connection."
    case .malformed:
      "If it is no TLS at all, say what it is with --as, such as --as mqtt=18834."
    }
  }
}
