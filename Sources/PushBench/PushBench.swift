// The library that users import: every layer, under one name.
@_exported public import Custody
@_exported public import Inspection
@_exported public import Reporting
@_exported public import Timeline
