// Command release says whether the commit that is checked out can be released
// under a version, and what that takes. It pushes and tags nothing.
//
//	go run . -version v0.1.0 [-go go]
//
// It makes the zip of each module that others can require, as a proxy would,
// serves them from files, and has a program outside of the repository require
// them at the version and run. It compares the exported API with that of the last
// tag, and looks for the licence of each module that a build of ours links.
package main
