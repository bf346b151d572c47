import Foundation
import PushBench

extension ExtractCommand {
  /// Several captures get a folder each. Returns what to exit with.
  func extractStreams(_ options: CaptureOptions, to folder: String) -> Int32 {
    var worst: Int32 = 0
    var taken: Set<String> = []
    var all: [(capture: CaptureRecord, folder: String, streams: [StreamRecord])] = []
    for path in captures {
      let base = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
      let target = captures.count == 1 ? folder : folder + "/" + unique(safe(base), &taken)
      do throws(ExportError) {
        let result = try StreamExport.run(path, options, to: target)
        if let damage = result.capture.damage {
          fail("\(path): \(damage).")
          worst = max(worst, 65)
        }
        if format == .json {
          all.append((result.capture, result.folder, result.streams))
          continue
        }
        let style = Terminal.style(noColour: noColour)
        Terminal.write(
          StreamsText.text(result.capture, result.streams, folder: result.folder, style: style))
      } catch {
        fail("\(error). \(error.remedy)")
        worst = max(worst, error.exitCode)
      }
    }
    if format == .json { Terminal.write(StreamsText.json(all)) }
    return worst
  }

  func extractPackets(_ options: CaptureOptions, to file: String) -> Int32 {
    let selection: PacketExport.Selection
    if let session {
      selection = .session(session)
    } else if let subscriber {
      selection = .subscriber(subscriber)
    } else {
      selection = .finding(finding ?? 0)
    }
    do throws(ExportError) {
      let result = try PacketExport.run(captures[0], options, selection, to: file)
      Terminal.write(format == .json ? Self.json(result) : Self.text(result))
      return 0
    } catch {
      fail("\(error). \(error.remedy)")
      return error.exitCode
    }
  }

  private static func text(_ result: ExtractedPackets) -> String {
    var parts = [
      TerminalNumber.counted(result.packets, "packet"),
      TerminalNumber.counted(result.connections.count, "connection"),
    ]
    if result.secrets > 0 {
      parts.append("secrets of \(TerminalNumber.counted(result.secrets, "TLS connection"))")
    }
    if result.commented > 0 {
      parts.append(TerminalNumber.counted(result.commented, "packet") + " with comments")
    }
    return "\(result.file)   \(parts.joined(separator: ", "))\n"
  }

  private static func json(_ result: ExtractedPackets) -> String {
    PacketsText.json(
      file: result.file, packets: result.packets, connections: result.connections,
      commented: result.commented, secrets: result.secrets)
  }
}
