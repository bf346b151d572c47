import ArgumentParser
import Foundation
import PushBench

extension InspectCommand {
  /// Standard input is a pipe: a capture that may still be in the making.
  static var inputIsPipe: Bool {
    var status = stat()
    guard unsafe fstat(STDIN_FILENO, &status) == 0 else { return false }
    return status.st_mode & S_IFMT != S_IFREG
  }

  /// Inspects an interface, or standard input, until it ends or somebody stops it.
  func inspectLive() throws {
    let options = try reading.options(isLive: true)
    let keyLogs = KeyLogFollower(reading.keyLogPaths)
    let inspection = LiveInspection(
      options, keepsDeliveries: format == .json,
      patience: Nanoseconds(text: patience) ?? .seconds(5),
      moreSecrets: reading.keyLogPaths.isEmpty ? nil : { keyLogs.takeNew() })
    let view = LiveView(
      inspection, format: format, style: Terminal.style(noColour: noColour),
      isLocal: interface != nil, length: length.flatMap { Nanoseconds(text: $0) },
      writer: try makeWriter())
    let feed = try makeFeed { view.pulse(isIdle: $0) }
    view.feed = feed
    Interruption.listen()
    announce()
    let record: InspectionRecord
    do {
      record = try inspection.run(
        feed, filter: interface == nil ? options.filter : nil, mayBeQuiet: interface != nil,
        showing: write == nil ? nil : { view.keep($0, from: feed.name) },
        until: {
          view.conclude()
          return view.end
        })
    } catch {
      Terminal.writeError("pushbench: \(error). \(error.remedy)\n")
      throw ExitCode(error.exitCode)
    }
    view.flush()
    try report(record, view)
  }

  private func report(_ record: InspectionRecord, _ view: LiveView) throws {
    var worst: Int32 = record.hasViolations ? 1 : 0
    if let failure = view.writeFailure {
      Terminal.writeError("pushbench: \(failure). \(failure.remedy)\n")
      worst = 73
    }
    // Whoever is stopped may be in the middle of a packet.
    if let damage = record.capture.damage, !view.wasStopped {
      Terminal.writeError("pushbench: \(record.capture.path): \(damage).\n")
      worst = max(worst, 65)
    }
    if format == .json {
      InspectionJSON.write([record]) { Terminal.write($0) }
    } else {
      let style = Terminal.style(noColour: noColour)
      Terminal.write((interface == nil ? "" : "\n") + InspectionText.text(record, style: style))
    }
    if worst != 0 { throw ExitCode(worst) }
  }

  private func announce() {
    guard let interface, isatty(STDERR_FILENO) == 1 else { return }
    let until = length.map { "for \($0), or until Ctrl-C" } ?? "until Ctrl-C"
    Terminal.writeError("Listening on \(interface) \(until).\n")
  }

  private func makeWriter() throws -> PcapngWriter? {
    guard let write else { return nil }
    do throws(OutputError) {
      return try PcapngWriter(creating: write)
    } catch {
      Terminal.writeError("pushbench: \(error). \(error.remedy)\n")
      throw ExitCode(73)
    }
  }

  private func makeFeed(_ pulse: @escaping FeedPulse) throws -> any CaptureFeed {
    guard let interface else {
      return PipeFeed(name: "-", descriptor: STDIN_FILENO, pulse: pulse)
    }
    do throws(InterfaceError) {
      return try InterfaceFeed(interface: interface, filter: reading.filter, pulse: pulse)
    } catch {
      if let write { FileOutput.remove(write) }
      Terminal.writeError("pushbench: \(error). \(Self.remedy(error))\n")
      throw ExitCode(error.exitCode)
    }
  }

  private static func remedy(_ error: InterfaceError) -> String {
    switch error {
    case .missing(_, let there):
      return there.isEmpty
        ? "None is there that you may use." : "There are: \(there.joined(separator: ", "))."
    case .notPermitted:
      let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
      let name = own ?? "pushbench"
      return "Grant it once with\n  sudo setcap cap_net_raw,cap_net_admin=eip \(name)\n"
        + "or put sudo in front of the command."
    case .badFilter: return "Use pcap-filter(7) syntax, such as 'tcp port 1883'."
    case .unreadable: return "Look whether the interface is up (ip link)."
    }
  }
}
