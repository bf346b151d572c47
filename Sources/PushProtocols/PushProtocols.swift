// PushProtocols
