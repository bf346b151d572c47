import Testing
import Unwrapping

@Suite struct PortAssignmentsTests {
  private func misuse(_ texts: String...) -> String? {
    var ports = PortAssignments()
    do {
      for text in texts { try ports.add(text, known: ["mqtt", "xmpp"]) }
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test func `a port may have a protocol and what is around it`() throws {
    var ports = PortAssignments()
    for text in ["mqtt=9001", "tls=9001", "websocket=9001", "MQTT=18834"] {
      try ports.add(text, known: ["mqtt"])
    }
    #expect(ports.protocols == [9001: "mqtt", 18834: "mqtt"])
    #expect(!ports.isEmpty)
  }

  @Test func `what is wrong is said with an example`() {
    #expect(misuse("mqtt")?.contains("mqtt=18834") == true)
    #expect(misuse("mqtt=1=2")?.contains("protocol=port") == true)
    #expect(misuse("coap=5683")?.contains("known are mqtt, xmpp, tls, websocket") == true)
    for port in ["0", "65536", "-1", "", "mqtt", "+1883", " 1"] {
      #expect(misuse("mqtt=\(port)")?.contains("1 to 65535") == true, "\(port)")
    }
    #expect(misuse("mqtt=1883", "xmpp=1883")?.contains("both mqtt and xmpp") == true)
    #expect(misuse("mqtt=1883", "mqtt=1883") == nil)
  }
}
