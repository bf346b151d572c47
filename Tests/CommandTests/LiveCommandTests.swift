import Foundation
import Testing

/// Real packets of real programs, in a network namespace that nothing else uses.
///
/// Nothing here looks at how long anything takes: scripts wait for what they wait for, and give up
/// after half a minute.
@Suite(.serialized) struct LiveCommandTests {
  static let missing = Binary.missing(
    toRun: ["unshare", "ip", "mosquitto", "mosquitto_pub", "mosquitto_sub", "tcpdump"])

  static let preamble = """
    PATH=$PATH:/usr/sbin:/sbin
    ip link set lo up || exit 8
    cd "$FOLDER"
    await() {
      for i in $(seq 300); do grep -q "$1" "$2" 2>/dev/null && return 0; sleep 0.1; done
      echo "never: $1 in $2"; cat "$2"; exit 9
    }
    trap 'kill -KILL $(jobs -p) 2>/dev/null' EXIT
    broker() {
      mosquitto -v -p 1883 >broker.log 2>&1 & BROKER=$!
      await running broker.log
    }
    # Until what it listens to is told.
    listening() {
      for i in $(seq 300); do
        grep -q opened live && break
        mosquitto_pub -p 1883 -q 1 -t up -m up; sleep 0.1
      done
    }
    subscribe() {
      mosquitto_sub -p 1883 -i phone -c -q 1 -t 't/#' -k 60 >/dev/null 2>&1 & PHONE=$!
      await 'Sending SUBACK to phone' broker.log
    }
    """

