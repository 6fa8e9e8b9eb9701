//go:build windows

package gopoll

import (
	"slices"
	"syscall"
)

// helperSockets bounds the sockets that are polled through one helper handle:
// to cancel a poll, the kernel looks through all that are pending on it.
const helperSockets = 32

// helpers are AFD handles that polls are sent through. They are associated
// with the port in place of the sockets, which may belong to another one.
type helpers struct {
	all    []helper
	roomy  []uint32 // open ones that have room
	closed []uint32 // places in all that are free
}

type helper struct {
	handle uintptr
	used   int
}

func (h *helpers) handle(index uint32) uintptr { return h.all[index].handle }

// take reserves a place for one socket.
func (h *helpers) take(bind iocpBinding) (uint32, error) {
	if len(h.roomy) == 0 {
		handle, errno := bind.Helper()
		if errno != 0 {
			return 0, errnoErr(errno)
		}
		if len(h.closed) == 0 {
			h.closed = append(h.closed, uint32(len(h.all)))
			h.all = append(h.all, helper{})
		}
		index := h.closed[len(h.closed)-1]
		h.closed = h.closed[:len(h.closed)-1]
		h.all[index].handle = handle
		h.roomy = append(h.roomy, index)
	}
	index := h.roomy[len(h.roomy)-1]
	if h.all[index].used++; h.all[index].used == helperSockets {
		h.roomy = h.roomy[:len(h.roomy)-1]
	}
	return index, nil
}

// give returns a place. A helper that nobody uses is closed unless it is the
// last one with room.
func (h *helpers) give(index uint32) {
	one := &h.all[index]
	if one.used == helperSockets {
		h.roomy = append(h.roomy, index)
	}
	if one.used--; one.used > 0 || len(h.roomy) == 1 {
		return
	}
	i := slices.Index(h.roomy, index)
	h.roomy = slices.Delete(h.roomy, i, i+1)
	syscall.CloseHandle(syscall.Handle(one.handle))
	*one = helper{}
	h.closed = append(h.closed, index)
}

// close closes every helper; nothing may be pending on them.
func (h *helpers) close() {
	for _, one := range h.all {
		if one.handle != 0 {
			syscall.CloseHandle(syscall.Handle(one.handle))
		}
	}
	*h = helpers{}
}
