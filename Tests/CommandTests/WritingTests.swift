import Foundation
import Testing

/// Files that are written, and what happens when they can't be.
@Suite struct WritingTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  static let queue = root.appending(path: "captures/mqtt/offline-queue.pcap").path

  static let finding = root.appending(path: "corpus/mqtt/broker-counts-done-on-write.scenario").path

  static let connect: [UInt8] = [0x10, 13, 0, 4] + Array("MQTT".utf8) + [4, 2, 0, 60, 0, 1, 0x61]
  static let connack: [UInt8] = [0x20, 2, 0, 0]
  static func publish(_ id: UInt8, payload: Int = 3) -> [UInt8] {
    let body: [UInt8] =
      [0, 3] + Array("t/x".utf8) + [0, id] + [UInt8](repeating: 7, count: payload)
    var length: [UInt8] = []
    var rest = body.count
    repeat {
      length.append(UInt8(rest % 128) | (rest >= 128 ? 0x80 : 0))
      rest /= 128
    } while rest > 0
    return [0x32] + length + body
  }

  /// A shell, with a limit of its own.
  private func shell(_ script: String, _ arguments: [String]) throws -> Binary {
    try Binary.run(
      ["-c", script, "sh"] + arguments, program: "/bin/bash",
      environment: ["PUSHBENCH": Binary.path, "NO_COLOR": "1"])
  }

  // MARK: No room

  /// 8 KiB for a file; a write beyond that fails instead of ending the program.
  private static let narrow = "trap '' XFSZ; ulimit -f 8; "

  private func longCapture(in folder: String) throws -> String {
    var capture = RawCapture(serverPort: 1883)
    capture.open(40_000)
    capture.send(40_000, toServer: true, Self.connect)
    capture.send(40_000, toServer: false, Self.connack)
    for id in 1...100 as ClosedRange<UInt8> {
      capture.send(40_000, toServer: false, Self.publish(id, payload: 400))
    }
    let path = folder + "/long.pcap"
    try capture.write(to: path)
    return path
  }

  @Test func `half of a file is never left behind, and the file is named`() throws {
    try withTemporaryDirectory { folder in
      let capture = try longCapture(in: folder)
      let asked: [(arguments: [String], name: String)] = [
        (["extract", capture, "--packets", folder + "/p.pcapng", "--session", "1"], "/p.pcapng"),
        (["extract", capture, "--streams", folder + "/s"], ".to-client.bin"),
      ]
      for (arguments, name) in asked {
        let ran = try shell(Self.narrow + "\"$PUSHBENCH\" \"$@\"", arguments)
        #expect(ran.status == 73, "\(arguments): \(ran.errors)")
        #expect(ran.errors.contains(name + ": can't be written: File too large"))
        #expect(ran.output.isEmpty)
      }
      #expect(!FileManager.default.fileExists(atPath: folder + "/p.pcapng"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/s").isEmpty)
    }
  }

  static let mayMount: String? =
    geteuid() != 0
    ? "root" : FileManager.default.isExecutableFile(atPath: "/usr/bin/unshare") ? nil : "unshare"

  /// A disk of 64 KiB, with so much taken already.
  private func onSmallDisk(taken: Int, _ arguments: [String]) throws -> Binary {
    try withTemporaryDirectory { folder in
      try shell(
        """
        disk=$1; shift
        unshare -m bash -c 'mount -t tmpfs -o size=64k none "$0" && cd "$0" &&
          head -c \(taken) /dev/zero >taken; "$PUSHBENCH" "$@"; code=$?; ls -R; exit $code' \
          "$disk" "$@"
        """, [folder] + arguments)
    }
  }

  @Test(.enabled(if: mayMount == nil, "needs \(mayMount ?? "nothing")"))
  func `a full disk is told, and what is told to be written is there`() throws {
    let specimen = ["--server", "mqtt.broker@forgets-in-flight"]
    let fuzz =
      ["fuzz", Self.queue, "--executions", "300", "--format", "json", "--output", "f"] + specimen
    for (taken, arguments) in [
      (57_344, ["extract", Self.queue, "--output", "o"]), (53_248, fuzz),
      (65_536, ["minimize", Self.finding, "--output", "m"]),
    ] {
      let ran = try onSmallDisk(taken: taken, arguments)
      #expect(ran.status == 73, "\(arguments): \(ran.output)\(ran.errors)")
      #expect(ran.errors.contains(": can't be written: No space left on device"))
      // No file is empty or torn: those that are there were written whole.
      #expect(!ran.output.contains(".part") && !ran.output.contains(".dat."))
    }
  }

  @Test func `a report that can't be written is no report`() throws {
    for arguments in [["inspect", Self.queue], ["inspect", Self.queue, "--format", "json"]] {
      let ran = try shell("\"$PUSHBENCH\" \"$@\" >/dev/full", arguments)
      #expect(ran.status == 73)
      #expect(ran.errors.contains("standard output: can't be written: No space left on device"))
    }
  }

  // MARK: Much, and odd

  @Test func `all pieces of fragmented packets come along`() throws {
    try withTemporaryDirectory { folder in
      var capture = RawCapture(serverPort: 1883)
      for port in [40_000, 40_001] as [UInt16] {
        capture.open(port)
        capture.send(port, toServer: true, Self.connect)
        capture.send(port, toServer: false, Self.connack)
      }
      capture.send(40_000, toServer: false, Self.publish(1, payload: 900), pieces: 4)
      capture.send(40_001, toServer: false, Self.publish(2, payload: 900), pieces: 4)
      capture.send(40_000, toServer: false, Self.publish(3, payload: 90), pieces: 3, inOrder: false)
      try capture.write(to: folder + "/whole.pcap")
      let out = folder + "/part.pcapng"
      let ran = try Binary.run(
        ["extract", folder + "/whole.pcap", "--packets", out, "--session", "1", "--format", "json"])
      #expect(ran.status == 0, "\(ran.errors)")
      // A handshake of three, CONNECT, CONNACK, five pieces and three.
      #expect(ran.output.contains("\"packets\": 13"), "\(ran.output)")
      let part = try Binary.run(["inspect", out, "--format", "json"])
      #expect(part.output.components(separatedBy: "\"topic\": \"t/x\"").count == 3)
      let tshark = "/usr/bin/tshark"
      guard FileManager.default.isExecutableFile(atPath: tshark) else { return }
      let seen = try Binary.run(
        ["-r", out, "-Y", "mqtt.msgtype == 3", "-T", "fields", "-e", "mqtt.msgid"],
        program: tshark)
      #expect(seen.output.split(whereSeparator: \.isNewline) == ["1", "3"])
    }
  }

  @Test func `thousands of connections take no more files than one`() throws {
    try withTemporaryDirectory { folder in
      var capture = RawCapture(serverPort: 1883)
      let ports = 20_000..<23_000 as Range<UInt16>
      for port in ports {
        capture.open(port)
        capture.send(port, toServer: true, Self.connect)
      }
      // All of them are open until the end.
      for port in ports { capture.send(port, toServer: false, Self.connack) }
      try capture.write(to: folder + "/many.pcap")
      let ran = try shell(
        "ulimit -n 32; \"$PUSHBENCH\" \"$@\"",
        ["extract", folder + "/many.pcap", "--streams", folder + "/s", "--format", "json"])
      #expect(ran.status == 0, "\(ran.errors)")
      let names = try FileManager.default.contentsOfDirectory(atPath: folder + "/s")
      #expect(names.count == 2 * ports.count)
      let last = try Data(
        contentsOf: URL(
          filePath: folder + "/s/002999-10.0.0.1.22999-10.0.0.2.1883.to-server.bin"))
      #expect(Array(last) == Self.connect)
    }
  }

  // MARK: --as

  @Test func `a port that is said to be MQTT is read as MQTT, and else by its content`() throws {
    try withTemporaryDirectory { folder in
      // One packet in the middle of a connection proves nothing by itself.
      var capture = RawCapture(serverPort: 18_834)
      capture.send(40_000, toServer: false, Self.publish(9))
      try capture.write(to: folder + "/c.pcap")
      let plain = try Binary.run(["inspect", folder + "/c.pcap"])
      #expect(plain.output.contains("was not recognised"))
      let told = try Binary.run(["inspect", folder + "/c.pcap", "--as", "mqtt=18834"])
      #expect(told.output.contains("1 connection, 1 session, 1 subscriber"), "\(told.output)")
    }
  }

  @Test func `a port that is said to be TLS is read as TLS`() throws {
    try withTemporaryDirectory { folder in
      // Application data whose first record was cut: content shows nothing.
      var capture = RawCapture(serverPort: 18_883)
      let record: [UInt8] = [0x17, 3, 3, 0, 60] + [UInt8](repeating: 0x55, count: 60)
      capture.send(40_000, toServer: false, Array(repeating: 0x55, count: 20) + record)
      capture.send(40_000, toServer: true, record)
      try capture.write(to: folder + "/c.pcap")
      let plain = try Binary.run(["inspect", folder + "/c.pcap", "--format", "json"])
      #expect(plain.output.contains("\"connections\": []"), "\(plain.output)")
      let told = try Binary.run(
        ["inspect", folder + "/c.pcap", "--as", "tls=18883", "--format", "json"])
      #expect(
        told.output.contains("\"obstacle\": \"beganMidStream\"")
          || told.output.contains("\"obstacle\": \"malformed\""), "\(told.output)")
      // The same from its beginning, with a key log, on any port.
      let tls = Self.root.appending(path: "captures/mqtt-tls/tls-1.3").path
      let open = try Binary.run(
        ["inspect", tls + ".pcap", "--keylog", tls + ".keylog", "--as", "tls=8883"])
      #expect(open.status == 0 && open.output.contains("3 sessions decrypted"))
    }
  }
}
