//go:build cgo && !purego

package main

/*
#cgo nocallback cgocost_empty
#cgo nocallback cgocost_native
#ifdef _WIN32
#include <windows.h>
static void cgocost_native(void) { (void)GetCurrentProcessId(); }
#else
#include <unistd.h>
static void cgocost_native(void) { (void)getppid(); }
#endif
static void cgocost_empty(void) {}
*/
import "C"

var (
	crossEmpty = func() { C.cgocost_empty() }
	crossC     = func() { C.cgocost_native() }
)
