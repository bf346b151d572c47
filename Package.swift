// swift-tools-version: 6.2
import PackageDescription

// The layers of docs/ARCHITECTURE.md, lowest first. A target may import only what it lists here:
// `make check` builds with `--explicit-target-dependency-import-check error`.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),  // ByteReader borrows its bytes.
  .treatAllWarnings(as: .error),
]

// Observers follow a capture with objects that change with every packet. That nobody changes one
// while it is changed is checked by every debug build and all tests; in a release build the checks
// would be a fifth of an inspection.
let fast: [SwiftSetting] = [
  .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))
]

func layer(
  _ name: String, _ dependencies: [Target.Dependency] = [], also settings: [SwiftSetting] = []
) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict + settings)
}

/// What Swift has no words for.
func inC(_ name: String) -> Target { .target(name: name) }

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")
// AES, ChaCha20-Poly1305 and HMAC for decrypting captures; nothing else uses it.
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")

// Arrays without copy-on-write for the hot loop: no uniqueness checks, no accidental copies.
let containers = Target.Dependency.product(
  name: "BasicContainers", package: "swift-collections")

// Header compression of HTTP/2; nothing of its event loops is used.
let hpack = Target.Dependency.product(name: "NIOHPACK", package: "swift-nio-http2")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")

let package = Package(
  name: "PushBench",
  products: [
    .library(name: "PushBench", targets: ["PushBench"]),
    .executable(name: "pushbench", targets: ["PushBenchCommand"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
  ],
  targets: [
    // Bytes and instants.
    layer("Timeline"),
    layer("Wire", ["Timeline"]),
    // Deliveries and their custody: what oracles judge, wherever it came from.
    layer("Custody", ["Timeline"]),
    // One instruction of the processor.
    .systemLibrary(name: "CPrefetch"),
    // How the C library allocates.
    .systemLibrary(name: "CMalloc"),
    // Files as memory.
    inC("CMapping"),
    // Packets to connections.
    .systemLibrary(
      name: "CPcap", pkgConfig: "libpcap", providers: [.apt(["libpcap-dev"])]),
    layer("Capture", ["CMapping", "CPcap", "CPrefetch", "Timeline", "Wire", containers]),
    // Connections in TLS to connections in the clear.
    layer("TLS", ["Timeline", "Wire", crypto, cryptoExtras]),
    // Virtual time, machines, transport, scenarios, faults.
    layer("Simulation", ["Timeline", "Custody", containers]),
    // Connections in HTTP/2 to their streams.
    layer("HTTP2", ["Timeline", "Wire", hpack, nioCore]),
    // One folder a protocol: codec, observation of captures, machines.
    layer(
      "PushProtocols", ["CPrefetch", "Timeline", "Wire", "Custody", "Simulation", "HTTP2"],
      also: fast),
    // Connections in WebSocket to what is in the messages.
    layer("WebSocket", ["Wire"]),
    // Captures with all that is around their protocols taken off.
    layer("Unwrapping", ["Timeline", "Wire", "Capture", "TLS", "WebSocket"]),
    // Captures to sessions, deliveries and findings.
    layer(
      "Inspection",
      [
        "Timeline", "Wire", "Custody", "Capture", "TLS", "WebSocket", "PushProtocols",
        "Unwrapping",
      ]),
    // What is in captures as files: streams of bytes, packets of one session.
    layer(
      "Export", ["Timeline", "Wire", "Custody", "Capture", "TLS", "Unwrapping", "Inspection"]),
    layer("Oracles", ["Timeline", "Custody"]),
    layer(
      "Replay",
      [
        "Timeline", "Wire", "Custody", "Capture", "Simulation", "PushProtocols", "Oracles",
        "Unwrapping",
      ]),
    layer("Shrinking", ["Timeline", "Custody", "Simulation"]),
    layer("Search", ["Timeline", "Custody", "Simulation", "Oracles", "Shrinking"]),
    // One campaign on several machines, and what it measured.
    layer(
      "Comparison", ["Timeline", "Custody", "Simulation", "Oracles", "Shrinking", "Search"]),
    layer(
      "Reporting",
      [
        "Timeline", "Custody", "Simulation", "PushProtocols", "Oracles", "Replay", "Shrinking",
        "Search", "Comparison",
      ]),
    layer(
      "PushBench",
      [
        "Timeline", "Wire", "Custody", "Capture", "TLS", "Simulation", "PushProtocols", "Oracles",
        "HTTP2", "WebSocket", "Unwrapping", "Inspection", "Export", "Replay", "Shrinking", "Search",
        "Comparison", "Reporting",
      ]),
    .executableTarget(
      name: "PushBenchCommand", dependencies: ["CMalloc", "PushBench", argumentParser],
      swiftSettings: strict),
    .executableTarget(
      name: "CaptureSpeed",
      dependencies: ["Capture", "Custody", "Inspection", "Unwrapping", "Wire"],
      path: "Benchmarks/CaptureSpeed", swiftSettings: strict),
    // The allocation counter stands in for malloc, so only benchmarks may link it.
    .target(name: "CAllocations", path: "Benchmarks/CAllocations"),
    .executableTarget(
      name: "SimulationSpeed",
      dependencies: ["CAllocations", "PushBench"],
      path: "Benchmarks/SimulationSpeed", swiftSettings: strict),
    tests("TimelineTests", ["Timeline"]),
    .testTarget(name: "ReadmeTests", dependencies: ["PushBenchCommand"], swiftSettings: strict),
    tests("WireTests", ["Wire"]),
    tests("ReportingTests", ["Reporting", "Timeline"]),
    tests("TidyTests", []),
    tests("SimulationTests", ["Simulation", "Custody", "Timeline"]),
    tests(
      "PushProtocolsTests",
      ["PushProtocols", "Custody", "HTTP2", "Oracles", "Simulation", "Timeline", "Wire"]),
    // A protocol without a protocol: plants a rule and sees whether search and shrinking find it.
    .target(
      name: "ToyBench", dependencies: ["Timeline", "Custody", "Simulation"], path: "Tests/ToyBench",
      swiftSettings: strict),
    tests("ScenarioScriptTests", ["Timeline", "Custody", "Simulation", "Reporting", "ToyBench"]),
    tests(
      "InspectionTests",
      [
        "Inspection", "Capture", "Custody", "PushProtocols", "Reporting", "TLS", "Timeline",
        "Unwrapping", "Wire",
      ]),
    tests(
      "ExportTests",
      ["Export", "Capture", "Custody", "Inspection", "TLS", "Unwrapping", "Wire"]),
    tests("HTTP2Tests", ["HTTP2", "Timeline", "Wire", hpack, nioCore]),
    tests("WebSocketTests", ["WebSocket", "Timeline", "Wire"]),
    tests("UnwrappingTests", ["Unwrapping", "Capture", "TLS", "Timeline", "Wire"]),
    tests("OraclesTests", ["Timeline", "Custody", "Oracles"]),
    tests(
      "ReplayTests",
      [
        "Timeline", "Wire", "Custody", "Simulation", "PushProtocols", "Inspection", "Oracles",
        "Replay", "Reporting", "TLS", "Unwrapping",
      ]),
    tests("TLSTests", ["TLS", "Capture", "Timeline", "Wire", crypto, cryptoExtras]),
    tests("CaptureTests", ["Capture", "Timeline", "Wire"]),
    tests(
      "ShrinkingTests",
      ["Timeline", "Custody", "Simulation", "Oracles", "Shrinking", "Search", "ToyBench"]),
    tests(
      "SearchTests",
      [
        "Timeline", "Custody", "Simulation", "Oracles", "Shrinking", "Search", "Reporting",
        "ToyBench",
      ]),
    tests(
      "ComparisonTests",
      [
        "Timeline", "Custody", "Simulation", "PushProtocols", "Oracles", "Search", "Comparison",
        "Reporting",
      ]),
    tests("CorpusTests", ["PushBench"]),
    // Readers of bytes that anybody may have written, from the bytes on: replayed by tests, and
    // searched by `make fuzz`.
    .target(
      name: "FuzzTargets",
      dependencies: [
        "Timeline", "Wire", "Custody", "Capture", "TLS", "WebSocket", "Simulation",
        "PushProtocols", "Unwrapping", "Reporting",
      ], path: "Tests/FuzzTargets", swiftSettings: strict),
    .testTarget(
      name: "HostileInputTests", dependencies: ["FuzzTargets", "Simulation"],
      exclude: ["Inputs"], swiftSettings: strict),
    // Runs the executable, which has to be built for that.
    tests("CommandTests", ["PushBenchCommand"]),
  ]
)

// libFuzzer is linked by an option of the compiler, so the search is no part of a usual build.
if Context.environment["PUSHBENCH_FUZZING"] != nil {
  package.targets.append(
    .executableTarget(
      name: "FuzzDriver", dependencies: ["FuzzTargets"], path: "Tests/FuzzDriver",
      swiftSettings: strict,
      linkerSettings: [
        .unsafeFlags(["-sanitize=fuzzer,address"]),
        // gold, which Swift takes on Linux, breaks on what the sanitizers leave.
        .unsafeFlags(["-use-ld=lld"], .when(platforms: [.linux])),
      ]))
}
