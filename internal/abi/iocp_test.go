//go:build windows

package abi

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
)

// TestLayout: what C asserts of its structs holds for Go's.
func TestLayout(t *testing.T) {
	var b Block
	var o windows.Overlapped
	var io windows.IO_STATUS_BLOCK
	for what, is := range map[string][2]uintptr{
		"Block.Status":      {unsafe.Offsetof(b.Status), unsafe.Offsetof(o.Internal)},
		"Block.Information": {unsafe.Offsetof(b.Information), unsafe.Offsetof(io.Information)},
		"overlapped":        {unsafe.Sizeof(overlapped{}), unsafe.Sizeof(o)},
		"Block.Poll % 8":    {unsafe.Offsetof(b.Poll) % 8, 0},
		"AfdPoll.Count":     {unsafe.Offsetof(b.Poll.Count), 8},
		"AfdPoll.Handle":    {unsafe.Offsetof(b.Poll.Handle), 16},
		"AfdPoll.Events":    {unsafe.Offsetof(b.Poll.Events), 16 + unsafe.Sizeof(uintptr(0))},
		"AfdPoll.Status":    {unsafe.Offsetof(b.Poll.Status), 20 + unsafe.Sizeof(uintptr(0))},
		"Request":           {unsafe.Sizeof(Request{}), 40},
		"Request.Len":       {unsafe.Offsetof(Request{}.Len), 24},
		"Request.Op":        {unsafe.Offsetof(Request{}.Op), 28},
		"Request.Err":       {unsafe.Offsetof(Request{}.Err), 32},
		"Handle":            {unsafe.Sizeof(Handle{}), 24},
		"Handle.Err":        {unsafe.Offsetof(Handle{}.Err), 20},
	} {
		if is[0] != is[1] {
			t.Errorf("%s: %d, want %d", what, is[0], is[1])
		}
	}
}

// TestErrno: a Windows code answers to the portable names, wrapped too.
func TestErrno(t *testing.T) {
	for _, c := range []struct {
		code syscall.Errno
		is   error
	}{
		{windows.WSAECONNREFUSED, syscall.ECONNREFUSED},
		{windows.WSAENOTSOCK, syscall.EBADF},
		{windows.ERROR_INVALID_HANDLE, syscall.EBADF},
		{windows.ERROR_OPERATION_ABORTED, syscall.ECANCELED},
		{windows.ERROR_FILE_NOT_FOUND, fs.ErrNotExist},
		{windows.WSAEWOULDBLOCK, windows.WSAEWOULDBLOCK},
		{SocketCode(uint32(windows.STATUS_CONNECTION_RESET)), syscall.ECONNRESET},
		{SocketCode(uint32(windows.STATUS_CANCELLED)), windows.ERROR_OPERATION_ABORTED},
		{FileCode(uint32(windows.STATUS_PIPE_BROKEN)), syscall.EPIPE},
	} {
		err := fmt.Errorf("wrapped: %w", Errno{c.code})
		if !errors.Is(err, c.is) {
			t.Errorf("%v is not %v", err, c.is)
		}
		var bare syscall.Errno
		if !errors.As(err, &bare) || bare != c.code {
			t.Errorf("%v hides its code", err)
		}
	}
	if errors.Is(Errno{windows.WSAECONNRESET}, syscall.ECONNREFUSED) {
		t.Error("a reset is no refusal")
	}
	if SocketCode(0) != 0 || FileCode(0) != 0 {
		t.Error("success has a code")
	}
}
