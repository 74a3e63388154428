// Package proc runs the child processes that tests and examples break: it starts them, freezes them,
// thaws them, kills them, reaps them, and keeps what they say.
//
// No child is left behind. Each is a process group of its own, so that Ctrl-C is for whoever started
// it. Should that one die, the kernel kills the child (Linux). A child that calls [Told] also ends by
// itself, at the end of its standard input; one that is frozen then is woken by the kernel, which tells
// an orphaned group (SIGHUP, SIGCONT).
package proc
