//go:build windows

package abi

import "unsafe"

// Block is what Windows writes to after the call that named it has returned:
// an OVERLAPPED, which begins as an IO_STATUS_BLOCK does, and the operands of
// the one request under way. It must lie outside the Go heap, and stay until
// the completion of that request was dequeued.
type Block struct {
	Status      uintptr // NTSTATUS in the low 32 bits
	Information uintptr
	_           [2]uint32
	_           uintptr
	_           [(8 - unsafe.Sizeof(overlapped{})%8) % 8]byte
	Poll        AfdPoll
}

// overlapped is OVERLAPPED, for its size.
type overlapped struct {
	_, _ uintptr
	_    [2]uint32
	_    uintptr
}

// AfdPoll is AFD_POLL_INFO with the one handle that gopoll ever polls for.
type AfdPoll struct {
	Timeout   int64
	Count     uint32 // in: 1; out: 1, or 0 if nothing happened
	Exclusive uint32
	Handle    uintptr
	Events    uint32 // in: what to wait for; out: what happened
	Status    int32
}

// BlockAt is the block at an address inside a slab. Addresses are kept as
// integers: a pointer that outlived its slab would stop the garbage collector.
func BlockAt(addr uintptr) *Block {
	// unsafe: memory outside the Go heap, which never moves; read through
	// &addr because the rule against pointers from integers is about heap
	// objects, and vet cannot tell.
	return *(**Block)(unsafe.Pointer(&addr))
}

// Request is one operation to start, or to cancel, through its block.
type Request struct {
	Handle uint64 // AFD helper for RequestPoll; helper, socket or pipe otherwise
	Block  uint64 // address of the block
	Addr   uint64 // socket to poll, or address of the buffer, pinned by its lend
	Len    uint32 // event bits to poll for, or length of the buffer; out, for RequestProbe: those that hold
	Op     uint32 // one of the Request constants
	Err    uint32 // out: 0, or the Windows code with which no completion will come
	_      uint32
}

// What a Request starts.
const (
	RequestPoll    = 0 // IOCTL_AFD_POLL
	RequestCancel  = 1 // NtCancelIoFileEx
	RequestReceive = 2 // WSARecv
	RequestSend    = 3 // WSASend
	RequestRead    = 4 // ReadFile
	RequestWrite   = 5 // WriteFile
	RequestProbe   = 6 // IOCTL_AFD_POLL that does not wait and ends before Submit does
)

// Handle is what the system tells about a handle.
type Handle struct {
	Base uint64 // the socket below all layered providers, if it is a socket
	Type uint32 // SO_TYPE; 0: no socket
	File uint32 // GetFileType
	Mode uint32 // FILE_MODE_INFORMATION, if it is no socket
	Err  uint32 // 0, or the Windows code with which the handle was refused
}

// The bits of AFD_POLL_INFO. 0x40, connected, is not among them: it is
// indicated for as long as the connection lasts.
const (
	AfdReceive          = 0x0001
	AfdReceiveExpedited = 0x0002
	AfdSend             = 0x0004
	AfdDisconnect       = 0x0008
	AfdAbort            = 0x0010
	AfdLocalClose       = 0x0020
	AfdAccept           = 0x0080
	AfdConnectFail      = 0x0100
)
