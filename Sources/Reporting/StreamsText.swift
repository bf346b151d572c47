public import Custody

/// The streams that were taken out of captures, as a table or as JSON.
public enum StreamsText {
  /// Gaps that are listed below the table; the rest is in the JSON.
  private static let gapLimit = 20

  /// One row for each stream, wide enough for its hash whatever the terminal: it is meant to be
  /// compared. Ends with a newline.
  public static func text(
    _ capture: CaptureRecord, _ streams: [StreamRecord], folder: String,
    style: TerminalStyle = .plain
  ) -> String {
    let written = streams.filter { $0.file != nil }
    var lines = [
      style.paint(capture.path, .heading) + "   "
        + [
          TerminalNumber.counted(capture.packets, "packet"),
          TerminalNumber.counted(capture.connections, "connection"),
          TerminalNumber.counted(written.count, "file") + " in \(folder)",
        ].joined(separator: ", "), "",
    ]
    var table = TerminalTable([
      .init("bytes", .right), .init("gaps", .right), .init("missing", .right), .init("sha256"),
      .init("file"),
    ])
    for stream in written {
      let ink: TerminalStyle.Ink? = stream.gapCount == 0 ? nil : .doubtful
      table.append([
        .init(stream.bytes), .init(stream.gapCount, ink), .init(stream.missingBytes, ink),
        .init(stream.sha256), .init(stream.file ?? ""),
      ])
    }
    if !written.isEmpty { lines += table.lines(style) }
    lines += gaps(written)
    let empty = streams.count - written.count
    if empty > 0 {
      lines.append("")
      lines.append(
        style.paint(
          " \(TerminalNumber.counted(empty, "stream")) carried nothing: no file.", .faint))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func gaps(_ streams: [StreamRecord]) -> [String] {
    var lines: [String] = []
    var left: UInt64 = 0
    for stream in streams {
      for gap in stream.gaps where lines.count < gapLimit {
        let place = gap.isFilled ? "zeros instead of" : "left out:"
        lines.append(
          " \(stream.file ?? "") at \(TerminalNumber.grouped(gap.offset)): \(place) "
            + "\(TerminalNumber.counted(gap.length, "byte")) (\(words(gap.kind)))")
        left &-= 1
      }
      left &+= stream.gapCount
    }
    if left > 0 { lines.append(" … and \(TerminalNumber.counted(left, "gap")) more") }
    return lines.isEmpty ? [] : [""] + lines
  }

  private static func words(_ kind: String) -> String {
    switch kind {
    case "notCaptured": "acknowledged, so not captured"
    case "lostOnTheWire": "never acknowledged, so lost on the wire"
    case "encrypted": "not decrypted"
    case "givenUp": "given up, because too much waited to be complete"
    default: "the capture can't tell why"
    }
  }

  /// One document for all captures, with the names that `docs/extract.md` explains.
  public static func json(
    _ captures: [(capture: CaptureRecord, folder: String, streams: [StreamRecord])]
  ) -> String {
    JSONText.write(
      .object([
        ("version", .integer(1)),
        (
          "captures",
          .array(
            captures.enumerated().map { index, one in
              .object([
                ("capture", .integer(Int64(index))), ("file", .string(one.capture.path)),
                ("folder", .string(one.folder)), ("packets", .unsigned(one.capture.packets)),
                ("connections", .unsigned(UInt64(one.capture.connections))),
                ("damage", .optional(one.capture.damage)),
              ])
            })
        ),
        (
          "streams",
          .array(
            captures.enumerated().flatMap { index, one in one.streams.map { stream($0, index) } })
        ),
      ]))
  }

  private static func stream(_ stream: StreamRecord, _ index: Int) -> JSONText.Value {
    .object([
      ("capture", .integer(Int64(index))),
      ("connection", .unsigned(UInt64(stream.connection))),
      ("client", .string(stream.client)),
      ("server", .string(stream.server)),
      ("direction", .string(stream.isToServer ? "toServer" : "toClient")),
      ("content", .string(stream.content.rawValue)),
      ("file", .optional(stream.file)),
      ("bytes", .unsigned(stream.bytes)),
      ("sha256", .string(stream.sha256)),
      ("gapCount", .unsigned(stream.gapCount)),
      ("missingBytes", .unsigned(stream.missingBytes)),
      (
        "gaps",
        .array(
          stream.gaps.map {
            .object([
              ("offset", .unsigned($0.offset)), ("length", .unsigned($0.length)),
              ("kind", .string($0.kind)), ("filled", .bool($0.isFilled)),
            ])
          })
      ),
    ])
  }
}

/// The packets that were taken out of a capture, as JSON.
public enum PacketsText {
  /// With the names that `docs/extract.md` explains.
  public static func json(
    file: String, packets: UInt64, connections: [UInt32], commented: UInt64, secrets: Int
  ) -> String {
    JSONText.write(
      .object([
        ("version", .integer(1)), ("file", .string(file)), ("packets", .unsigned(packets)),
        ("connections", .array(connections.map { .unsigned(UInt64($0)) })),
        ("commented", .unsigned(commented)), ("secrets", .integer(Int64(secrets))),
      ]))
  }
}
