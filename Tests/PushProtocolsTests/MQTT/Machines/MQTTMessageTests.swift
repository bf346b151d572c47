@testable import PushProtocols
import Custody
import Simulation
import Testing
import Timeline

@Suite struct MQTTMessageTests {
  @Test func `a message is small`() {
    #expect(MemoryLayout<MQTTMessage>.size <= 24)
  }

  @Test(arguments: [0, 1, 2] as [UInt8])
  func `quality shares its byte with the flags`(quality: UInt8) {
    var message = MQTTMessage.publish(
      7, topic: 3, quality: quality, packet: 9, duplicate: true, retain: true)
    #expect(message.quality == quality)
    message.quality = 2 - quality
    #expect(message.quality == 2 - quality)
    #expect(message.flags.contains([.duplicate, .retain]))
    #expect(message.publication == 7)
  }

  @Test(arguments: [
    Nanoseconds.zero, .milliseconds(1), .seconds(20), .hours(24 * 40), .forever,
  ])
  func `an expiry of whole milliseconds survives`(expiry: Nanoseconds) {
    var message = MQTTMessage(.publish)
    message.expiry = expiry
    #expect(message.expiry == expiry)
  }

  @Test func `an expiry is rounded up, a credential down`() {
    var message = MQTTMessage(.connect)
    message.expiry = Nanoseconds(1_000_001)
    #expect(message.expiry == .milliseconds(2))
    message.credential = .start + .hours(24 * 365) + Nanoseconds(199_999)
    #expect(message.credential == .start + .hours(24 * 365) + Nanoseconds(100_000))
  }

  @Test func `a CONNECT carries its will without being a publication`() {
    var message = MQTTMessage(.connect)
    message.setWill(60_001, topic: 2, quality: 1, delay: 5)
    #expect(message.publication == 0)
    #expect(message.willPublication == 60_001)
    #expect(message.quality == 1)
    #expect(message.flags.contains(.hasWill))
  }

  @Test func `every rule has a text of its own`() {
    let texts = MQTTModel.rules
    #expect(Set(texts).count == texts.count)
    #expect(texts.count == MQTTConduct.allCases.count)
  }

  @Test(arguments: [Side.client, .server])
  func `states that anchors may name have names of their own`(side: Side) {
    let states = MQTTModel.states(of: side)
    #expect(Set(states).count == states.count)
    #expect(Set(states.map { MQTTModel.stateName($0, of: side) }).count == states.count)
  }
}
