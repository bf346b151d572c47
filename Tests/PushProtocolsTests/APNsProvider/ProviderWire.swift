import Custody
import HTTP2
import Timeline
import Wire

@testable import PushProtocols

/// Connections of a provider written by hand, one packet every millisecond, beginning in 2001.
final class ProviderWire {
  private struct Line {
    var connection: ConnectionID
    var description: ConnectionDescription
    var offsets: [UInt64] = [0, 0]
  }

  let observers: CaptureObservers
  private var lines: [String: Line] = [:]
  private(set) var now = Instant(nanoseconds: 1_000_000_000_000_000_000)
  private var frame: UInt32 = 0

  init(serverName: String? = nil, assigned: [UInt16: String] = [:]) {
    observers = CaptureObservers(
      assigned: assigned,
      names: { _, _ in
        serverName.map { CaptureObservers.TLSNames(server: $0, protocols: ["h2"]) }
      })
  }

  /// Seconds since 1970.
  var wall: UInt64 { now.nanoseconds / 1_000_000_000 }

  func wait(_ length: Nanoseconds) { now = now + length }

  private func tell(_ name: String, _ event: ConnectionEvent, _ bytes: [UInt8] = []) {
    frame += 1
    now = now + .milliseconds(1)
    let line = lines[name]!
    unsafe bytes.withUnsafeBytes {
      unsafe observers.receive(
        event, of: line.connection, line.description, bytes: $0,
        at: Moment(time: now, frame: frame))
    }
  }

  // MARK: TCP

  func open(_ name: String, isSecured: Bool = false, handshake: Bool = true, settings: Bool = true)
  {
    let number = UInt32(lines.count)
    lines[name] = Line(
      connection: ConnectionID(number),
      description: ConnectionDescription(
        client: Endpoint(address: [10, 0, 0, 1], port: 50_000 + UInt16(number)),
        server: Endpoint(address: [10, 0, 0, 2], port: 443), clientRule: .synSender))
    tell(name, .began(handshake: handshake))
    tell(name, .established)
    if isSecured { for way in Direction.allCases { tell(name, .secured(way, .decrypted)) } }
    guard handshake else { return }
    client(name, HTTP2Frame.preface + Self.frame(4, 0, 0, []))
    if settings { greet(name) }
  }

  func greet(_ name: String) {
    server(name, Self.frame(4, 0, 0, []) + Self.frame(4, 1, 0, []))
    client(name, Self.frame(4, 1, 0, []))
  }

  func client(_ name: String, _ bytes: [UInt8]) { send(name, .toServer, bytes) }
  func server(_ name: String, _ bytes: [UInt8]) { send(name, .toClient, bytes) }

  private func send(_ name: String, _ direction: Direction, _ bytes: [UInt8]) {
    let index = Int(direction.rawValue)
    let offset = lines[name]!.offsets[index]
    lines[name]!.offsets[index] += UInt64(bytes.count)
    tell(name, .bytes(direction, offset: offset), bytes)
  }

  func acknowledge(_ name: String) {
    tell(name, .acknowledged(.toServer, upTo: lines[name]!.offsets[0]))
  }

  func miss(_ name: String, _ direction: Direction, _ length: UInt64) {
    let offset = lines[name]!.offsets[Int(direction.rawValue)]
    lines[name]!.offsets[Int(direction.rawValue)] += length
    tell(name, .gap(direction, offset: offset, length: length, .notCaptured))
  }

  func close(_ name: String, by direction: Direction = .toServer) {
    tell(name, .finished(direction, offset: lines[name]!.offsets[Int(direction.rawValue)]))
    tell(name, .ended(.closed))
  }

  // MARK: HTTP/2

  static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8]
  {
    let length = [16, 8, 0].map { UInt8(truncatingIfNeeded: payload.count >> $0) }
    return length + [type, flags] + big(stream) + payload
  }

  static func big(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  /// Literal fields that no table keeps (RFC 7541 §6.2.2).
  static func block(_ fields: [(String, String)]) -> [UInt8] {
    func string(_ text: String) -> [UInt8] {
      let count = text.utf8.count
      return
        (count < 127
        ? [UInt8(count)] : [127, UInt8((count - 127) % 128) | 128, UInt8((count - 127) / 128)])
        + text.utf8
    }
    return fields.flatMap { [0] + string($0) + string($1) }
  }

  /// Base64 of a JWT whose signature is `secret`.
  static func token(team: String, issuedAt: UInt64) -> String {
    func encode(_ json: String) -> String {
      let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
      var text = ""
      var rest = Array(json.utf8)[...]
      while !rest.isEmpty {
        let three = rest.prefix(3)
        rest = rest.dropFirst(3)
        let value = (0..<3).reduce(0) {
          $0 << 8 | ($1 < three.count ? Int(three[three.startIndex + $1]) : 0)
        }
        text += (0...three.count).map { String(letters[value >> (18 - 6 * $0) & 63]) }.joined()
      }
      return text
    }
    let head = encode(#"{"alg":"ES256","kid":"KEY"}"#)
    return head + "." + encode(#"{"iss":"\#(team)","iat":\#(issuedAt)}"#) + ".secret"
  }

  func ask(
    _ name: String, _ stream: UInt32, device: String = "0123456789abcdef", id: String = "",
    issuedAt: UInt64? = nil, path: String? = nil, ends: Bool = true, size: Int = 20
  ) {
    var fields = [
      (":method", "POST"), (":path", path ?? "/3/device/\(device)"), ("apns-topic", "com.example"),
      ("authorization", "bearer " + Self.token(team: "TEAM", issuedAt: issuedAt ?? wall)),
    ]
    if !id.isEmpty { fields.append(("apns-id", id)) }
    let body = [UInt8](repeating: UInt8(truncatingIfNeeded: stream), count: size)
    client(
      name, Self.frame(1, 4, stream, Self.block(fields)) + Self.frame(0, ends ? 1 : 0, stream, body)
    )
    acknowledge(name)
  }

  func answer(_ name: String, _ stream: UInt32, _ status: Int, _ body: String = "") {
    let fields = Self.block([(":status", "\(status)"), ("apns-id", "x")])
    server(
      name,
      Self.frame(1, body.isEmpty ? 5 : 4, stream, fields)
        + (body.isEmpty ? [] : Self.frame(0, 1, stream, Array(body.utf8))))
  }

  func goAway(_ name: String, last: UInt32, reason: String = "") {
    let debug = reason.isEmpty ? "" : #"{"reason":"\#(reason)"}"#
    server(name, Self.frame(7, 0, 0, Self.big(last) + Self.big(0) + Array(debug.utf8)))
  }

  // MARK: What was made of it

  private(set) lazy var finished = observers.finish(at: Moment(time: now, frame: 0))
  var observation: CaptureObservation { finished.0 }
  var states: [DeliveryState] { observation.deliveries.map(\.state) }
  var reasons: [String] { observation.deliveries.map(\.reason) }

  /// Labels and verdicts, but for the two that every report has.
  var findings: [String] {
    observation.findings.filter { $0.label != "ACCEPTED" && $0.label != "REFUSED" }
      .map { "\($0.label) \($0.verdict)" }
  }
}
