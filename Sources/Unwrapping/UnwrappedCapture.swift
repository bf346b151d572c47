public import Capture
public import TLS
public import Wire

/// Reads captures with all that is around their protocols taken off.
public enum UnwrappedCapture {
  /// What one reading led to.
  public struct Reading<Sink: ConnectionSink> {
    public var sink: Sink
    public var summary: CaptureSummary
    public var wrapped: WrappedConnections
    /// What opens TLS, that which came with the capture included.
    public var secrets: TLSSecrets
  }

  /// - Parameter makeSink: makes the sink that is told of the connections. It is made again when
  ///   secrets stand behind the packets that need them, or the file is cut while it is read, and
  ///   the capture has to be read twice.
  public static func read<Sink: ConnectionSink>(
    _ path: String, _ options: CaptureOptions, into makeSink: (WrappedConnections) -> Sink
  ) throws(CaptureError) -> Reading<Sink> {
    let (first, secrets) = try readUncut(path, options, into: makeSink)
    let wasLate = first.wrapped.all.contains {
      $0.secrecy == .noSecrets && secrets.has(clientRandom: $0.tls?.clientRandom ?? [])
    }
    guard wasLate, path != "-" else { return first }
    var options = options
    options.secrets = secrets
    // Whatever is to be noticed was.
    options.notice = nil
    return try readUncut(path, options, into: makeSink).0
  }

  /// Reads a file where it lies in memory; one that is cut meanwhile, such as the oldest of a ring
  /// that is written on, once more and byte by byte.
  private static func readUncut<Sink: ConnectionSink>(
    _ path: String, _ options: CaptureOptions, into makeSink: (WrappedConnections) -> Sink
  ) throws(CaptureError) -> (Reading<Sink>, TLSSecrets) {
    let file = try CaptureFile(
      // What was read of standard input before is not ours.
      path: path, filter: options.filter, isMapped: path != "-", notice: options.notice)
    let reading = read(file, options, into: makeSink)
    guard reading.0.summary.wasCut else { return reading }
    return read(try CaptureFile(path: path, filter: options.filter), options, into: makeSink)
  }

  private static func read<Sink: ConnectionSink>(
    _ file: consuming CaptureFile, _ options: CaptureOptions,
    into makeSink: (WrappedConnections) -> Sink
  ) -> (Reading<Sink>, TLSSecrets) {
    let wrapped = WrappedConnections(options)
    let sink = makeSink(wrapped)
    let unwrapping = UnwrappingSink(options, to: sink, noting: wrapped)
    let relay = ConnectionRelay.isWorthwhile ? ConnectionRelay(to: unwrapping) : nil
    let summary = file.read(into: relay ?? unwrapping) { secrets in
      // The only kind that opens TLS.
      guard secrets.kind == 0x544c_534b else { return }
      // Packets before the block are read without it, whichever thread is how far.
      relay?.drain()
      unwrapping.add(keyLog: secrets.bytes)
    }
    relay?.finish()
    let known = unwrapping.secrets
    return (Reading(sink: sink, summary: summary, wrapped: wrapped, secrets: known), known)
  }
}
