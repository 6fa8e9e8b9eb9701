// Package exampleserver is what the example servers have in common: the door
// that connections come in by, and the command line.
package exampleserver
