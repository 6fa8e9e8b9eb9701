// Package socket holds the few non-blocking socket calls that a readiness loop
// needs, with one signature and one [ErrWouldBlock] on Linux, macOS, the BSDs
// and Windows.
//
// It is for programs that own their descriptors: open them here, hand them to a
// poller, and read, write or accept until ErrWouldBlock. Every descriptor that
// this package returns is non-blocking and is not inherited by child processes.
// Networks are tcp, tcp4, tcp6, udp, udp4, udp6, unix and unixgram; addresses
// are written, and names resolved, as in package net. Options are those of net
// too: address reuse and dual stack where net has them, TCP without delay.
// Keep-alive stays as the system has it.
//
// It is a helper and not a second net package. There are no deadlines, no
// contexts, no goroutines, no racing of several addresses, no socket options
// and no control messages: where those are needed, open the socket with net and
// give the connection to the poller, or pass the descriptor to golang.org/x/sys.
//
// Nothing here guards a descriptor against use after Close: numbers are reused,
// and the owner of the number is the caller.
package socket
