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

// KqueueChange is one change of a kevent(2) call. Filter is one of the
// constants below, Flags and Fflags are native. Where Refuse is not zero the
// descriptor is looked at with fstat(2) first: Type becomes the file type of
// st_mode, shifted to the right by 12, and a type whose bit is in Refuse fails
// with EPERM. Err is 0 or an errno.
type KqueueChange struct {
	Data   uint64
	Fd     int32
	Err    int32
	Filter uint16
	Flags  uint16
	Fflags uint32
	Refuse uint32
	Type   uint32
}

// The filters of kevent(2) that gopoll knows; the systems number them
// differently. In a Fact the filter is in the upper half of Bits, the flags
// are in the lower, and Aux is fflags.
const (
	KqueueRead   = 0
	KqueueWrite  = 1
	KqueueExcept = 2 // not everywhere
	KqueueUser   = 3 // not everywhere
)

// The flags of kevent(2), which have the same values on every system; the
// bindings assert it.
const (
	KqueueAdd      = 0x0001
	KqueueDelete   = 0x0002
	KqueueEnable   = 0x0004
	KqueueDisable  = 0x0008
	KqueueClear    = 0x0020
	KqueueReceipt  = 0x0040
	KqueueDispatch = 0x0080
	KqueueError    = 0x4000
	KqueueEOF      = 0x8000
)

// KqueueBatch bounds the events of one wait, whose native structs stand on
// the stack of C, and the changes of one kevent(2) call.
const KqueueBatch = 256

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
