// JSON and base64 of tokens and answers: the only Foundation below Reporting, and no more of it.
#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// What a provider token says of itself (RFC 7519; Apple, "Establishing a token-based connection").
///
/// The signature is not kept.
struct APNsTokenClaims: Hashable {
  /// `ES256`.
  var algorithm: String
  /// `kid`: which key of the team signed.
  var key: String
  /// `iss`: the team.
  var team: String
  /// `iat`, in seconds since 1970 by the provider's clock.
  var issuedAt: Int64?

  private struct Header: Decodable {
    var alg: String?
    var kid: String?
  }

  private struct Claims: Decodable {
    var iss: String?
    var iat: Double?
  }

  /// - Parameter authorization: the field's value, `bearer` and a JWT.
  init?(authorization: String) {
    let words = authorization.split(separator: " ", maxSplits: 1)
    guard words.count == 2, words[0].lowercased() == "bearer", words[1].utf8.count < 8192 else {
      return nil
    }
    let parts = words[1].split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let head = Self.base64URL(parts[0]),
      let body = Self.base64URL(parts[1]),
      let header = try? JSONDecoder().decode(Header.self, from: head),
      let claims = try? JSONDecoder().decode(Claims.self, from: body)
    else { return nil }
    algorithm = APNsProviderText.plain(header.alg ?? "")
    key = APNsProviderText.plain(header.kid ?? "")
    team = APNsProviderText.plain(claims.iss ?? "")
    issuedAt = claims.iat.flatMap { Int64(exactly: $0.rounded(.down)) }
  }

  private static func base64URL(_ text: Substring) -> Data? {
    var usual = text.replacing("-", with: "+").replacing("_", with: "/")
    while usual.utf8.count % 4 != 0 { usual += "=" }
    return Data(base64Encoded: String(usual))
  }
}

/// The body of an answer that is no 200, and the debug part of some GOAWAYs.
struct APNsErrorBody: Hashable {
  /// `Unregistered`.
  var reason: String
  /// With 410: milliseconds since 1970, when APNs last knew that the token was not valid.
  var timestamp: Int64?

  private struct Body: Decodable {
    var reason: String
    var timestamp: Double?
  }

  init?(_ json: [UInt8]) {
    guard json.count <= 4096,
      let body = try? JSONDecoder().decode(Body.self, from: Data(json))
    else { return nil }
    reason = APNsProviderText.plain(body.reason)
    timestamp = body.timestamp.flatMap { Int64(exactly: $0.rounded(.down)) }
  }
}
