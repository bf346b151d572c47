public import Simulation

/// The protocols that PushBench knows.
public enum ProtocolCatalog {
  public static let all: [ProtocolUnderTest] = [mqtt, apns, apnsProvider]

  public static let mqtt = ProtocolUnderTest(
    MQTTModel.self, machines: MQTTSpecimens.machineNames, standardClient: "mqtt.client@good",
    standardServer: "mqtt.broker@good",
    standardScenarios: MQTTStandardScenarios.all,
    makeBench: { MQTTSpecimens.makeBench(client: $0, server: $1) })

  public static let apns = ProtocolUnderTest(
    APNsModel.self, machines: APNsSpecimens.machineNames, standardClient: "apns.device@good",
    standardServer: "apns.server@good",
    standardScenarios: APNsStandardScenarios.all,
    makeBench: { APNsSpecimens.makeBench(client: $0, server: $1) })

  public static let apnsProvider = ProtocolUnderTest(
    APNsProviderModel.self, machines: APNsProviderSpecimens.machineNames,
    standardClient: "apns-provider.client@good", standardServer: "apns-provider.front@good",
    standardScenarios: APNsProviderStandardScenarios.all,
    makeBench: { APNsProviderSpecimens.makeBench(client: $0, server: $1) })

  /// The protocol of that name, as scenario files write it.
  public static func named(_ name: String) -> ProtocolUnderTest? {
    all.first { $0.name == name }
  }
}
