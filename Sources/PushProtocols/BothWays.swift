import Wire

/// One value for each direction of a connection, side by side.
struct BothWays<Value> {
  var toServer: Value
  var toClient: Value

  init(_ value: Value) {
    toServer = value
    toClient = value
  }

  subscript(direction: Direction) -> Value {
    get {
      switch direction {
      case .toServer: toServer
      case .toClient: toClient
      }
    }
    _modify {
      switch direction {
      case .toServer: yield &toServer
      case .toClient: yield &toClient
      }
    }
  }
}
