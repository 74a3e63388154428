package main

// ofTransport are bugs in the connections of the elector's client. The simulator has
// none.
func ofTransport() []mutant {
	return []mutant{
		{
			name: "no-pings", file: fileReconnect, pkg: pkgSingleton, run: "TestInClusterLeavesDeadConnections",
			old: "transport.Wrappers(withPings, config.WrapTransport)", new: "transport.Wrappers(nil, config.WrapTransport)",
			why: "a dead connection is kept for three times as long as a lease",
		},
		{
			name: "no-pings-under-a-wrapper", file: fileReconnect, pkg: pkgSingleton, run: "TestHardened",
			old: "transport.Wrappers(withPings, config.WrapTransport)", new: "transport.Wrappers(config.WrapTransport, withPings)",
			why: "the same, for who traces or measures requests",
		},
		{
			name: "slow-is-dead", file: fileReconnect, pkg: pkgSingleton, run: "TestSlowServer",
			old: "\t\tt.MaxIdleConnsPerHost = 1\n", new: "\t\tt.MaxIdleConnsPerHost = 1\n\t\tt.ResponseHeaderTimeout = pingAfter + pingTimeout\n",
			why: "a slow server's answers are given up, one after the other",
		},
		{
			name: "dead-connections-kept-idle", file: fileReconnect, pkg: pkgSingleton, run: "TestDeadConnectionOverHTTP1",
			old: "\t\tt.MaxIdleConnsPerHost = 1\n", new: "",
			why: "over HTTP/1.1, renewal after renewal is given to a dead connection",
		},
		{
			name: "transport-of-others-changed", file: fileReconnect, pkg: pkgSingleton, run: "TestHardened",
			old: "if config.Transport != nil {", new: "if false {",
			why: "a transport that is in use is changed beneath its users",
		},
		{
			name: "default-transport-changed", file: fileReconnect, pkg: pkgSingleton, run: "TestHardened",
			old: "if config.Dial == nil {", new: "if false {",
			why: "all the program's plain HTTP clients get the elector's settings",
		},
		{
			name: "revoked-token-kept", file: fileReconnect, pkg: pkgSingleton, run: "TestRevokedToken",
			old: "transport.ResettableTokenSourceWrapTransport(", new: "transport.TokenSourceWrapTransport(",
			why: "a minute of refusals, which is the end of a term",
		},
	}
}
