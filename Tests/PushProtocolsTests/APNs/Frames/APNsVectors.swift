import Testing

@testable import PushProtocols

/// Frames and their bytes, computed by hand from the rules of both framings.
enum APNsVectors {
  static let token = [UInt8](repeating: 0x11, count: 32)
  static let topic = APNsTopic(named: "com.example.app").hash

  /// - Parameter text: `0c 00 …`; `[T]` is the token and `[H]` the topic.
  static func bytes(_ text: String) -> [UInt8] {
    text.split(separator: " ").flatMap { part -> [UInt8] in
      switch part {
      case "[T]": token
      case "[H]": topic
      case _: [UInt8(part, radix: 16)!]
      }
    }
  }

  static func text(_ text: String) -> APNsValue { .text(Array(text.utf8)) }

  struct Vector: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var frame: APNsFrame
    var bytes: [UInt8]

    init(_ name: String, _ frame: APNsFrame, _ bytes: String) {
      testDescription = name
      self.frame = frame
      self.bytes = APNsVectors.bytes(bytes)
    }
  }

  static let serial: [Vector] = [
    Vector("keep-alive, empty", APNsFrame(.keepAlive), "0c 00 00 00 00"),
    Vector("keep-alive answer V1", APNsFrame(.keepAliveResponse), "0d 00 00 00 00"),
    Vector(
      "keep-alive over Wi-Fi, 15 minutes, V2",
      APNsFrame(
        .keepAlive,
        [APNsItem(1, text("WiFi")), APNsItem(5, text("15")), APNsItem(6, text("900"))]),
      "0c 00 00 00 12 01 00 04 57 69 46 69 05 00 02 31 35 06 00 03 39 30 30"),
    Vector(
      "answer V2 status 1, 2000 ms",
      APNsFrame(.keepAliveResponse, [APNsItem(1, .integer(1)), APNsItem(2, .integer(2000))]),
      "0d 00 00 00 0b 01 00 01 01 02 00 04 00 00 07 d0"),
    Vector(
      "SetState 1, longest interval",
      APNsFrame(.setState, [APNsItem(1, .integer(1)), APNsItem(2, .integer(0x7FFF_FFFF))]),
      "14 00 00 00 0b 01 00 01 01 02 00 04 7f ff ff ff"),
    Vector(
      "Connect state 1, flags 0x41",
      APNsFrame(.connect, [APNsItem(2, .integer(1)), APNsItem(5, .integer(0x41))]),
      "07 00 00 00 0b 02 00 01 01 05 00 04 00 00 00 41"),
    Vector(
      "ConnectResponse ok, token, 4096",
      APNsFrame(
        .connectResponse,
        [APNsItem(1, .integer(0)), .stored(3, token), APNsItem(4, .integer(4096))]),
      "08 00 00 00 2c 01 00 01 00 03 00 20 [T] 04 00 02 10 00"),
    Vector(
      "Ack, id 0x01020304",
      APNsFrame(
        .ack,
        [.stored(1, token), APNsItem(4, .integer(0x0102_0304)), APNsItem(8, .integer(0))]),
      "0b 00 00 00 2e 01 00 20 [T] 04 00 04 01 02 03 04 08 00 01 00"),
    Vector(
      "Notification, never expires",
      APNsFrame(
        .notification,
        [
          .stored(1, token), .stored(2, topic), APNsItem(3, .bytes(Array(#"{"a":1}"#.utf8))),
          APNsItem(4, .integer(1)), APNsItem(5, .integer(0xFFFF_FFFF)),
          APNsItem(6, .integer(1_700_000_000_000_000_000)), APNsItem(7, .integer(0)),
        ]),
      """
      0a 00 00 00 61 01 00 20 [T] 02 00 14 [H] 03 00 07 7b 22 61 22 3a 31 7d 04 00 04 00 00 00 01 \
      05 00 04 ff ff ff ff 06 00 08 17 97 9c fe 36 2a 00 00 07 00 01 00
      """),
  ]

  /// In this order through one encoder: the tables go on from frame to frame.
  static let packed: [Vector] = [
    Vector("keep-alive", APNsFrame(.keepAlive), "0c 00"),
    Vector(
      "SetState",
      APNsFrame(.setState, [APNsItem(1, .integer(1)), APNsItem(2, .integer(0x7FFF_FFFF))]),
      "14 08 01 81 02 a3 7f ff ff ff"),
    Vector(
      "Ack that stores its token",
      APNsFrame(
        .ack,
        [.stored(1, token), APNsItem(4, .integer(0x0102_0304)), APNsItem(8, .integer(0))]),
      "0b 2a 41 20 [T] 04 a3 01 02 03 04 08 80"),
    Vector(
      "Ack that refers to it, id -2",
      APNsFrame(
        .ack, [.stored(1, token), APNsItem(4, .integer(-2)), APNsItem(8, .integer(0))]),
      "0b 07 81 00 04 a8 02 08 80"),
    Vector(
      "Connect with a new key", connect, "07 08 02 81 05 a0 41 10 10 89"),
    Vector("Connect that refers to the key", connect, "07 07 02 81 05 a0 41 20 89"),
    Vector(
      "Notification with a packed payload",
      APNsFrame(
        .notification,
        [
          .stored(1, topic), .stored(2, token),
          APNsItem(
            3,
            .dictionary([
              APNsItem(0x61, .integer(1)), APNsItem(0x62, .flag(true)),
              APNsItem(0x63, text("hi")),
            ])),
          APNsItem(4, .integer(5)),
        ]),
      "0a 27 41 14 [H] 82 01 03 c3 10 61 81 10 62 e1 10 63 42 68 69 04 85"),
  ]

  private static let connect = APNsFrame(
    .connect,
    [APNsItem(2, .integer(1)), APNsItem(5, .integer(0x41)), APNsItem(16, .integer(9))])
}

/// What a serial frame looks like when it comes back: serial framing knows bytes only.
extension APNsFrame {
  var withoutTypes: APNsFrame {
    APNsSerialFraming.decode(APNsSerialFraming.encode(self)![...]).frame
  }
}
