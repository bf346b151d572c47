import Custody
import Wire

extension ViolationLog {
  /// A rule of the courier protocol: what every reader of it that is known keeps to.
  mutating func add(
    _ rule: String, headline: String, detail: String, session: SessionID, at moment: Moment
  ) {
    add(
      rule, headline: headline,
      reason: "The protocol has no public standard; \(Self.ground(rule)).", detail: detail,
      session: session, at: moment)
  }

  /// Why it is held against anybody.
  private static func ground(_ rule: String) -> String {
    switch rule {
    case "apns-ack-identity", "apns-ack-token", "apns-ack-connection":
      "an acknowledgement that names something else completes nothing, or the wrong notification"
    case "apns-filter-after-connect":
      "a courier sends nothing to a connection without a filter"
    case "apns-pack-tables":
      "but two tables that differ turn every later reference into something wrong"
    case _: "all known readers take this for an error, or read something else than was meant"
    }
  }
}
