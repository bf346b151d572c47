import Custody
import Reporting
import Simulation
import Testing
import Timeline
import ToyBench

@Suite struct ScenarioScriptTests {
  let toy = ProtocolUnderTest.toy()

  func read(_ text: String) throws(ScenarioError) -> Scenario {
    try ScenarioScript.read(text, file: "x.scenario", catalog: [toy])
  }

  @Test func `every scenario reads back as it was written`() throws {
    for seed in UInt64(0)..<3000 {
      let scenario = RandomScenario.make(seed: seed)
      #expect(scenario.flaw == nil, "seed \(seed)")
      let text = ScenarioScript.write(scenario, for: toy)
      let back = try read(text)
      #expect(back == scenario, "seed \(seed)\n\(text)")
      guard back == scenario else { return }
    }
  }

  @Test func `a scenario reads as a person would write it`() throws {
    var scenario = Scenario(model: "toy", client: "toy.client@good", server: "toy.server@bad")
    scenario.source = "captures/a.pcap session 1"
    scenario.path.rtt = .milliseconds(42)
    scenario.topics = ["t/x"]
    scenario.devices = [
      Device(
        name: "gk", identity: "gk",
        parameters: [Parameter("keep-alive", 30_000_000_000), Parameter("clean", 1)]),
      Device(name: "pub", identity: "publisher 1"),
    ]
    let gk = NodeID(device: 0)
    scenario.steps = [
      Step(.start, gk, .connect),
      Step(.start + .milliseconds(1200), gk, .subscribe(topic: 0, quality: 1)),
      Step(
        .start + .seconds(2), NodeID(device: 1),
        .submit(Submission(publication: 1, topic: 0, quality: 1, expiry: .hours(1)))),
    ]
    scenario.faults = [
      Fault(.lose(.both, for: .minutes(2)), node: gk, .at(.start + .milliseconds(1500))),
      Fault(.cut, node: gk, .message(sender: .server, kind: 2, ordinal: 3)),
      Fault(.expireCredential, node: gk, .state(side: .client, state: 1, ordinal: 2)),
    ]
    scenario.expectations = [Expectation(oracle: "ghost", publication: 1, node: gk)]
    var notes = ScenarioNotes()
    notes.header = ["Found by a test."]
    notes.steps[2] = "delivery 1"
    let text = ScenarioScript.write(scenario, for: toy, notes: notes)
    #expect(
      text == """
        pushbench scenario 1
        # Found by a test.
        client  toy.client@good
        server  toy.server@bad
        source  captures/a.pcap session 1
        path    rtt 42ms
        device  gk  keep-alive 30s  clean yes
        device  pub  identity "publisher 1"

        +0s    gk     connect
        +1.2s  gk     subscribe t/x  qos 1
        +1.5s  fault  gk  lose both  for 2min
        +2s    pub    submit 1  topic t/x  qos 1  expires 1h  # delivery 1
        fault  gk  cut  at server push 3
        fault  gk  expire-credential  at client state "waiting for ack" 2

        expect  ghost  1 gk

        """)
    #expect(try read(text) == scenario)
  }

  @Test func `lines may stand in any order`() throws {
    let scenario = try read(
      """
      # a comment first
      pushbench scenario 1
      +2s gk submit 1 topic a qos 1   # the second
      +1s gk connect
      device gk
      server toy.server@good
      client toy.client@good
      expect none
      """)
    #expect(scenario.steps.map(\.time) == [.start + .seconds(1), .start + .seconds(2)])
    #expect(scenario.topics == ["a"])
    #expect(scenario.expectations.isEmpty)
  }

  static let header = """
    pushbench scenario 1
    client toy.client@good
    server toy.server@good
    device gk

    """

  @Test(arguments: [
    ("+1s gk conect", 5, 8, "Did you mean \"connect\"?"),
    ("+1s gl connect", 5, 5, "Did you mean \"gk\"?"),
    ("1s gk connect", 5, 1, "A line begins with a time"),
    ("+1 gk connect", 5, 1, "Write the time since the start"),
    ("+1s gk submit 0 topic a qos 1", 5, 15, "whole number from 1 to 59999"),
    ("+1s gk submit 1 topic a qos 3", 5, 29, "whole number from 0 to 2"),
    ("+1s gk submit 1 topik a qos 1", 5, 17, "Write \"topic\" here."),
    ("+1s gk submit 1 topic a", 5, 25, "Write \"qos\" here."),
    ("+1s fault gk lose both for 2m", 5, 28, "Write a number and a unit"),
    ("+1s fault gk loose both for 2min", 5, 14, "Did you mean \"lose\"?"),
    ("fault gk cut", 5, 14, "Begin the line with a time"),
    ("fault gk cut at server pusch 1", 5, 24, "Did you mean \"push\"?"),
    ("fault gk cut at server push 0", 5, 29, "whole number from 1"),
    ("fault gk cut at client state idel 1", 5, 30, "Did you mean \"idle\"?"),
    ("device gk", 5, 8, "name of its own"),
    ("device b keep-alife 3s", 5, 10, "Did you mean \"keep-alive\"?"),
    ("expect gost 1 gk", 5, 8, "Did you mean \"ghost\"?"),
    ("path rtt 4 ms", 5, 10, "Write a number and a unit"),
    ("+1s gk connect now", 5, 16, "a comment starts with #"),
    ("+1s \"gk connect", 5, 5, "End the word"),
    ("devise b", 5, 1, "Did you mean \"device\"?"),
  ])
  func `an error says where it is and what to do`(
    line: String, number: Int, column: Int, advice: String
  ) {
    let error = #expect(throws: ScenarioError.self) { try read(Self.header + line) }
    #expect(error?.line == number)
    #expect(error?.column == column)
    #expect(error?.advice.contains(advice) == true, "\(error?.advice ?? "")")
    #expect(error?.text == line)
    #expect(error?.file == "x.scenario")
  }

  @Test(arguments: [
    "", "# nothing", "pcap", "pushbench scenario 2", "pushbench scenario",
    "pushbench scenario 1", "pushbench scenario 1\nclient toy.cleint@good",
    "pushbench scenario 1\nclient toy.client@good",
    "pushbench scenario 1\nprotocol tuy",
    "\u{0}\u{1}\u{2}",
  ])
  func `a file that is no scenario is refused`(text: String) {
    #expect(throws: ScenarioError.self) { try read(text) }
  }

  @Test func `a caret points at the word`() {
    let error = #expect(throws: ScenarioError.self) { try read(Self.header + "+1s gl connect") }
    #expect(
      error?.description == """
        x.scenario:5:5: unknown device "gl"
          +1s gl connect
              ^
          Did you mean "gk"?
        """)
  }

  /// Whatever a text editor or a broken disk makes of a file: an error, never a crash.
  @Test func `damaged files never crash`() {
    var random = SeededRandom(seed: 7)
    for seed in UInt64(0)..<400 {
      var text = Array(
        ScenarioScript.write(RandomScenario.make(seed: seed), for: toy).unicodeScalars)
      for _ in 0..<(1 + random.below(4)) {
        let place = random.below(text.count)
        switch random.below(3) {
        case 0: text.remove(at: place)
        case 1: text.insert(Unicode.Scalar(UInt8(random.below(128))), at: place)
        default: text.swapAt(place, random.below(text.count))
        }
      }
      var damaged = ""
      damaged.unicodeScalars.append(contentsOf: text)
      do throws(ScenarioError) {
        let scenario = try read(damaged)
        #expect(scenario.flaw == nil, "seed \(seed)\n\(damaged)")
      } catch {
        #expect(!error.advice.isEmpty)
      }
    }
  }
}
