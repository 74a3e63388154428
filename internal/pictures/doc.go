// Command pictures draws what the commands that measure have kept in the folder samples: every time
// is a dot, or a step of a curve. The pictures are in internal/docs/pictures, for README and the guide.
//
//	go run .
//
// A set of samples is written by the command that its head names: make bench, make node, make sim.
//
// gonum.org/v1/plot draws, because it is kept, writes SVG by itself, and draws the same picture from
// the same samples each time. So a test can hold the pictures to the samples. It knows no style
// sheets: the colors it writes are numbers that a style sheet for both themes takes the place of.
package main
