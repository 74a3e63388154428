//go:build !unix

// Command postgres stops and freezes processes with Unix signals: it does nothing here.
package main

func main() {}
