// Package structure tests what the packages of all modules must not reach: see rules.
package structure
