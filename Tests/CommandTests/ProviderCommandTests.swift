import Foundation
import Testing

/// HTTP/2 of real programs (nghttp2), in a network namespace that nothing else uses.
///
/// They know nothing of APNs; their requests are for its paths: that is how they are recognised.
@Suite struct ProviderCommandTests {
  static let missing = Binary.missing(
    toRun: ["unshare", "ip", "nghttp", "nghttpd", "h2load", "tcpdump"])

  private static let script = """
    PATH=$PATH:/usr/sbin:/sbin
    ip link set lo up || exit 8
    cd "$FOLDER"
    trap 'kill -KILL $(jobs -p) 2>/dev/null' EXIT
    mkdir -p www/3/device; echo '{}' >www/3/device/0123456789abcdef; echo '{"aps":{}}' >body
    nghttpd --no-tls -v -d www 8443 >server.log 2>&1 &
    for i in $(seq 300); do
      nghttp -n http://127.0.0.1:8443/ >/dev/null 2>&1 && break; sleep 0.1
    done
    tcpdump -i lo --immediate-mode -s 4096 -B 16384 -U -w h2.pcap 'tcp port 8443' \\
      >tcpdump.out 2>tcpdump.log &
    TCPDUMP=$!
    for i in $(seq 300); do grep -q listening tcpdump.log && break; sleep 0.1; done
    from=http://127.0.0.1:8443/3/device
    nghttp -n -H ':method: POST' -d body -H 'apns-topic: com.example' \\
      $from/0123456789abcdef $from/ffff >client.log 2>&1 || exit 7
    h2load -n 20 -c 2 -m 5 -d body -H 'apns-topic: com.example' \\
      $from/0123456789abcdef >load.log 2>&1 || exit 6
    # Until the last connection has ended in the capture.
    for i in $(seq 100); do
      [ "$(tcpdump -r h2.pcap 'tcp[tcpflags] & tcp-fin != 0' 2>/dev/null | wc -l)" -ge 6 ] && break
      sleep 0.1
    done
    kill -INT $TCPDUMP; wait $TCPDUMP
    """

  @Test(.enabled(if: missing == nil, "needs \(missing ?? "nothing")"))
  func `requests of nghttp and h2load to nghttpd are all answered`() throws {
    try withTemporaryDirectory { folder in
      let ran = try Binary.run(
        [
          "--default-signal", "timeout", "-k", "5", "120", "unshare", "-n", "bash", "-c",
          Self.script,
        ],
        program: "/usr/bin/env", environment: ["FOLDER": folder])
      #expect(ran.status == 0, "\(ran.output)\(ran.errors)")
      let report = try Binary.run(["inspect", "--format", "json", folder + "/h2.pcap"])
      #expect(report.status == 0, "\(report.errors)")
      let document = try #require(
        try JSONSerialization.jsonObject(with: Data(report.output.utf8)) as? [String: Any])
      let sessions = try #require(document["sessions"] as? [[String: Any]])
      #expect(sessions.count == 3)
      let sums = ["submitted", "accepted", "rejected"].map { name in
        sessions.reduce(0) { $0 + ($1[name] as? Int ?? 0) }
      }
      #expect(sums == [22, 21, 1])
      for session in sessions {
        #expect(session["protocol"] as? String == "apns-provider")
        #expect(session["evidenceMissing"] as? String == "")
        let messages = try #require(session["messages"] as? [String: [String: Int]])
        #expect(messages["HEADERS"]?["toServer"] == messages["HEADERS"]?["toClient"])
        #expect(messages["GOAWAY"]?["toServer"] == 1)
      }
    }
  }
}
