//go:build windows

package purebind

import (
	"math"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"gopoll.dev/internal/abi"
)

const (
	ioctlAfdPoll        = 0x00012024
	soType              = 0x1008
	fileModeInformation = 16

	sioBaseHandle      = 0x48000022
	sioBSPHandle       = 0x4800001B
	sioBSPHandleSelect = 0x4800001C
	sioBSPHandlePoll   = 0x4800001D
	sioUDPConnReset    = 0x9800000C
	sioUDPNetReset     = 0x9800000F

	// Layers of providers stack; no sane system has more than a few.
	maxLayers = 16

	// Entries of one GetQueuedCompletionStatusEx.
	maxEntries = 128

	statusPending  = 0x00000103
	statusTimeout  = 0x00000102
	statusNotFound = 0xC0000225
)

// Addresses of the system's own functions: only from its own folder, never
// from the program's, where anybody may have put a DLL of that name.
var procs struct {
	once sync.Once
	err  error

	createPort, dequeue, post, setModes, readFile, writeFile uintptr
	deviceIoControl, cancelIo, queryInformation              uintptr
	wsaIoctl, wsaRecv, wsaSend, getsockopt                   uintptr
}

func load() error {
	procs.once.Do(func() {
		kernel32 := windows.NewLazySystemDLL("kernel32.dll")
		ntdll := windows.NewLazySystemDLL("ntdll.dll")
		winsock := windows.NewLazySystemDLL("ws2_32.dll")
		for _, p := range []struct {
			dll  *windows.LazyDLL
			name string
			addr *uintptr
		}{
			{kernel32, "CreateIoCompletionPort", &procs.createPort},
			{kernel32, "GetQueuedCompletionStatusEx", &procs.dequeue},
			{kernel32, "PostQueuedCompletionStatus", &procs.post},
			{kernel32, "SetFileCompletionNotificationModes", &procs.setModes},
			{kernel32, "ReadFile", &procs.readFile},
			{kernel32, "WriteFile", &procs.writeFile},
			{ntdll, "NtDeviceIoControlFile", &procs.deviceIoControl},
			{ntdll, "NtCancelIoFileEx", &procs.cancelIo},
			{ntdll, "NtQueryInformationFile", &procs.queryInformation},
			{winsock, "WSAIoctl", &procs.wsaIoctl},
			{winsock, "WSARecv", &procs.wsaRecv},
			{winsock, "WSASend", &procs.wsaSend},
			{winsock, "getsockopt", &procs.getsockopt},
		} {
			proc := p.dll.NewProc(p.name)
			if procs.err = proc.Find(); procs.err != nil {
				return
			}
			*p.addr = proc.Addr()
		}
	})
	return procs.err
}

// code is a status of the native interface as a Windows code.
func code(status uintptr) syscall.Errno {
	return windows.NTStatus(uint32(status)).Errno()
}

// Iocp is a completion port. The methods may be called from any goroutine; the
// caller sees to it that none is under way or begins after Close.
type Iocp struct {
	port uintptr

	mu      sync.Mutex
	scratch *entries // a list of those not in use
}

// entries is what a dequeue writes into. SyscallN makes its arguments escape,
// so they are kept and used again.
type entries struct {
	next  *entries
	count uint32
	array [maxEntries]struct {
		key         uintptr
		overlapped  uintptr
		internal    uintptr
		transferred uint32
	}
}

// OpenIocp makes a port with nothing associated.
func OpenIocp() (*Iocp, error) {
	if err := load(); err != nil {
		return nil, err
	}
	port, _, err := syscall.SyscallN(procs.createPort, uintptr(windows.InvalidHandle), 0, 0, 0)
	if port == 0 {
		return nil, err
	}
	return &Iocp{port: port}, nil
}

// Fd is the handle of the port.
func (p *Iocp) Fd() uintptr { return p.port }

// Helper opens a handle of the socket driver whose completions come to the
// port: an endpoint that is no socket, so that polls sent through it complete
// there and not where the socket's own do. The caller closes it.
func (p *Iocp) Helper() (uintptr, syscall.Errno) {
	helper, err := openHelper(0)
	if err != 0 {
		return 0, err
	}
	if err := p.Associate(helper); err != 0 {
		windows.CloseHandle(windows.Handle(helper))
		return 0, err
	}
	return helper, 0
}

// Prober opens a handle of the socket driver for requests that end before
// Submit does. The caller closes it.
func (p *Iocp) Prober() (uintptr, syscall.Errno) {
	return openHelper(windows.FILE_SYNCHRONOUS_IO_NONALERT)
}

func openHelper(options uint32) (uintptr, syscall.Errno) {
	name, err := windows.NewNTUnicodeString(`\Device\Afd\Gopoll`)
	if err != nil {
		return 0, windows.ERROR_INVALID_PARAMETER
	}
	attributes := windows.OBJECT_ATTRIBUTES{ObjectName: name}
	attributes.Length = uint32(unsafe.Sizeof(attributes))
	var helper windows.Handle
	var result windows.IO_STATUS_BLOCK
	if err := windows.NtCreateFile(&helper, windows.SYNCHRONIZE, &attributes, &result, nil, 0,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, windows.FILE_OPEN, options, 0, 0); err != nil {
		return 0, err.(windows.NTStatus).Errno()
	}
	return uintptr(helper), 0
}

