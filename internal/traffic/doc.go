// Package traffic tests how requests reach the active through a real HAProxy and a real nginx, with
// replicas that are real processes: at a handover, a crash and a freeze. The proxies' configurations
// in testdata are the guide's.
package traffic
