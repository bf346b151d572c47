public import Capture
public import Custody
public import Inspection
public import Unwrapping
internal import TLS
internal import Wire

/// The streams of one capture, as files.
public struct ExtractedStreams: Sendable {
  public var capture: CaptureRecord
  /// Where the files are.
  public var folder: String
  /// In the order of the connections; the client's stream comes first.
  public var streams: [StreamRecord]
}

/// Writes both byte streams of every connection of a capture as files.
public enum StreamExport {
  /// Memory depends on how many connections there are, not on how much they carry.
  ///
  /// What TCP carried is always written; what was inside of TLS is written beside it where it can
  /// be opened. A gap is filled with zeros, so that offsets in a file are those of its stream; one
  /// of more than 1 MiB is left out.
  /// - Parameter folder: is made; when it is there, it must be empty.
  public static func run(
    _ path: String, _ options: CaptureOptions, to folder: String
  ) throws(ExportError) -> ExtractedStreams {
    do {
      // Before the folder is made: a missing capture leaves nothing behind.
      let file = try CaptureFile(path: path, filter: options.filter, notice: options.notice)
      try makeFolder(folder)
      var reading = try read(file, path, options, folder)
      if reading.needsSecretsFromBehind, path != "-" {
        var options = options
        options.secrets = reading.secrets
        // Whatever is to be noticed was.
        let file = try CaptureFile(path: path, filter: options.filter)
        reading = try read(file, path, options, folder)
      }
      return reading.result
    } catch let error as CaptureError {
      throw .inspection(.capture(error))
    } catch let error as ExportError {
      throw error
    } catch {
      preconditionFailure("\(error) is neither")
    }
  }

  private static func makeFolder(_ path: String) throws(ExportError) {
    do {
      try FileOutput.makeEmptyFolder(path)
    } catch {
      throw .output(error)
    }
  }

  private struct Reading {
    var result: ExtractedStreams
    var secrets: TLSSecrets
    /// Connections stayed closed whose secrets stand further back in the capture.
    var needsSecretsFromBehind: Bool
  }

  private static func read(
    _ file: consuming CaptureFile, _ path: String, _ options: CaptureOptions, _ folder: String
  ) throws(ExportError) -> Reading {
    let files = StreamFiles(folder: folder)
    let wrapped = WrappedConnections(options)
    var options = options
    options.takesOffWebSocket = false
    let clear = ClearStreams(files)
    let unwrapping = UnwrappingSink(options, to: clear, noting: wrapped)
    let summary = file.read(into: WireStreams(files, unwrapping)) { secrets in
      if secrets.isTLSKeyLog { unwrapping.add(keyLog: secrets.bytes) }
    }
    let streams: [StreamRecord]
    do {
      streams = try files.conclude()
    } catch {
      throw .output(error)
    }
    do {
      try CaptureInspection.checkHasTCP(summary, path, options.filter)
    } catch {
      throw .inspection(error)
    }
    let known = unwrapping.secrets
    let closed = wrapped.all.filter { $0.secrecy == .noSecrets }
    return Reading(
      result: ExtractedStreams(
        capture: CaptureRecord(summary, path: path), folder: folder, streams: streams),
      secrets: known,
      needsSecretsFromBehind: closed.contains {
        known.has(clientRandom: $0.tls?.clientRandom ?? [])
      })
  }
}

/// Why nothing, or not all, was written.
public enum ExportError: Error, Hashable, Sendable {
  case inspection(InspectionError)
  case output(OutputError)
  /// What was asked for is not there; `choices` says what is.
  case nothingSelected(String, choices: String)
  /// It has to be read more than once.
  case needsFile

  /// What a command exits with (sysexits.h).
  public var exitCode: Int32 {
    switch self {
    case .inspection(let error): error.exitCode
    case .output: 73
    case .nothingSelected, .needsFile: 64
    }
  }

  /// What a person can do about it, in one sentence.
  public var remedy: String {
    switch self {
    case .inspection(let error): error.remedy
    case .output(let error): error.remedy
    case .nothingSelected(_, let choices): choices
    case .needsFile: "Write it to a file first."
    }
  }
}

extension ExportError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .inspection(let error): error.description
    case .output(let error): error.description
    case .nothingSelected(let problem, _): problem
    case .needsFile: "Standard input can't be read twice, as packets of one session need"
    }
  }
}

/// Takes what TCP carried, and hands everything on to be decrypted.
private final class WireStreams: ConnectionSink {
  private let files: StreamFiles
  private let unwrapping: UnwrappingSink

  init(_ files: StreamFiles, _ unwrapping: UnwrappingSink) {
    self.files = files
    self.unwrapping = unwrapping
  }

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    switch event {
    case .began:
      for direction in Direction.allCases {
        files.begin(connection, direction, .wire, description)
      }
    case .bytes(let direction, _):
      unsafe files.append(bytes, connection, direction, .wire, description)
    case .gap(let direction, _, let length, let kind):
      files.skip(length, kind, connection, direction, .wire, description)
    case .established, .acknowledged, .retransmission, .keepAliveProbe, .windowClosed, .finished,
      .secured, .reset, .ended:
      break
    }
    unsafe unwrapping.receive(event, of: connection, description, bytes: bytes, at: moment)
    // Only now: the end may have told what was still to be decrypted.
    if case .ended = event { files.end(connection, description) }
  }
}

/// Takes what was inside of TLS.
private final class ClearStreams: ConnectionSink {
  private let files: StreamFiles

  init(_ files: StreamFiles) { self.files = files }

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    switch event {
    case .secured(let direction, let secrecy):
      // Before that nothing is decrypted, and `files` passes over streams that it does not know.
      if secrecy == .decrypted { files.begin(connection, direction, .decrypted, description) }
    case .bytes(let direction, _):
      unsafe files.append(bytes, connection, direction, .decrypted, description)
    case .gap(let direction, _, let length, let kind):
      files.skip(length, kind, connection, direction, .decrypted, description)
    case .began, .established, .acknowledged, .retransmission, .keepAliveProbe, .windowClosed,
      .finished, .reset, .ended:
      break
    }
  }
}
