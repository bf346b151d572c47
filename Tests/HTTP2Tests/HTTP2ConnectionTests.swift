import HTTP2
import Testing
import Timeline
import Wire

@Suite struct HTTP2ConnectionTests {
  @Test(arguments: [false, true])
  func `frames say what stands in them, however they are cut`(inDrips: Bool) {
    let wire = Wiring()
    wire.tell(HTTP2Frame.preface + Wiring.settings([(1, 4096), (4, 70_000)]), inDrips: inDrips)
    wire.tell(Wiring.settings([(3, 1000)]) + Wiring.settingsAcknowledged, .toClient)
    wire.tell(
      Wiring.settingsAcknowledged + Wiring.frame(.windowUpdate, 0, 0, [0, 0, 1, 0])
        + Wiring.frame(.headers, 1, 4, wire.block([(":path", "/3/device/ab"), ("apns-id", "x")]))
        + Wiring.frame(.data, 1, 9, [2, 65, 66, 67, 0, 0]), inDrips: inDrips)
    wire.tell(
      Wiring.frame(.ping, 0, 0, [0, 0, 0, 0, 0, 0, 0, 7])
        + Wiring.frame(.resetStream, 1, 0, [0, 0, 0, 7])
        + Wiring.frame(.goAway, 0, 0, [0, 0, 0, 1, 0, 0, 0, 0] + Array("bye".utf8))
        + [0, 0, 1, 42, 0, 0, 0, 0, 0, 9], .toClient, inDrips: inDrips)
    #expect(
      wire.lines == [
        "> preface", "> settings 1=4096 4=70000", "< settings 3=1000", "< settings ok",
        "> settings ok", "> window 0 256", "> headers 1 :path=/3/device/ab,apns-id=x",
        "> data 1 3 missing 0 end", "< ping 7", "< reset 1 REFUSED_STREAM",
        "< goaway 1 NO_ERROR bye", "< unknown 42 0",
      ])
    #expect(wire.content == [65, 66, 67])
    #expect(wire.violations == [])
    wire.conclude()
    #expect(wire.unfinished.total == 0)
  }

  @Test func `places follow each other without a hole`() {
    let wire = Wiring()
    wire.openBoth()
    wire.request(1, "/a", ends: false)
    wire.tell(Wiring.frame(.data, 1, 1, [1, 2, 3]))
    let sent = wire.ranges.enumerated().filter { wire.lines[$0.offset].hasPrefix(">") }.map(
      \.element)
    #expect(sent.first?.lowerBound == 0)
    for (before, after) in zip(sent, sent.dropFirst()) {
      #expect(before.upperBound == after.lowerBound)
    }
  }

  @Test func `a header block goes on in CONTINUATION`() {
    let wire = Wiring()
    wire.openBoth()
    let block = wire.block([(":path", "/one"), ("x", "y")])
    // Padding, priority, and the block in three.
    wire.tell(
      Wiring.frame(.headers, 1, 0x29, [1] + [0, 0, 0, 0, 9] + block.prefix(2) + [0])
        + Wiring.frame(.continuation, 1, 0, Array(block[2..<4]))
        + Wiring.frame(.continuation, 1, 4, Array(block[4...])))
    #expect(wire.lines.last == "> headers 1 :path=/one,x=y end")
    #expect(wire.violations == [])
  }

  @Test func `tables of both ends follow SETTINGS`() {
    let wire = Wiring()
    wire.tell(HTTP2Frame.preface + Wiring.settings([(1, 8192)]))
    wire.tell(Wiring.settings([(1, 0)]) + Wiring.settingsAcknowledged, .toClient)
    wire.tell(Wiring.settingsAcknowledged)
    // The server may use a larger table now, and the client none.
    wire.resizeTable(8192, .toClient)
    wire.resizeTable(0, .toServer)
    for stream in [1, 3] as [UInt32] {
      wire.request(stream, "/same")
      let answer = wire.block([(":status", "200"), ("apns-id", "same")], .toClient)
      wire.tell(Wiring.frame(.headers, stream, 5, answer), .toClient)
    }
    #expect(wire.lines.suffix(2).first == "> headers 3 :method=POST,:path=/same end")
    #expect(wire.lines.last == "< headers 3 :status=200,apns-id=same end")
    #expect(wire.violations == [])
  }

  // MARK: Holes

  @Test func `behind a hole frames are found again, and header blocks stay unknown`() {
    let wire = Wiring()
    wire.openBoth()
    wire.request(1, "/one")
    wire.miss(100)
    wire.tell([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    wire.request(5, "/five")
    wire.tell(Wiring.frame(.headers, 1, 5, wire.block([(":status", "200")], .toClient)), .toClient)
    #expect(wire.lost == [.toServer])
    #expect(
      wire.lines.suffix(2) == [
        "> headers 5 unknown (bytes are missing) end", "< headers 1 :status=200 end",
      ])
  }

  @Test func `a hole inside of DATA is no harm to what follows`() {
    let wire = Wiring()
    wire.openBoth()
    wire.request(1, "/one", ends: false)
    let frame = Wiring.frame(.data, 1, 1, [UInt8](repeating: 7, count: 50))
    wire.tell(Array(frame.prefix(20)))
    wire.miss(30)
    wire.tell(Array(frame.dropFirst(50)))
    wire.request(3, "/three")
    #expect(
      wire.lines.suffix(2) == [
        "> data 1 20 missing 30 end", "> headers 3 :method=POST,:path=/three end",
      ])
    #expect(wire.lost == [])
  }

  @Test func `a hole inside of a header block loses the table, not the place`() {
    let wire = Wiring()
    wire.openBoth()
    let frame = Wiring.frame(.headers, 1, 5, wire.block([(":path", "/a/long/enough/path")]))
    wire.tell(Array(frame.prefix(12)))
    wire.miss(UInt64(frame.count - 12))
    wire.request(3, "/three")
    let why = "unknown (a part of a header block is missing)"
    #expect(wire.lines.suffix(2) == ["> headers 1 \(why) end", "> headers 3 \(why) end"])
  }

  @Test func `a connection that began before the capture has frames and no fields`() {
    let wire = Wiring(handshake: false)
    wire.tell([9, 9, 9])
    wire.request(7, "/seven")
    wire.tell(Wiring.frame(.resetStream, 7, 0, [0, 0, 0, 8]), .toClient)
    #expect(
      wire.lines == [
        "> headers 7 unknown (the capture began in the middle of the connection) end",
        "< reset 7 CANCEL",
      ])
    #expect(wire.violations == [])
  }

  // MARK: Rules

  @Test func `GOAWAY where SETTINGS should be is told`() {
    let wire = Wiring()
    wire.tell(HTTP2Frame.preface + Wiring.settings())
    wire.tell(Wiring.frame(.goAway, 0, 0, [UInt8](repeating: 0, count: 8)), .toClient)
    #expect(wire.violations.map(\.rule) == ["RFC 9113 §3.4"])
    #expect(wire.violations.first?.sender == .toClient)
    #expect(wire.lines.last == "< goaway 0 NO_ERROR ")
  }

  @Test(arguments: [
    (Wiring.frame(.ping, 0, 0, [1]), "§6.7"),
    (Wiring.frame(.ping, 1, 0, [UInt8](repeating: 0, count: 8)), "§6.7"),
    (Wiring.frame(.settings, 0, 0, [1]), "§6.5"),
    (Wiring.frame(.resetStream, 0, 0, [0, 0, 0, 0]), "§6.4"),
    (Wiring.frame(.windowUpdate, 0, 0, [0, 0, 0, 0]), "§6.9"),
    (Wiring.frame(.data, 1, 8, [9, 1]), "§6.1"),
    (Wiring.frame(.headers, 1, 8, [9, 1]), "§6.2"),
    (Wiring.frame(.continuation, 1, 4, []), "§6.10"),
    (Wiring.frame(.headers, 1, 5, [0xFF, 0xFF, 0xFF, 0xFF]), "§4.3"),
    (Wiring.frame(.settings, 0, 1), "§6.5"), (Wiring.frame(.goAway, 0, 0, [1]), "§6.8"),
  ])
  func `a frame that breaks a rule is told`(_ frame: [UInt8], _ section: String) {
    let wire = Wiring()
    wire.openBoth()
    wire.tell(frame)
    #expect(wire.violations.map(\.rule) == ["RFC 9113 \(section)"])
  }

  @Test func `a frame in the middle of a header block ends what is known of the fields`() {
    let wire = Wiring()
    wire.openBoth()
    wire.tell(Wiring.frame(.headers, 1, 1, wire.block([(":path", "/one")])))
    wire.tell(Wiring.frame(.ping, 0, 0, [UInt8](repeating: 0, count: 8)))
    wire.request(3, "/three")
    #expect(wire.violations.map(\.rule) == ["RFC 9113 §6.10"])
    #expect(wire.lines.last == "> headers 3 unknown (a header block was not ended) end")
  }

  // MARK: Windows

  @Test func `who has more to send and may not is remembered`() {
    let wire = Wiring()
    wire.tell(HTTP2Frame.preface + Wiring.settings())
    wire.tell(Wiring.settings([(4, 10)]) + Wiring.settingsAcknowledged, .toClient)
    wire.tell(Wiring.settingsAcknowledged)
    wire.request(1, "/one", ends: false)
    wire.tell(Wiring.frame(.data, 1, 0, [UInt8](repeating: 1, count: 10)))
    wire.wait(30)
    wire.tell(Wiring.frame(.windowUpdate, 1, 0, [0, 0, 0, 10]), .toClient)
    wire.tell(Wiring.frame(.data, 1, 1, [1]))
    wire.wait(60)
    wire.conclude()
    let stall = wire.connection.stalls
    #expect(stall.count == 1)
    #expect(stall.first?.stream == 1 && stall.first?.isConnection == false)
    #expect((stall.first?.until.time ?? .start) == .start + .seconds(30))
    #expect(wire.violations == [])
  }

  @Test func `a window that is closed and not needed is no stall`() {
    let wire = Wiring()
    wire.openBoth()
    for stream in stride(from: 1 as UInt32, through: 7, by: 2) {
      wire.request(stream, "/one", ends: false)
      wire.tell(Wiring.frame(.data, stream, 1, [UInt8](repeating: 1, count: 16_383)))
    }
    wire.request(9, "/nine", ends: false)
    wire.tell(Wiring.frame(.data, 9, 1, [1, 2, 3]))
    wire.wait(100)
    wire.conclude()
    #expect(wire.connection.stalls == [])
    wire.tell(Wiring.frame(.data, 9, 1, [1]))
    #expect(wire.violations.map(\.rule) == ["RFC 9113 §6.9.1"])
  }

  @Test func `what is not complete is given up when too much waits`() {
    let wire = Wiring(limit: 4096)
    wire.openBoth()
    wire.tell(Array(Wiring.frame(.headers, 1, 5, [UInt8](repeating: 0, count: 8000)).prefix(7000)))
    #expect(wire.unfinished.givenUpCount > 0)
    wire.tell([UInt8](repeating: 0, count: 1009))
    wire.request(3, "/three")
    #expect(wire.lines.last == "> headers 3 unknown (too much waited to be complete) end")
    wire.conclude()
    #expect(wire.unfinished.total == 0)
  }
}
