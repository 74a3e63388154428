// Command pictures draws what the commands that measure have kept in the folder samples: every time
// is a dot, or a step of a curve. The pictures are in internal/docs/pictures, for README and the guide.
//
//	go run .
//
// A set of samples is written by the command that its head names: make bench, make node, make sim.
package main
