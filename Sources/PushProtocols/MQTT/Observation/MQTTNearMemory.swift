/// Memory for what nearly every packet of thousands of conversations asks for.
///
/// Pieces from anywhere lie on thousands of pages, and where a page is costs a processor as much as
/// what is on it. These pieces lie side by side, each at the beginning of a line of the cache. A
/// piece that is given back is kept for the next one of its size.
@safe final class MQTTNearMemory {
  private static let blockSize = 1 << 21
  private static let line = 64
  /// Larger ones lie where they may.
  private static let largestPiece = 1 << 15

  private var blocks: [UnsafeMutableRawPointer] = unsafe []
  private var used = blockSize
  /// Pieces that are in use.
  private var inUse = 0
  /// By number of lines; each piece begins with the address of the next one.
  private var unused: [UnsafeMutableRawPointer?] = unsafe Array(
    repeating: nil, count: largestPiece / line + 1)

  deinit {
    for unsafe block in unsafe blocks { unsafe block.deallocate() }
  }

  /// Memory with anything in it, at the beginning of a line of the cache.
  func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
    if byteCount > Self.largestPiece {
      return .allocate(byteCount: byteCount, alignment: Self.line)
    }
    inUse += 1
    let lines = (byteCount + Self.line - 1) / Self.line
    if let piece = unsafe unused[lines] {
      unsafe unused[lines] = piece.load(as: UnsafeMutableRawPointer?.self)
      return unsafe piece
    }
    if used + lines * Self.line > Self.blockSize { addBlock() }
    defer { used += lines * Self.line }
    return unsafe blocks[blocks.count - 1] + used
  }

  /// - Parameter byteCount: as it was allocated with.
  func free(_ piece: UnsafeMutableRawPointer, _ byteCount: Int) {
    if byteCount > Self.largestPiece {
      unsafe piece.deallocate()
      return
    }
    inUse -= 1
    let lines = (byteCount + Self.line - 1) / Self.line
    unsafe piece.storeBytes(of: unused[lines], as: UnsafeMutableRawPointer?.self)
    unsafe unused[lines] = piece
  }

  /// Gives all of it back to the system when no piece of it is in use.
  func giveBack() {
    if inUse > 0 { return }
    for unsafe block in unsafe blocks { unsafe block.deallocate() }
    unsafe blocks = []
    used = Self.blockSize
    for lines in unsafe unused.indices { unsafe unused[lines] = nil }
  }

  private func addBlock() {
    let block = UnsafeMutableRawPointer.allocate(
      byteCount: Self.blockSize, alignment: Self.blockSize)
    unsafe blocks.append(block)
    used = 0
  }
}