  /// Runs a script in a namespace of its own.
  private func run(_ script: String, in folder: String) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    // Tests run on threads that block signals, and programs inherit that: without the default
    // ones nothing here could be told to end.
    let lab = ["--default-signal", "timeout", "-k", "5", "120", "unshare", "-n"]
    process.arguments = lab + ["bash", "-c", Self.preamble + "\n" + script]
    process.environment = ProcessInfo.processInfo.environment.merging([
      "FOLDER": folder, "PUSHBENCH": Binary.path, "NO_COLOR": "1",
    ]) { $1 }
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: text, as: UTF8.self))
  }

  @Test(.enabled(if: missing == nil, "needs \(missing ?? "nothing")"))
  func `a ghost is told while packets come, and Ctrl-C ends with the report`() throws {
    try withTemporaryDirectory { folder in
      let ran = try run(
        """
        broker
        $PUSHBENCH inspect --interface lo --patience 1s --write kept.pcapng >live 2>&1 & BENCH=$!
        listening
        subscribe
        await 'opened .* phone' live
        kill -STOP $PHONE
        mosquitto_pub -p 1883 -q 1 -t t/x -m doomed
        await 'UNACKNOWLEDGED .* phone .*TCP on its host has it' live
        kill -KILL $BROKER; wait $BROKER
        broker
        kill -KILL $PHONE
        subscribe
        await 'GHOST .* phone' live
        kill -INT $BENCH; wait $BENCH; echo "status $?"
        $PUSHBENCH inspect kept.pcapng; echo "status $?"
        """, in: folder)
      #expect(ran.status == 0)
      #expect(ran.output.split(separator: "\n").filter { $0 == "status 1" }.count == 2)
      let live = try String(contentsOfFile: folder + "/live", encoding: .utf8)
      #expect(live.contains("1 delivery to phone was sent, never acknowledged"))
      #expect(live.hasSuffix(" 1 finding.\n"))
      #expect(ran.output.contains("1 delivery to phone was sent, never acknowledged"))
    }
  }

  @Test(.enabled(if: missing == nil, "needs \(missing ?? "nothing")"))
  func `what tcpdump writes to a pipe is told as it comes, and reported when it ends`() throws {
    try withTemporaryDirectory { folder in
      let ran = try run(
        """
        broker
        mkfifo packets
        $PUSHBENCH inspect - <packets >live 2>&1 & BENCH=$!
        tcpdump -i lo -U -w - tcp port 1883 >packets 2>tcpdump.log & DUMP=$!
        await 'listening on' tcpdump.log
        listening
        subscribe
        await 'opened .* phone' live
        mosquitto_pub -p 1883 -q 1 -t t/x -m hello
        await 'Received PUBACK from phone' broker.log
        kill -TERM $PHONE; await 'closed .* phone' live
        kill -TERM $DUMP; wait $BENCH; echo "status $?"
        """, in: folder)
      #expect(ran.status == 0, "\(ran.output)")
      #expect(ran.output.contains("status 0"))
      let live = try String(contentsOfFile: folder + "/live", encoding: .utf8)
      // First the lines of what happened, then the report.
      let report = try #require(live.range(of: "\n-   "), "\(live)")
      #expect(live[..<report.lowerBound].contains("opened"))
      #expect(live[report.upperBound...].contains("Nothing is wrong."))
      #expect(live.contains(" phone              1           1             1"))
    }
  }

  /// A client in TLS that writes its secrets to a key log as it connects, and acknowledges nothing.
  static let secretClient = """
    import socket, ssl, time
    context = ssl.create_default_context(cafile='cert.pem')
    context.check_hostname = False
    context.keylog_filename = 'keys'
    phone = context.wrap_socket(socket.create_connection(('127.0.0.1', 8883)))
    phone.sendall(b'\\x10\\x11\\0\\4MQTT\\4\\0\\0\\x3c\\0\\5phone')
    phone.recv(4)
    phone.sendall(b'\\x82\\x08\\0\\1\\0\\3t/#\\1')
    while True:
        phone.recv(100)
        time.sleep(0.01)
    """

  static let missingForTLS =
    missing
    ?? ["openssl", "python3"].first {
      !FileManager.default.isExecutableFile(atPath: "/usr/bin/" + $0)
    }

  @Test(.enabled(if: missingForTLS == nil, "needs \(missingForTLS ?? "nothing")"))
  func `secrets that are written while packets come open their connections`() throws {
    try withTemporaryDirectory { folder in
      try Self.secretClient.write(toFile: folder + "/phone.py", atomically: true, encoding: .utf8)
      let ran = try run(
        """
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
          -keyout key.pem -out cert.pem -subj /CN=localhost 2>/dev/null
        cat >broker.conf <<END
        user root
        allow_anonymous true
        listener 1883
        listener 8883
        certfile cert.pem
        keyfile key.pem
        END
        mosquitto -v -c broker.conf >broker.log 2>&1 &
        await running broker.log
        $PUSHBENCH inspect --interface lo --keylog keys --patience 1s >live 2>&1 & BENCH=$!
        listening
        /usr/bin/python3 phone.py &
        await 'opened .* phone' live
        await 'Sending SUBACK to phone' broker.log
        mosquitto_pub -p 1883 -q 1 -t t/x -m hello
        await 'UNACKNOWLEDGED .* phone .*TCP on its host has it' live
        kill -INT $BENCH; wait $BENCH; echo "status $?"
        """, in: folder)
      #expect(ran.status == 0, "\(ran.output)")
      #expect(ran.output.contains("status 0"))
      let live = try String(contentsOfFile: folder + "/live", encoding: .utf8)
      #expect(live.contains("1 session decrypted: TLS 1.3"))
    }
  }

  @Test(.enabled(if: missing == nil, "needs \(missing ?? "nothing")"))
  func `a time that is over ends it, and so does SIGTERM`() throws {
    try withTemporaryDirectory { folder in
      let ran = try run(
        """
        $PUSHBENCH inspect --interface lo --for 50ms; echo "status $?"
        $PUSHBENCH inspect --interface lo >live 2>&1 & BENCH=$!
        for i in $(seq 300); do
          grep -q 'SigCgt:.*[4-7c-f]...$' /proc/$BENCH/status && break; sleep 0.1
        done
        kill -TERM $BENCH; wait $BENCH; echo "status $?"; cat live
        """, in: folder)
      #expect(
        ran.output.split(separator: "\n").filter { $0.hasPrefix("status") }
          == ["status 0", "status 0"])
      #expect(ran.output.components(separatedBy: "No push session was recognised").count == 3)
    }
  }

  @Test(.enabled(if: missing == nil, "needs \(missing ?? "nothing")"))
  func `who has no right is told what grants it, and who errs what there is`() throws {
    try withTemporaryDirectory { folder in
      let ran = try run(
        """
        $PUSHBENCH inspect --interface nonesuch 2>&1; echo "status $?"
        setpriv --bounding-set=-net_raw --inh-caps=-net_raw $PUSHBENCH inspect --interface lo 2>&1
        echo "status $?"
        $PUSHBENCH inspect --interface lo --filter 'tcp prt 1' 2>&1; echo "status $?"
        """, in: folder)
      #expect(ran.output.contains("There is no interface 'nonesuch'. There are: "))
      #expect(ran.output.contains("sudo setcap cap_net_raw,cap_net_admin=eip "))
      #expect(ran.output.contains("filter 'tcp prt 1': "))
      #expect(
        ran.output.split(separator: "\n").filter { $0.hasPrefix("status") }
          == ["status 66", "status 77", "status 64"])
    }
  }

  @Test func `an interface and files are not read together`() throws {
    for arguments in [
      ["inspect"], ["inspect", "--interface", "lo", "a.pcap"],
      ["inspect", "a.pcap", "--for", "5s"],
      ["inspect", "--interface", "lo", "--for", "soon"],
    ] {
      #expect(try Binary.run(arguments).status == 64, "\(arguments)")
    }
  }
}
