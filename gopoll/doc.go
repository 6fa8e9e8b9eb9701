// Package gopoll tells a program which of its many sockets and descriptors
// are ready, the same way on Linux (epoll), macOS and the BSDs (kqueue) and
// Windows (I/O completion ports).
//
// A [Poller] is one kernel queue. [Poller.Add] registers a descriptor with a
// key, an interest and a [Mode], and gives a [Source], its handle;
// [Poller.Wait] reports events with that key, one for each source that is
// ready. The same rules hold on every system and for both bindings, the one
// through cgo and the one in Go alone; the table of promises is in the
// README, and every row of it is a script in testdata/conformance.
//
// # Lending
//
// [Source.LendRead] and [Source.LendWrite] hand a buffer to the poller, pinned
// against the garbage collector, until an event brings it back. On Windows the
// kernel works in the buffer itself; on the other systems a Wait moves the
// bytes of all buffers whose sources are ready, many in one crossing into C.
//
// # Concurrency
//
// Every method may be called from any goroutine, also during a Wait, and
// several goroutines may wait. A blocked Wait holds one OS thread.
//
// # What it is not
//
// It is no server framework, has no timers, and reads or writes nothing that
// was not lent to it. Programs that own their descriptors find the calls that
// they need in package socket; connections of package net are registered with
// [Poller.AddConn]. For most servers package net alone is the right choice.
package gopoll
