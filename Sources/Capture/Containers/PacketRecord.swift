internal import Timeline

/// One packet of a capture, as its container tells it. The bytes are borrowed until the next one.
@safe struct PacketRecord {
  var time = Instant.start
  /// What was captured.
  var bytes = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
  /// How long the packet was on the wire.
  var wireLength = 0
  /// Which of the container's interfaces.
  var interface = 0
}

/// An interface that packets were captured on.
struct CaptureInterface {
  /// As in the file (tcpdump.org/linktypes).
  var linkType: Int32
  var snapLength: Int
  var clock = InterfaceClock()
  /// As the recording host called it; empty when the file does not say.
  var name = ""
}

/// What a container said next.
enum ContainerStep {
  case packet
  /// The file is over, as it should be.
  case end
  /// Something in the file can't be read; reading goes on behind it, if it can.
  case damage(ContainerDamage)
}

struct ContainerDamage {
  var kind: CaptureWarning.Kind
  /// Bytes from the start of the (decompressed) file.
  var offset: UInt64
  var text: String
  /// Nothing follows.
  var isLast: Bool
}

/// How the time stamps of an interface count (pcapng `if_tsresol`, `if_tsoffset`).
struct InterfaceClock {
  /// Digits after the decimal or binary point.
  var digits: UInt8 = 6
  var isBinary = false
  /// Seconds to be added.
  var offset: Int64 = 0

  /// Nanoseconds since the epoch; times that don't fit are the nearest that do.
  func instant(_ stamp: UInt64) -> Instant {
    var seconds: UInt64
    var rest: UInt64
    if isBinary {
      seconds = digits < 64 ? stamp >> UInt64(digits) : 0
      let fraction = digits < 64 ? stamp & ((1 << UInt64(digits)) - 1) : stamp
      let product = fraction.multipliedFullWidth(by: 1_000_000_000)
      rest = digits == 0 ? 0 : Self.shifted(product, by: UInt64(digits))
    } else if digits <= 9 {
      let unit = Self.power(UInt64(digits))
      seconds = stamp / unit
      rest = stamp % unit * Self.power(UInt64(9 - digits))
    } else {
      // Finer than a nanosecond: 10^19 is the largest power of ten that fits.
      let nanoseconds = digits <= 28 ? stamp / Self.power(UInt64(digits - 9)) : 0
      seconds = nanoseconds / 1_000_000_000
      rest = nanoseconds % 1_000_000_000
    }
    if offset >= 0 {
      let (sum, overflow) = seconds.addingReportingOverflow(UInt64(offset))
      seconds = overflow ? .max : sum
    } else if seconds >= offset.magnitude {
      seconds -= offset.magnitude
    } else {
      seconds = 0
      rest = 0
    }
    return Instant(nanoseconds: (Nanoseconds.seconds(seconds) + Nanoseconds(rest)).count)
  }

  private static func power(_ exponent: UInt64) -> UInt64 {
    var result: UInt64 = 1
    for _ in 0..<exponent { result *= 10 }
    return result
  }

  private static func shifted(_ product: (high: UInt64, low: UInt64), by digits: UInt64) -> UInt64 {
    if digits >= 128 { return 0 }
    if digits >= 64 { return product.high >> (digits - 64) }
    return product.low >> digits | product.high << (64 - digits)
  }
}
