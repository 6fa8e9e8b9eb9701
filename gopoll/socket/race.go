//go:build race

package socket

import "sync/atomic"

// What one goroutine did before it wrote to a socket happens before what another
// does once it has read from one. The race detector can't see that order through
// the kernel; these show it an order that is at least as strong.
var ioOrder atomic.Uint32

func releaseIO() { ioOrder.Add(1) }
func acquireIO() { ioOrder.Load() }
