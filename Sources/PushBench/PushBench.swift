// The library that users import: every layer, under one name.
@_exported public import Capture
@_exported public import Comparison
@_exported public import Custody
@_exported public import Export
@_exported public import Inspection
@_exported public import Oracles
@_exported public import PushProtocols
@_exported public import Replay
@_exported public import Reporting
@_exported public import Search
@_exported public import Shrinking
@_exported public import Simulation
@_exported public import TLS
@_exported public import Timeline
@_exported public import Unwrapping
@_exported public import WebSocket
@_exported public import Wire
