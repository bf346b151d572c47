import PushProtocols
import Testing

@Suite struct MQTTTopicFilterTests {
  /// The examples of §4.7.1 and their neighbours.
  @Test(arguments: [
    ("sport/tennis/player1/#", "sport/tennis/player1"),
    ("sport/tennis/player1/#", "sport/tennis/player1/ranking"),
    ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"),
    ("sport/#", "sport"), ("#", "sport"), ("#", "/"), ("#", "a/b/c"),
    ("sport/tennis/+", "sport/tennis/player1"), ("sport/+", "sport/"), ("+/+", "/finance"),
    ("/+", "/finance"), ("+", "finance"), ("+/tennis/#", "sport/tennis"),
    ("a/+/c", "a//c"), ("a//c", "a//c"), ("+/+/+", "//"), ("a/+/#", "a/b"),
    ("$SYS/#", "$SYS/broker/load"), ("$SYS/+", "$SYS/broker"), ("/#", "/$SYS"),
    ("+/$SYS", "a/$SYS"), ("é/+", "é/b"), ("$share/g/a/#", "a/b"), ("$share/g/#", "a"),
    ("$share/g//a", "/a"), ("a/#", "a/"),
  ])
  func `a filter matches`(filter: String, topic: String) {
    #expect(MQTTTopicFilter(filter).matches(topic))
  }

  @Test(arguments: [
    ("sport/+", "sport"), ("sport/tennis/+", "sport/tennis/player1/ranking"),
    ("+", "/finance"), ("sport/#", "sports"), ("sport", "Sport"), ("a/b", "a/b/"),
    ("a/b/", "a/b"), ("a", "b"), ("a", "ab"), ("ab", "a"), ("#", "$SYS/broker"),
    ("+/broker", "$SYS/broker"), ("+", "$SYS"), ("a/+/c", "a/b/d"), ("a/+", "a"),
    ("/a", "a"), ("a//c", "a/c"), ("e\u{301}", "\u{e9}"), ("$share/g/#", "$SYS"),
    ("$share/g/a", "$share/g/a"), ("", "a"), ("a", ""), ("a/b/#", "a"),
  ])
  func `a filter doesn't match`(filter: String, topic: String) {
    #expect(!MQTTTopicFilter(filter).matches(topic))
  }

  @Test func `a shared subscription has a name and a pattern`() {
    let filter = MQTTTopicFilter("$share/workers/jobs/#")
    #expect(filter.shareName == "workers")
    #expect(filter.pattern == "jobs/#")
    #expect(filter.text == "$share/workers/jobs/#")
    #expect(filter.hasWildcards)
    for text in ["$share", "$share/a", "$share//a", "$shared/a/b", "a/$share/b"] {
      #expect(MQTTTopicFilter(text).shareName == nil)
      #expect(MQTTTopicFilter(text).pattern == text)
    }
  }

  @Test(arguments: ["a", "/", "#", "+", "a/#", "+/+/#", "/+/", "a b", "$share/g/+", "$SYS/#"])
  func `a filter is valid`(filter: String) {
    #expect(MQTTTopicFilter(filter).violation(in: .v3_1_1) == nil)
    #expect(MQTTTopicFilter(filter).violation(in: .v5) == nil)
  }

  @Test(arguments: [
    ("", "MQTT-4.7.3-1", "MQTT-4.7.3-1"), ("a/#/b", "MQTT-4.7.1-2", "MQTT-4.7.1-1"),
    ("#/", "MQTT-4.7.1-2", "MQTT-4.7.1-1"), ("a#", "MQTT-4.7.1-2", "MQTT-4.7.1-1"),
    ("+#", "MQTT-4.7.1-3", "MQTT-4.7.1-2"), ("a+", "MQTT-4.7.1-3", "MQTT-4.7.1-2"),
    ("a/+b/c", "MQTT-4.7.1-3", "MQTT-4.7.1-2"), ("++", "MQTT-4.7.1-3", "MQTT-4.7.1-2"),
  ])
  func `a filter breaks a rule`(filter: String, v3: String, v5: String) {
    #expect(MQTTTopicFilter(filter).violation(in: .v3_1_1)?.statement == v3)
    #expect(MQTTTopicFilter(filter).violation(in: .v5)?.statement == v5)
  }

  @Test(arguments: [
    ("$share", "MQTT-4.8.2-1"), ("$share/", "MQTT-4.8.2-1"), ("$share//a", "MQTT-4.8.2-1"),
    ("$share/a+/b", "MQTT-4.8.2-2"), ("$share/#/b", "MQTT-4.8.2-2"),
    ("$share/a", "MQTT-4.8.2-2"), ("$share/a/", "MQTT-4.8.2-2"),
    ("$share/a/b#", "MQTT-4.7.1-1"),
  ])
  func `a shared subscription breaks a rule of 5_0`(filter: String, statement: String) {
    #expect(MQTTTopicFilter(filter).violation(in: .v5)?.statement == statement)
  }

  @Test func `a topic name has no wildcards and is not empty`() {
    #expect(MQTTTopicName.violation(of: "a/b", in: .v5) == nil)
    #expect(MQTTTopicName.violation(of: "$SYS", in: .v3_1_1) == nil)
    #expect(MQTTTopicName.violation(of: "a/#", in: .v5)?.statement == "MQTT-3.3.2-2")
    #expect(MQTTTopicName.violation(of: "", in: .v3_1_1)?.statement == "MQTT-4.7.3-1")
    #expect(MQTTTopicName.violation(of: "a\0", in: .v5)?.statement == "MQTT-1.5.4-2")
  }

  /// Against a second, slow definition that goes level by level.
  @Test func `matching agrees with its definition by levels`() {
    let levels = ["", "a", "b", "$a", "+", "#"]
    var filters: [String] = []
    for first in levels {
      filters.append(first)
      for second in levels {
        filters.append("\(first)/\(second)")
        for third in levels { filters.append("\(first)/\(second)/\(third)") }
      }
    }
    let topics = filters.filter { MQTTTopicName.violation(of: $0, in: .v5) == nil }
    for filter in filters where MQTTTopicFilter(filter).violation(in: .v5) == nil {
      for topic in topics {
        #expect(
          MQTTTopicFilter(filter).matches(topic) == matchesByLevels(filter, topic),
          "\(filter) \(topic)")
      }
    }
  }

  private func matchesByLevels(_ filter: String, _ topic: String) -> Bool {
    var pattern = filter.split(separator: "/", omittingEmptySubsequences: false)[...]
    var levels = topic.split(separator: "/", omittingEmptySubsequences: false)[...]
    if topic.hasPrefix("$"), pattern.first == "+" || pattern.first == "#" { return false }
    while let next = pattern.popFirst() {
      if next == "#" { return true }
      guard let level = levels.popFirst(), next == "+" || next == level else { return false }
    }
    return levels.isEmpty
  }
}