// Associate has the handle's own overlapped calls complete on the port.
func (p *Iocp) Associate(handle uintptr) syscall.Errno {
	if r, _, err := syscall.SyscallN(procs.createPort, handle, p.port, 0, 0); r == 0 {
		return err
	}
	// Saves work: nobody looks at the handle's event. Where it can't be had,
	// under a layered provider, all is the same without.
	syscall.SyscallN(procs.setModes, handle, windows.FILE_SKIP_SET_EVENT_ON_HANDLE)
	return 0
}

// ioctl asks a socket one question: four bytes in at most, a handle out at most.
func ioctl(socket, code uintptr, in *uint32, out *uintptr) syscall.Errno {
	var bytes uint32
	var inSize, outSize uintptr
	if in != nil {
		inSize = unsafe.Sizeof(*in)
	}
	if out != nil {
		outSize = unsafe.Sizeof(*out)
	}
	r, _, err := syscall.SyscallN(procs.wsaIoctl, socket, code, uintptr(unsafe.Pointer(in)), inSize,
		uintptr(unsafe.Pointer(out)), outSize, uintptr(unsafe.Pointer(&bytes)), 0, 0)
	if r == 0 {
		return 0
	}
	return err
}

// baseSocket: some layered providers answer SIO_BASE_HANDLE with an error
// although they must not touch it. The handle they use for select is one layer
// further down.
func baseSocket(socket uintptr) (uintptr, syscall.Errno) {
	for range maxLayers {
		var base uintptr
		err := ioctl(socket, sioBaseHandle, nil, &base)
		if err == 0 {
			return base, 0
		}
		next := socket
		for _, code := range [...]uintptr{sioBSPHandleSelect, sioBSPHandlePoll, sioBSPHandle} {
			var lower uintptr
			if ioctl(socket, code, nil, &lower) == 0 && lower != socket {
				next = lower
				break
			}
		}
		if next == socket {
			return 0, err
		}
		socket = next
	}
	return 0, windows.WSAENOTSOCK
}

// Inspect asks what handle is, and for the socket below its providers.
func (p *Iocp) Inspect(handle uintptr) abi.Handle {
	var answer abi.Handle
	size := int32(unsafe.Sizeof(answer.Type))
	if failed, _, _ := syscall.SyscallN(procs.getsockopt, handle, windows.SOL_SOCKET, soType,
		uintptr(unsafe.Pointer(&answer.Type)), uintptr(unsafe.Pointer(&size))); failed == 0 {
		base, err := baseSocket(handle)
		answer.Base, answer.Err = uint64(base), uint32(err)
		return answer
	}

	file, e := windows.GetFileType(windows.Handle(handle))
	answer.File = file
	if e != nil {
		answer.Err = uint32(e.(syscall.Errno))
		return answer
	}
	var result windows.IO_STATUS_BLOCK
	status, _, _ := syscall.SyscallN(procs.queryInformation, handle, uintptr(unsafe.Pointer(&result)),
		uintptr(unsafe.Pointer(&answer.Mode)), unsafe.Sizeof(answer.Mode), fileModeInformation)
	if uint32(status) != 0 {
		answer.Err = uint32(code(status))
	}
	return answer
}

// Quiet keeps ICMP messages from failing receives of a datagram socket.
func (p *Iocp) Quiet(socket uintptr) syscall.Errno {
	var first syscall.Errno
	for _, code := range [...]uintptr{sioUDPConnReset, sioUDPNetReset} {
		var report uint32
		if err := ioctl(socket, code, &report, nil); err != 0 && first == 0 {
			first = err
		}
	}
	return first
}

// Submit starts every request; each gets its own Err.
func (p *Iocp) Submit(requests []abi.Request) {
	for i := range requests {
		requests[i].Err = uint32(submit(&requests[i]))
	}
}

func submit(r *abi.Request) syscall.Errno {
	b := abi.BlockAt(uintptr(r.Block))
	if r.Op == abi.RequestCancel {
		return cancel(r)
	}
	*b = abi.Block{Status: statusPending}
	switch r.Op {
	case abi.RequestPoll:
		return pollSocket(r, b)
	case abi.RequestProbe:
		return probeSocket(r, b)
	case abi.RequestReceive, abi.RequestSend:
		return transferSocket(r, b)
	case abi.RequestRead, abi.RequestWrite:
		return transferPipe(r)
	}
	return windows.ERROR_INVALID_PARAMETER
}

