import Capture
import Foundation
import TLS
import Unwrapping
import Wire

/// Inputs to begin with, made anew from the recordings in captures/ and corpus/ each time, so that
/// they are never older than the form of a target's input.
public enum FuzzSeeds {
  /// Long enough for what a reader can be in the middle of, short enough to be mutated well.
  private static let longest = 4096

  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  public static func all(for target: FuzzTarget) -> [[UInt8]] {
    switch target {
    case .containers: captures.map { Array($0.prefix(longest)) }
    case .links: captures.compactMap(packets) + LinkSeeds.all
    case .segments: SegmentTarget.seeds
    case .tls: ["tls-1.2.pcapng", "tls-1.3.pcap"].flatMap(secured)
    case .websocket:
      WebSocketSeeds.all
        + talks(
          root.appending(path: "captures/mqtt-websocket/websocket.pcap").path, longest: longest
        )
        .prefix(4).map { [0] + $0 }
    case .mqtt:
      Self.files("captures/mqtt", endingIn: ["pcap", "pcapng"]).flatMap { file in
        talks(file.path, longest: longest).map { [0] + $0 }
      }
    case .http2:
      Self.files("captures/apns", endingIn: ["pcap"]).filter {
        $0.lastPathComponent.hasPrefix("h2-")
      }
      .flatMap { file in decrypted(file).map { [0] + $0 } }
    case .apnsSerial: APNsTargets.serialSeeds
    case .apnsPacked: APNsTargets.packedSeeds
    case .apns:
      Self.files("captures/apns", endingIn: ["pcap"]).filter {
        $0.lastPathComponent.hasPrefix("courier-")
      }
      .flatMap { file in
        talks(file.path, longest: longest).map { [0] + $0 }
      }
    case .scenario: files("corpus/mqtt", endingIn: ["scenario"]).map(bytes)
    }
  }

  /// What was found in the past, by the names of the files.
  public static func findings(for target: FuzzTarget) -> [(name: String, input: [UInt8])] {
    files("Tests/HostileInputTests/Inputs/" + target.rawValue, endingIn: nil)
      .map { ($0.lastPathComponent, bytes($0)) }
  }

  private static func files(_ folder: String, endingIn endings: [String]?) -> [URL] {
    let url = root.appending(path: folder)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    return names.sorted().map { url.appending(path: $0) }
      .filter { endings?.contains($0.pathExtension) ?? !$0.lastPathComponent.hasPrefix(".") }
  }

  private static func bytes(_ file: URL) -> [UInt8] {
    (try? Data(contentsOf: file)).map { Array($0) } ?? []
  }

  private static var captures: [[UInt8]] {
    let names = [
      "any-interface.pcap", "joined-mid-stream.pcap", "one-direction-only.pcapng",
      "ipv6-loopback.pcapng", "server-keep-alive.pcap",
    ]
    return names.map { bytes(root.appending(path: "captures/mqtt/" + $0)) }
  }

  /// The packets of a pcap file as the target `links` takes them.
  private static func packets(_ file: [UInt8]) -> [UInt8]? {
    guard file.count > 24, file[0] == 0xD4 || file[0] == 0x4D else { return nil }
    func number(_ at: Int) -> Int { (0..<4).reduce(0) { $0 | Int(file[at + $1]) << (8 * $1) } }
    guard let index = CaptureTargets.linkTypes.firstIndex(of: UInt32(number(20))) else {
      return nil
    }
    var input = [UInt8(index)]
    var at = 24
    while at + 16 <= file.count, input.count < longest {
      let length = number(at + 8)
      guard at + 16 + length <= file.count else { break }
      input += LinkSeeds.packet(Array(file[(at + 16)...].prefix(min(length, 0x7FF))))
      at += 16 + length
    }
    return input
  }

  private static func talks(_ path: String, longest: Int) -> [[UInt8]] {
    let writer = TalkWriter(longest: longest)
    _ = try? CaptureFile(path: path).read(into: writer)
    return writer.talks.sorted { $0.key < $1.key }.map(\.value)
  }

  /// What is inside of TLS.
  private static func decrypted(_ capture: URL) -> [[UInt8]] {
    var options = CaptureOptions()
    options.secrets.read(
      keyLog: bytes(capture.deletingPathExtension().appendingPathExtension("keylog")))
    let reading = try? UnwrappedCapture.read(capture.path, options) { _ in
      TalkWriter(longest: longest)
    }
    return reading?.sink.talks.sorted { $0.key < $1.key }.map(\.value) ?? []
  }

  /// A key log and the first connections that it opens.
  private static func secured(_ name: String) -> [[UInt8]] {
    let capture = root.appending(path: "captures/mqtt-tls/" + name)
    let log = bytes(capture.deletingPathExtension().appendingPathExtension("keylog"))
    return talks(capture.path, longest: 2 * longest).prefix(2).map { talk in
      [0, UInt8(log.count & 0xFF), UInt8(log.count >> 8)] + log + talk
    }
  }
}

