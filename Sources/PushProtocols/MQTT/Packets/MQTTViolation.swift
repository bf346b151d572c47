import Wire

/// Something that a packet says although the standard forbids it.
///
/// The packet could be read all the same: a violation is reported, and inspection goes on. What
/// can't be read at all is a `DecodeError`.
public struct MQTTViolation: Hashable, Sendable {
  /// The normative statement of the version in force, `MQTT-3.1.2-3`; or the section, `§2.2.2.2`,
  /// where the standard demands something without giving it a number.
  public var statement: String
  /// The rule in words, and what was found instead.
  public var text: String
  /// Bytes from the start of the packet.
  public var offset: Int

  public init(statement: String, text: String, offset: Int = 0) {
    self.statement = statement
    self.text = text
    self.offset = offset
  }

  init(_ rule: MQTTRule, version: MQTTVersion, offset: Int, detail: String? = nil) {
    statement = rule.statement(in: version)
    text = detail.map { "\(rule.text): \($0)" } ?? rule.text
    self.offset = offset
  }
}

/// Where a rule stands in the two standards, and what it says.
private struct RuleRow {
  var rule: MQTTRule
  /// Empty for what only the other can break.
  var v3: String
  var v5: String
  var text: String

  init(_ rule: MQTTRule, _ v3: String, _ v5: String, _ text: String) {
    self.rule = rule
    self.v3 = v3
    self.v5 = v5
    self.text = text
  }
}

/// What the shape of a single packet can break. Rules about the order of packets belong to who
/// follows a connection.
///
/// Statement numbers are those of MQTT 3.1.1 (OASIS standard, appendix B) and MQTT 5.0 (OASIS
/// standard, appendix B); they differ. 3.1 has no numbers, so 3.1.1's stand in for them.
enum MQTTRule: UInt8, Hashable, Sendable, CaseIterable {
  // The fixed header.
  case reservedPacketType, reservedFlags, pubrelFlags, subscribeFlags, unsubscribeFlags
  case disconnectFlags, authFlags, remainingLength, lengthNotMinimal, trailingBytes
  case wrongDirection
  // Fields that many packets have.
  case illFormedText, nulInText, packetIDZeroFromClient, packetIDZeroFromServer
  case packetIDZeroInAcknowledgement, packetIDZeroInSubscriptionAcknowledgement
  case topicEmpty, topicAbsentWithoutAlias, topicWildcard, wildcardInWillTopic
  case multiLevelWildcard, singleLevelWildcard, shareName, shareNameCharacters
  // Properties.
  case propertyLengthMissing, propertyLength, propertyUnknown, propertyMisplaced
  case propertyRepeated, propertyValue, topicAliasZero, responseTopicWildcard
  case subscriptionIDFromClient, sessionExpiryFromServer, authenticationDataWithoutMethod
  case authenticationMethodMissing
  // CONNECT and CONNACK.
  case protocolName, protocolLevel, connectReservedFlag, willQoSWithoutWill, willQoS3
  case willRetainWithoutWill, passwordWithoutUserName, clientIdentifierMissing
  case emptyClientIdentifier, clientIdentifierLength, willMissing, userNameMissing
  case passwordMissing, connackFlags, sessionPresentOnRefusal, connackCode
  // The others.
  case publishQoS3, duplicateQoS0, pubackCode, pubrecCode, pubrelCode, pubcompCode
  case subscribeEmpty, subscribeReservedBits, subscribeQoS3, retainHandling3
  case noLocalOnShared, subackEmpty, subackCode, unsubscribeEmpty, unsubackEmpty, unsubackCode
  case disconnectCode, authCode

  func statement(in version: MQTTVersion) -> String { version == .v5 ? row.v5 : row.v3 }
  var text: String { row.text }

  func error(at offset: Int, in version: MQTTVersion, _ detail: String? = nil) -> DecodeError {
    DecodeError(
      offset: offset, expected: detail.map { "\(text): \($0)" } ?? text,
      rule: statement(in: version))
  }

  private var row: RuleRow { Self.rows[Int(rawValue)] }

  /// In the order of the cases: a row is found by the raw value of its rule.
  private static let rows: [RuleRow] = {
    let rows = table
    precondition(
      rows.count == allCases.count && zip(rows, allCases).allSatisfy { $0.rule == $1 },
      "each rule has its row, in order")
    return rows
  }()

