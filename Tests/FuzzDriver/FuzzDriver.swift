import Foundation
import FuzzTargets

/// libFuzzer's loop, which the toolchain links in. It calls `test` for each input.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// Set once, before the loop begins.
nonisolated(unsafe) private var chosen = FuzzTarget.containers

/// `FuzzDriver TARGET FOLDER [libFuzzer's arguments]`: fills the folder with seeds and past
/// findings, and searches on from there.
@main
enum FuzzDriver {
  static func main() {
    let arguments = CommandLine.arguments
    guard arguments.count >= 3, let target = FuzzTarget(rawValue: arguments[1]) else {
      let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: " ")
      print("usage: FuzzDriver TARGET FOLDER [arguments of libFuzzer]\ntargets: \(names)")
      exit(64)
    }
    unsafe chosen = target
    fill(arguments[2], target)
    var all = [arguments[0]] + arguments.dropFirst(2)
    all.append("-detect_leaks=0")
    var pointers = unsafe all.map { unsafe strdup($0) } + [nil]
    var count = CInt(all.count)
    let code = unsafe pointers.withUnsafeMutableBufferPointer { buffer in
      var base = buffer.baseAddress!
      return unsafe runFuzzer(&count, &base) { bytes, count in
        do throws(FuzzFinding) {
          try unsafe chosen.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
        } catch {
          fatalError(error.description)
        }
        return 0
      }
    }
    exit(code)
  }

  private static func fill(_ folder: String, _ target: FuzzTarget) {
    let url = URL(filePath: folder)
    try? FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    let named =
      FuzzSeeds.all(for: target).enumerated().map { ("seed-\($0.offset)", $0.element) }
      + FuzzSeeds.findings(for: target)
    for (name, input) in named {
      try? Data(input).write(to: url.appending(path: name))
    }
  }
}