/// A TCP segment behind the headers of many links and tunnels.
enum LinkSeeds {
  static func packet(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8(bytes.count & 0xFF), UInt8(bytes.count >> 8), 0] + bytes
  }

  private static let tcp: [UInt8] = [
    0x9C, 0x40, 0x07, 0x5B, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 1, 0, 0, 0, 0, 0, 0xC0, 0,
  ]

  private static func ipv4(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
    [0x45, 0, 0, UInt8(20 + content.count), 0, 1, 0, 0, 64, number, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
      + content
  }

  private static func ipv6(_ next: UInt8, _ content: [UInt8]) -> [UInt8] {
    let address = [0x20, 1, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11)
    return [0x60, 0, 0, 0, 0, UInt8(content.count), next, 64] + address + [1] + address + [2]
      + content
  }

  private static func udp(_ port: UInt16, _ content: [UInt8]) -> [UInt8] {
    [0xC0, 0, UInt8(port >> 8), UInt8(port & 0xFF), 0, UInt8(8 + content.count), 0, 0] + content
  }

  static let all: [[UInt8]] = {
    let plain = ipv4(6, tcp)
    let macs = [UInt8](repeating: 2, count: 12)
    let frame = macs + [8, 0] + plain
    let eight = Array(tcp.prefix(16))
    var first = ipv4(6, eight)
    first[6] = 0x20  // More fragments.
    var last = ipv4(6, Array(tcp.dropFirst(16)))
    last[7] = 2
    let all: [(UInt8, [[UInt8]])] = [
      (0, [macs + [0x81, 0, 0, 1, 0x88, 0xA8, 0, 2, 8, 0] + plain]),
      (0, [macs + [0x88, 0x47, 0, 1, 1, 64] + plain, macs + [0x88, 0x47, 0, 1, 1, 64] + frame]),
      (0, [macs + [0x88, 0x64, 0x11, 0, 0, 1, 0, UInt8(plain.count + 2), 0, 0x21] + plain]),
      (0, [macs + [8, 0] + ipv4(47, [0x30, 0, 8, 0, 0, 0, 0, 1, 0, 0, 0, 2] + plain)]),
      (0, [macs + [8, 0] + ipv4(17, udp(4789, [8, 0, 0, 0, 0, 0, 1, 0] + frame))]),
      (
        0,
        [macs + [8, 0] + ipv4(17, udp(6081, [1, 0, 0x65, 0x58, 0, 0, 0, 0, 1, 2, 3, 4] + frame))]
      ),
      (
        0,
        [macs + [8, 0] + ipv4(17, udp(2152, [0x34, 255, 0, 60, 0, 0, 0, 1, 0, 0, 0, 0] + plain))]
      ),
      (0, [macs + [8, 0] + ipv4(41, ipv6(0, [6, 0, 0, 0, 0, 0, 0, 0] + tcp))]),
      (0, [macs + [8, 0] + first, macs + [8, 0] + last]),
      (16, [ipv6(44, [6, 0, 0, 1, 0, 0, 0, 9] + eight)]),
      (1, [[2, 0, 0, 0] + plain]), (3, [plain]), (2, [[0xFF, 3, 0, 0x21] + plain]),
      (7, [[0x0F, 0, 8, 0] + plain]),
      (8, [[8, 2] + macs + macs.prefix(10) + [0xAA, 0xAA, 3, 0, 0, 0, 8, 0] + plain]),
      (
        11,
        [
          [0, 0, 8, 0, 0, 0, 0, 0, 8, 2] + macs + macs.prefix(10) + [0xAA, 0xAA, 3, 0, 0, 0, 8, 0]
            + plain
        ]
      ),
      (10, [[0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0, 8, 0] + plain]),
      (19, [[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0] + plain]),
      (17, [[2, 0, 0, 0, 8, 0, 1, 0, 8, 0, 0, 0, UInt8(plain.count + 4), 0, 9, 0] + plain]),
    ]
    return all.map { index, packets in [index] + packets.flatMap(packet) }
  }()
}

/// An upgrade, and MQTT in frames: masked, in fragments, compressed.
enum WebSocketSeeds {
  private static func turn(_ direction: Direction, _ bytes: [UInt8]) -> [UInt8] {
    [direction.rawValue | 5 << 4, UInt8(bytes.count & 0xFF), UInt8(bytes.count >> 8)] + bytes
  }

  private static func opening(_ extensions: String) -> [UInt8] {
    let line = extensions.isEmpty ? "" : "Sec-WebSocket-Extensions: \(extensions)\r\n"
    let request =
      "GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
      + "Sec-WebSocket-Protocol: mqtt\r\n\(line)\r\n"
    let answer =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n"
      + "\(line)\r\n"
    return turn(.toServer, Array(request.utf8)) + turn(.toClient, Array(answer.utf8))
  }

  private static let connect: [UInt8] = [
    0x10, 13, 0, 4, 0x4D, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 1, 0x61,
  ]

  static let all: [[UInt8]] = {
    // A mask of zeros leaves the bytes as they are.
    let masked: [UInt8] = [0x82, 0x8F, 0, 0, 0, 0] + connect
    let parts: [UInt8] = [0x02, 2, 0x20, 2, 0x80, 2, 0, 0]
    let control: [UInt8] = [0x89, 0, 0x8A, 0, 0x88, 2, 3, 0xE8]
    // "Hello", as in RFC 7692 §7.2.3.1.
    let compressed: [UInt8] = [0xC1, 7, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 7, 0]
    let talk = turn(.toServer, masked) + turn(.toClient, parts) + turn(.toClient, control)
    return [
      [0] + opening("") + talk, [3] + talk,
      [0] + opening("permessage-deflate") + turn(.toClient, compressed + compressed) + talk,
    ]
  }()
}
