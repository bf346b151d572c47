import Wire

/// Where the events of one connection go.
struct EventOutlet {
  // Outlets are copied for every packet; the reassembler that has them all keeps the sink.
  private unowned(unsafe) let sink: any ConnectionSink
  let connection: ConnectionID
  let description: ConnectionDescription

  init(sink: any ConnectionSink, connection: ConnectionID, description: ConnectionDescription) {
    unsafe self.sink = sink
    self.connection = connection
    self.description = description
  }

  func send(_ event: ConnectionEvent, at moment: Moment) {
    unsafe sink.receive(
      event, of: connection, description, bytes: UnsafeRawBufferPointer(start: nil, count: 0),
      at: moment)
  }

  func send(_ bytes: RawSpan, _ direction: Direction, offset: Int64, at moment: Moment) {
    unsafe bytes.withUnsafeBytes { borrowed in
      unsafe sink.receive(
        .bytes(direction, offset: UInt64(offset)), of: connection, description, bytes: borrowed,
        at: moment)
    }
  }
}

/// What the connections of a capture share: limits, warnings, memory in use.
struct Bookkeeping {
  var limits: CaptureLimits
  var warnings = WarningLog()
  /// Out-of-order bytes held back by all connections, with what holding them costs.
  var bufferedBytes = 0
}
