//go:build cgo && !purego && !windows

package cbind

// #include "cbind.h"
import "C"

import (
	"unsafe"

	"gopoll.dev/internal/abi"
)

// field is a member of a struct that Go and C share, as each of them has it.
type field struct {
	name             string
	goOffset, goSize uintptr
	cOffset, cSize   uintptr
}

// layout lists what the header and package abi must agree on; the test of this
// package compares, as no test file can see C.
func layout() []field {
	var (
		f  abi.Fact
		cf C.gopoll_fact
		e  abi.EpollChange
		ce C.gopoll_epoll_change
		k  abi.KqueueChange
		ck C.gopoll_kqueue_change
		t  abi.Transfer
		ct C.gopoll_transfer
	)
	all := []field{
		{"Fact.Data", unsafe.Offsetof(f.Data), unsafe.Sizeof(f.Data), unsafe.Offsetof(cf.data), unsafe.Sizeof(cf.data)},
		{"Fact.Bits", unsafe.Offsetof(f.Bits), unsafe.Sizeof(f.Bits), unsafe.Offsetof(cf.bits), unsafe.Sizeof(cf.bits)},
		{"Fact.Aux", unsafe.Offsetof(f.Aux), unsafe.Sizeof(f.Aux), unsafe.Offsetof(cf.aux), unsafe.Sizeof(cf.aux)},

		{"EpollChange.Data", unsafe.Offsetof(e.Data), unsafe.Sizeof(e.Data), unsafe.Offsetof(ce.data), unsafe.Sizeof(ce.data)},
		{"EpollChange.Fd", unsafe.Offsetof(e.Fd), unsafe.Sizeof(e.Fd), unsafe.Offsetof(ce.fd), unsafe.Sizeof(ce.fd)},
		{"EpollChange.Op", unsafe.Offsetof(e.Op), unsafe.Sizeof(e.Op), unsafe.Offsetof(ce.op), unsafe.Sizeof(ce.op)},
		{"EpollChange.Events", unsafe.Offsetof(e.Events), unsafe.Sizeof(e.Events), unsafe.Offsetof(ce.events), unsafe.Sizeof(ce.events)},
		{"EpollChange.Err", unsafe.Offsetof(e.Err), unsafe.Sizeof(e.Err), unsafe.Offsetof(ce.err), unsafe.Sizeof(ce.err)},

		{"KqueueChange.Data", unsafe.Offsetof(k.Data), unsafe.Sizeof(k.Data), unsafe.Offsetof(ck.data), unsafe.Sizeof(ck.data)},
		{"KqueueChange.Fd", unsafe.Offsetof(k.Fd), unsafe.Sizeof(k.Fd), unsafe.Offsetof(ck.fd), unsafe.Sizeof(ck.fd)},
		{"KqueueChange.Err", unsafe.Offsetof(k.Err), unsafe.Sizeof(k.Err), unsafe.Offsetof(ck.err), unsafe.Sizeof(ck.err)},
		{"KqueueChange.Filter", unsafe.Offsetof(k.Filter), unsafe.Sizeof(k.Filter), unsafe.Offsetof(ck.filter), unsafe.Sizeof(ck.filter)},
		{"KqueueChange.Flags", unsafe.Offsetof(k.Flags), unsafe.Sizeof(k.Flags), unsafe.Offsetof(ck.flags), unsafe.Sizeof(ck.flags)},
		{"KqueueChange.Fflags", unsafe.Offsetof(k.Fflags), unsafe.Sizeof(k.Fflags), unsafe.Offsetof(ck.fflags), unsafe.Sizeof(ck.fflags)},
		{"KqueueChange.Refuse", unsafe.Offsetof(k.Refuse), unsafe.Sizeof(k.Refuse), unsafe.Offsetof(ck.refuse), unsafe.Sizeof(ck.refuse)},
		{"KqueueChange.Type", unsafe.Offsetof(k.Type), unsafe.Sizeof(k.Type), unsafe.Offsetof(ck._type), unsafe.Sizeof(ck._type)},

		{"Transfer.Addr", unsafe.Offsetof(t.Addr), unsafe.Sizeof(t.Addr), unsafe.Offsetof(ct.addr), unsafe.Sizeof(ct.addr)},
		{"Transfer.Len", unsafe.Offsetof(t.Len), unsafe.Sizeof(t.Len), unsafe.Offsetof(ct.len), unsafe.Sizeof(ct.len)},
		{"Transfer.Fd", unsafe.Offsetof(t.Fd), unsafe.Sizeof(t.Fd), unsafe.Offsetof(ct.fd), unsafe.Sizeof(ct.fd)},
		{"Transfer.Op", unsafe.Offsetof(t.Op), unsafe.Sizeof(t.Op), unsafe.Offsetof(ct.op), unsafe.Sizeof(ct.op)},
		{"Transfer.Cut", unsafe.Offsetof(t.Cut), unsafe.Sizeof(t.Cut), unsafe.Offsetof(ct.cut), unsafe.Sizeof(ct.cut)},
		{"Transfer.N", unsafe.Offsetof(t.N), unsafe.Sizeof(t.N), unsafe.Offsetof(ct.n), unsafe.Sizeof(ct.n)},
		{"Transfer.Err", unsafe.Offsetof(t.Err), unsafe.Sizeof(t.Err), unsafe.Offsetof(ct.err), unsafe.Sizeof(ct.err)},
	}
	return append(all,
		field{"Fact", 0, unsafe.Sizeof(f), 0, unsafe.Sizeof(cf)},
		field{"EpollChange", 0, unsafe.Sizeof(e), 0, unsafe.Sizeof(ce)},
		field{"KqueueChange", 0, unsafe.Sizeof(k), 0, unsafe.Sizeof(ck)},
		field{"Transfer", 0, unsafe.Sizeof(t), 0, unsafe.Sizeof(ct)})
}

// constants are numbers of package abi, by Go's word and by C's.
func constants() (ours, theirs []int) {
	return []int{abi.KqueueRead, abi.KqueueWrite, abi.KqueueExcept, abi.KqueueUser, abi.KqueueBatch,
			abi.TransferRead, abi.TransferWrite, abi.TransferReceive, abi.TransferSend, abi.CutData, abi.CutControl},
		[]int{C.GOPOLL_KQUEUE_READ, C.GOPOLL_KQUEUE_WRITE, C.GOPOLL_KQUEUE_EXCEPT, C.GOPOLL_KQUEUE_USER, C.GOPOLL_KQUEUE_BATCH,
			C.GOPOLL_TRANSFER_READ, C.GOPOLL_TRANSFER_WRITE, C.GOPOLL_TRANSFER_RECEIVE, C.GOPOLL_TRANSFER_SEND, C.GOPOLL_CUT_DATA, C.GOPOLL_CUT_CONTROL}
}
