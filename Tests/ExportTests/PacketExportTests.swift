import Capture
import Custody
import Inspection
import TLS
import Testing
import Unwrapping

@testable import Export

@Suite struct PacketExportTests {
  private let capture = Scratch.captures + "/mqtt/stopped-then-killed.pcap"

  @Test func `one session comes out as it was, and nothing else`() throws {
    let scratch = try Scratch()
    let output = scratch.path + "/one.pcapng"
    let result = try PacketExport.run(capture, CaptureOptions(), .session(1), to: output)
    let whole = try CaptureInspection.inspect(capture)
    let part = try CaptureInspection.inspect(output)
    #expect(part.capture.packets == result.packets)
    #expect(part.capture.connections == 1)
    #expect(part.observation.sessions.count == 1)
    let session = try #require(part.observation.sessions.first)
    let original = whole.observation.sessions[0]
    #expect(session.subscriber == original.subscriber)
    #expect(session.sent == original.sent && session.end == original.end)
    // To the nanosecond.
    #expect(session.began.time == original.began.time)
    #expect(session.ended.time == original.ended.time)
  }

  @Test func `all sessions of a subscriber tell the same story`() throws {
    let scratch = try Scratch()
    let output = scratch.path + "/gk.pcapng"
    let result = try PacketExport.run(capture, CaptureOptions(), .subscriber("gk"), to: output)
    #expect(result.connections == [0, 9])
    let part = try CaptureInspection.inspect(output)
    let recovered = try #require(part.observation.findings.first { $0.label == "RECOVERED" })
    #expect(recovered.deliveries.count == 4)
  }

  @Test func `packets that prove a finding say so, and other comments stay`() throws {
    let scratch = try Scratch()
    let whole = try CaptureInspection.inspect(capture)
    let finding = try #require(whole.observation.findings.first)
    let once = scratch.path + "/once.pcapng"
    let result = try PacketExport.run(capture, CaptureOptions(), .finding(1), to: once)
    #expect(result.commented == UInt64(finding.frames.count))
    let summary = try CaptureFile(path: once).read(into: Deafness())
    #expect(summary.comments.count == finding.frames.count)
    #expect(summary.comments.first?.text.contains(finding.headline) == true)
    let twice = scratch.path + "/twice.pcapng"
    _ = try PacketExport.run(once, CaptureOptions(), .session(1), to: twice)
    let again = try CaptureFile(path: twice).read(into: Deafness())
    #expect(again.comments.contains { $0.text.contains(finding.headline) })
  }

  @Test func `only the secrets that are needed come along, and open it`() throws {
    let name = "tls-1.3-stopped-then-killed"
    var options = CaptureOptions()
    options.secrets.read(keyLog: Scratch.keyLog(name))
    let scratch = try Scratch()
    let output = scratch.path + "/tls.pcapng"
    let source = Scratch.captures + "/mqtt-tls/\(name).pcapng"
    let result = try PacketExport.run(source, options, .subscriber("tl"), to: output)
    #expect(result.secrets == 2)
    let part = try CaptureInspection.inspect(output)
    #expect(part.observation.sessions.count == 2)
    #expect(part.observation.sessions.allSatisfy { $0.tls?.isReadable == true })
    var carried = TLSSecrets()
    let summary = try CaptureFile(path: output).read(into: Deafness())
    for secrets in summary.secrets { carried.read(keyLog: secrets.bytes) }
    #expect(carried.count == 2)
    #expect(options.secrets.count > 2)
  }

  @Test(arguments: [
    (PacketExport.Selection.session(99), "1 (gk)"), (.subscriber("nobody"), "gk"),
    (.finding(7), "1 (RECOVERED"),
  ])
  func `what is not there is answered with what is`(
    selection: PacketExport.Selection, choices: String
  ) throws {
    let scratch = try Scratch()
    let output = scratch.path + "/x.pcapng"
    let error = #expect(throws: ExportError.self) {
      try PacketExport.run(capture, CaptureOptions(), selection, to: output)
    }
    #expect(error?.remedy.contains(choices) == true)
    #expect(try scratch.names(in: "") == [])
  }

  @Test func `a file that is there stays as it is`() throws {
    let scratch = try Scratch()
    let output = scratch.path + "/one.pcapng"
    _ = try PacketExport.run(capture, CaptureOptions(), .session(1), to: output)
    let before = scratch.contents("one.pcapng")
    let error = #expect(throws: ExportError.self) {
      try PacketExport.run(capture, CaptureOptions(), .session(2), to: output)
    }
    #expect(error?.exitCode == 73)
    #expect(scratch.contents("one.pcapng") == before)
  }

  @Test func `a set of frames has what was put into it`() {
    var frames = FrameSet()
    for frame: UInt32 in [0, 63, 64, 1000] { frames.insert(frame) }
    #expect((0..<2000).filter { frames.contains($0) } == [0, 63, 64, 1000])
  }
}
