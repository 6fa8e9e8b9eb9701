//go:build !cgo || purego

package main

// There is no C in this build.
var crossEmpty, crossC func()