func pollAfd(r *abi.Request, b *abi.Block, timeout int64) uintptr {
	// Not exclusive: an exclusive poll ends those of every other process.
	b.Poll = abi.AfdPoll{Timeout: timeout, Count: 1, Handle: uintptr(r.Addr), Events: r.Len}
	poll := uintptr(r.Block) + unsafe.Offsetof(b.Poll)
	status, _, _ := syscall.SyscallN(procs.deviceIoControl, uintptr(r.Handle), 0, 0, uintptr(r.Block),
		uintptr(r.Block), ioctlAfdPoll, poll, unsafe.Sizeof(b.Poll), poll, unsafe.Sizeof(b.Poll))
	return status
}

func pollSocket(r *abi.Request, b *abi.Block) syscall.Errno {
	status := pollAfd(r, b, math.MaxInt64)
	if s := uint32(status); s == 0 || s == statusPending {
		return 0
	}
	return code(status)
}

func probeSocket(r *abi.Request, b *abi.Block) syscall.Errno {
	status := pollAfd(r, b, 0)
	if s := uint32(status); s != 0 && s != statusTimeout {
		return code(status)
	}
	r.Len = 0
	if uint32(status) == 0 && b.Poll.Count != 0 {
		r.Len = b.Poll.Events
	}
	return 0
}

func cancel(r *abi.Request) syscall.Errno {
	var result windows.IO_STATUS_BLOCK
	status, _, _ := syscall.SyscallN(procs.cancelIo, uintptr(r.Handle), uintptr(r.Block), uintptr(unsafe.Pointer(&result)))
	// None such: it has completed already, and its packet waits on the port.
	if s := uint32(status); s == 0 || s == statusNotFound {
		return 0
	}
	return code(status)
}

// started: whether a packet will come. It comes for successes and warnings,
// and a message cut to the buffer's length is a warning.
func started(ok bool, err syscall.Errno) syscall.Errno {
	if ok || err == windows.ERROR_IO_PENDING || err == windows.WSAEMSGSIZE || err == windows.ERROR_MORE_DATA {
		return 0
	}
	return err
}

func transferSocket(r *abi.Request, b *abi.Block) syscall.Errno {
	// The buffer's descriptor and the flags take the room of the poll: a
	// block serves one request at a time.
	t := (*transfer)(unsafe.Pointer(&b.Poll))
	*t = transfer{length: r.Len, addr: uintptr(r.Addr)}
	var failed uintptr
	var err syscall.Errno
	if r.Op == abi.RequestReceive {
		failed, _, err = syscall.SyscallN(procs.wsaRecv, uintptr(r.Handle), uintptr(unsafe.Pointer(t)), 1, 0,
			uintptr(unsafe.Pointer(&t.flags)), uintptr(r.Block), 0)
	} else {
		failed, _, err = syscall.SyscallN(procs.wsaSend, uintptr(r.Handle), uintptr(unsafe.Pointer(t)), 1, 0, 0,
			uintptr(r.Block), 0)
	}
	return started(failed == 0, err)
}

// transfer is a WSABUF, and the flags that WSARecv changes.
type transfer struct {
	length uint32
	addr   uintptr
	flags  uint32
}

func transferPipe(r *abi.Request) syscall.Errno {
	proc := procs.readFile
	if r.Op == abi.RequestWrite {
		proc = procs.writeFile
	}
	ok, _, err := syscall.SyscallN(proc, uintptr(r.Handle), uintptr(r.Addr), uintptr(r.Len), 0, uintptr(r.Block))
	return started(ok != 0, err)
}

// Dequeue is one GetQueuedCompletionStatusEx. timeout < 0 waits for ever; it
// may return up to a clock tick early.
func (p *Iocp) Dequeue(facts []abi.Fact, timeout time.Duration) (int, syscall.Errno) {
	e := p.take()
	defer p.give(e)
	room := min(len(facts), maxEntries)
	ok, _, err := syscall.SyscallN(procs.dequeue, p.port, uintptr(unsafe.Pointer(&e.array)), uintptr(room),
		uintptr(unsafe.Pointer(&e.count)), uintptr(uint32(abi.Milliseconds(timeout))), 0)
	if ok == 0 {
		if err == syscall.Errno(windows.WAIT_TIMEOUT) {
			err = 0
		}
		return 0, err
	}
	n := int(e.count)
	for i := range e.array[:n] {
		entry := &e.array[i]
		facts[i] = abi.Fact{Data: uint64(entry.overlapped), Bits: entry.transferred, Aux: int32(entry.key)}
	}
	return n, 0
}

func (p *Iocp) take() *entries {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.scratch
	if e == nil {
		return new(entries)
	}
	p.scratch = e.next
	return e
}

func (p *Iocp) give(e *entries) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.next, p.scratch = p.scratch, e
}

// Post queues a packet of its own: Data 0, Aux key.
func (p *Iocp) Post(key uintptr) syscall.Errno {
	if ok, _, err := syscall.SyscallN(procs.post, p.port, 0, key, 0); ok == 0 {
		return err
	}
	return 0
}

// Close closes the port.
func (p *Iocp) Close() error { return windows.CloseHandle(windows.Handle(p.port)) }
