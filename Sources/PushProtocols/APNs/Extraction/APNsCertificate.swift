internal import Timeline

/// As much of a device's certificate (item 12 of its Connect) as a scenario needs.
enum APNsCertificate {
  /// A SEQUENCE of two UTCTIMEs in DER (RFC 5280 §4.1.2.5): notBefore and notAfter.
  private static let head: [UInt8] = [0x30, 0x1E, 0x17, 0x0D]

  /// From the beginning to the end of its validity; `nil` when it does not say it in this way.
  static func lifetime(of certificate: [UInt8]) -> Nanoseconds? {
    guard certificate.count > 40 else { return nil }
    for at in 0..<(certificate.count - 32) where certificate[at...].starts(with: head) {
      guard certificate[(at + 17)...].starts(with: head.suffix(2)),
        let begin = seconds(certificate[(at + 4)..<(at + 17)]),
        let end = seconds(certificate[(at + 19)..<(at + 32)]), end > begin
      else { continue }
      return .seconds(end - begin)
    }
    return nil
  }

  /// `YYMMDDHHMMSSZ` as seconds from the first of March 1948, so that none is negative; years from
  /// 50 on are of the last century.
  private static func seconds(_ text: ArraySlice<UInt8>) -> UInt64? {
    let digits = Array(text)
    guard digits.last == UInt8(ascii: "Z") else { return nil }
    var fields: [UInt64] = []
    for at in stride(from: 0, to: 12, by: 2) {
      guard (0x30...0x39).contains(digits[at]), (0x30...0x39).contains(digits[at + 1]) else {
        return nil
      }
      fields.append(UInt64(digits[at] - 0x30) * 10 + UInt64(digits[at + 1] - 0x30))
    }
    guard (1...12).contains(fields[1]), (1...31).contains(fields[2]), fields[3] < 24,
      fields[4] < 60, fields[5] < 61
    else { return nil }
    // Years that begin with March have their odd day at the end.
    let isEarly = fields[1] < 3
    let year = fields[0] + (fields[0] < 50 ? 100 : 0) - 48 - (isEarly ? 1 : 0)
    let month = isEarly ? fields[1] + 9 : fields[1] - 3
    let days = year * 365 + year / 4 + (month * 153 + 2) / 5 + fields[2] - 1
    return ((days * 24 + fields[3]) * 60 + fields[4]) * 60 + fields[5]
  }
}