  private static let table: [RuleRow] = [
    // The fixed header.
    .init(.reservedPacketType, "§2.2.1", "§2.1.2", "packet type is not a reserved one"),
    .init(
      .reservedFlags, "MQTT-2.2.2-1", "MQTT-2.1.3-1",
      "reserved flags have the value the standard lists"),
    .init(.pubrelFlags, "MQTT-3.6.1-1", "MQTT-3.6.1-1", "PUBREL has flags 0010"),
    .init(.subscribeFlags, "MQTT-3.8.1-1", "MQTT-3.8.1-1", "SUBSCRIBE has flags 0010"),
    .init(.unsubscribeFlags, "MQTT-3.10.1-1", "MQTT-3.10.1-1", "UNSUBSCRIBE has flags 0010"),
    .init(.disconnectFlags, "MQTT-3.14.1-1", "MQTT-3.14.1-1", "DISCONNECT has flags 0000"),
    .init(.authFlags, "", "MQTT-3.15.1-1", "AUTH has flags 0000"),
    .init(.remainingLength, "§2.2.3", "§1.5.5", "a variable byte integer has 1 to 4 bytes"),
    .init(
      .lengthNotMinimal, "", "MQTT-1.5.5-1",
      "a variable byte integer uses as few bytes as possible"),
    .init(.trailingBytes, "§2.2.3", "§2.1.4", "a packet ends with its last field"),
    .init(.wrongDirection, "§2.2.1", "§2.1.2", "only the other end sends this packet"),
    // Fields that many packets have.
    .init(
      .illFormedText, "MQTT-1.5.3-1", "MQTT-1.5.4-1",
      "text is well-formed UTF-8 without surrogates"),
    .init(.nulInText, "MQTT-1.5.3-2", "MQTT-1.5.4-2", "text has no U+0000"),
    .init(.packetIDZeroFromClient, "MQTT-2.3.1-1", "MQTT-2.2.1-3", "a packet identifier is not 0"),
    .init(.packetIDZeroFromServer, "MQTT-2.3.1-1", "MQTT-2.2.1-4", "a packet identifier is not 0"),
    .init(
      .packetIDZeroInAcknowledgement, "MQTT-2.3.1-6", "MQTT-2.2.1-5",
      "an acknowledgement has the identifier of its PUBLISH"),
    .init(
      .packetIDZeroInSubscriptionAcknowledgement, "MQTT-2.3.1-7", "MQTT-2.2.1-6",
      "the answer has the identifier of its request"),
    .init(.topicEmpty, "MQTT-4.7.3-1", "MQTT-4.7.3-1", "a topic has at least one character"),
    .init(
      .topicAbsentWithoutAlias, "", "§3.3.2.1",
      "a topic alias stands in for an empty topic name"),
    .init(.topicWildcard, "MQTT-3.3.2-2", "MQTT-3.3.2-2", "a topic name has no wildcards"),
    .init(.wildcardInWillTopic, "MQTT-4.7.1-1", "MQTT-4.7.0-1", "a will topic has no wildcards"),
    .init(
      .multiLevelWildcard, "MQTT-4.7.1-2", "MQTT-4.7.1-1",
      "'#' is the whole last level of a filter"),
    .init(.singleLevelWildcard, "MQTT-4.7.1-3", "MQTT-4.7.1-2", "'+' is the whole of a level"),
    .init(.shareName, "", "MQTT-4.8.2-1", "'$share/' is followed by a share name"),
    .init(
      .shareNameCharacters, "", "MQTT-4.8.2-2",
      "a share name has no wildcards, and '/' and a filter follow"),
    // Properties: only 5.0 can break these.
    .init(.propertyLengthMissing, "", "MQTT-2.2.2-1", "no properties are a Property Length of 0"),
    .init(.propertyLength, "", "§2.2.2.1", "the property block ends inside its packet"),
    .init(.propertyUnknown, "", "§2.2.2.2", "a property identifier is one of table 2-4"),
    .init(.propertyMisplaced, "", "§2.2.2.2", "a property stands in a packet that may have it"),
    .init(.propertyRepeated, "", "§2.2.2.2", "a property stands once"),
    .init(.propertyValue, "", "§2.2.2.2", "a property has a value that its definition allows"),
    .init(.topicAliasZero, "", "MQTT-3.3.2-8", "a Topic Alias is not 0"),
    .init(.responseTopicWildcard, "", "MQTT-3.3.2-14", "a Response Topic has no wildcards"),
    .init(
      .subscriptionIDFromClient, "", "MQTT-3.3.4-6",
      "a client's PUBLISH has no Subscription Identifier"),
    .init(
      .sessionExpiryFromServer, "", "MQTT-3.14.2-2",
      "a server's DISCONNECT has no Session Expiry Interval"),
    .init(
      .authenticationDataWithoutMethod, "", "§3.1.2.11.10",
      "Authentication Data comes with an Authentication Method"),
    .init(.authenticationMethodMissing, "", "§3.15.2.2.2", "AUTH names its Authentication Method"),
    // CONNECT and CONNACK.
    .init(
      .protocolName, "MQTT-3.1.2-1", "MQTT-3.1.2-1",
      "the protocol name is MQTT (MQIsdp with level 3)"),
    .init(.protocolLevel, "MQTT-3.1.2-2", "MQTT-3.1.2-2", "the protocol level is 3, 4 or 5"),
    .init(.connectReservedFlag, "MQTT-3.1.2-3", "MQTT-3.1.2-3", "the reserved connect flag is 0"),
    .init(
      .willQoSWithoutWill, "MQTT-3.1.2-13", "MQTT-3.1.2-11",
      "the Will QoS is 0 without a will"),
    .init(.willQoS3, "MQTT-3.1.2-14", "MQTT-3.1.2-12", "the Will QoS is 0, 1 or 2"),
    .init(
      .willRetainWithoutWill, "MQTT-3.1.2-15", "MQTT-3.1.2-13",
      "Will Retain is 0 without a will"),
    .init(
      .passwordWithoutUserName, "MQTT-3.1.2-22", "",
      "a password comes with a user name"),
    .init(
      .clientIdentifierMissing, "MQTT-3.1.3-3", "MQTT-3.1.3-3",
      "the payload begins with the client identifier"),
    .init(
      .emptyClientIdentifier, "MQTT-3.1.3-7", "",
      "an empty client identifier needs Clean Session 1"),
    .init(
      .clientIdentifierLength, "3.1 §3.1", "",
      "a client identifier has 1 to 23 characters"),
    .init(
      .willMissing, "MQTT-3.1.2-9", "MQTT-3.1.2-9",
      "the Will Flag announces topic and payload"),
    .init(
      .userNameMissing, "MQTT-3.1.2-19", "MQTT-3.1.2-17",
      "the User Name Flag announces a user name"),
    .init(
      .passwordMissing, "MQTT-3.1.2-21", "MQTT-3.1.2-19",
      "the Password Flag announces a password"),
    .init(.connackFlags, "§3.2.2.1", "MQTT-3.2.2-1", "the reserved acknowledge flags are 0"),
    .init(
      .sessionPresentOnRefusal, "MQTT-3.2.2-4", "MQTT-3.2.2-6",
      "a refusing CONNACK has Session Present 0"),
    .init(.connackCode, "MQTT-3.2.2-6", "MQTT-3.2.2-8", "the code is one that CONNACK may have"),
    // The others.
    .init(.publishQoS3, "MQTT-3.3.1-4", "MQTT-3.3.1-4", "QoS is 0, 1 or 2"),
    .init(.duplicateQoS0, "MQTT-3.3.1-2", "MQTT-3.3.1-2", "DUP is 0 with QoS 0"),
    .init(.pubackCode, "", "MQTT-3.4.2-1", "the reason code is one that PUBACK may have"),
    .init(.pubrecCode, "", "MQTT-3.5.2-1", "the reason code is one that PUBREC may have"),
    .init(.pubrelCode, "", "MQTT-3.6.2-1", "the reason code is one that PUBREL may have"),
    .init(.pubcompCode, "", "MQTT-3.7.2-1", "the reason code is one that PUBCOMP may have"),
    .init(
      .subscribeEmpty, "MQTT-3.8.3-3", "MQTT-3.8.3-2",
      "SUBSCRIBE has at least one topic filter"),
    .init(
      .subscribeReservedBits, "MQTT-3-8.3-4", "MQTT-3.8.3-5",
      "the reserved subscription options are 0"),
    .init(.subscribeQoS3, "MQTT-3-8.3-4", "§3.8.3.1", "the requested QoS is 0, 1 or 2"),
    .init(.retainHandling3, "", "§3.8.3.1", "Retain Handling is 0, 1 or 2"),
    .init(.noLocalOnShared, "", "MQTT-3.8.3-4", "a shared subscription has No Local 0"),
    .init(.subackEmpty, "MQTT-3.8.4-5", "MQTT-3.8.4-6", "SUBACK has a code for each topic filter"),
    .init(.subackCode, "MQTT-3.9.3-2", "MQTT-3.9.3-2", "each code is one that SUBACK may have"),
    .init(
      .unsubscribeEmpty, "MQTT-3.10.3-2", "MQTT-3.10.3-2",
      "UNSUBSCRIBE has at least one topic filter"),
    .init(.unsubackEmpty, "", "MQTT-3.11.3-1", "UNSUBACK has a code for each topic filter"),
    .init(.unsubackCode, "", "MQTT-3.11.3-2", "each code is one that UNSUBACK may have"),
    .init(.disconnectCode, "", "MQTT-3.14.2-1", "the reason code is one that its sender may give"),
    .init(.authCode, "", "MQTT-3.15.2-1", "the reason code is one that its sender may give"),
  ]
}
