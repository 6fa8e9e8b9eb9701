// Package abi holds the flat structs that gopoll and its two bindings hand to
// each other. cbind.h declares the same layouts for C and asserts them there;
// the test of package cbind compares field by field.
package abi

// Fact is one native event as the kernel told it: what it means is decided in
// package gopoll.
type Fact struct {
	Data uint64 // what was registered with the source
	Bits uint32 // native event bits
	Aux  int32  // a native code beside them, or 0
}

// EpollChange is one epoll_ctl(2) call; Err is its result, 0 or an errno.
type EpollChange struct {
	Data   uint64
	Fd     int32
	Op     int32
	Events uint32
	Err    int32
}

// Transfer is one attempt to move the bytes of a lent buffer without blocking.
// Addr is the address of Len bytes that the owner of the lend keeps pinned.
type Transfer struct {
	Addr uint64
	Len  uint32
	Fd   int32
	Op   uint16 // one of the Transfer constants
	Cut  uint16 // what TransferReceive had to leave out: Cut bits
	N    int32  // bytes moved
	Err  int32  // 0 or an errno
	_    int32
}

// What a message had beside the bytes that were moved.
const (
	CutData    = 1 // more bytes than Len
	CutControl = 2 // control data, such as descriptors
)

// What a Transfer calls. Sockets have calls of their own: send can be kept
// from raising SIGPIPE, and recvmsg tells what was cut.
const (
	TransferRead    = 0 // read(2)
	TransferWrite   = 1 // write(2)
	TransferReceive = 2 // recvmsg(2)
	TransferSend    = 3 // send(2) with MSG_NOSIGNAL
)
