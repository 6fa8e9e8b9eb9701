//go:build !windows && cgo && !purego

package cbind

/*
#cgo CFLAGS: -O2 -std=c11 -D_GNU_SOURCE
#cgo noescape gopoll_transfer_all
#cgo nocallback gopoll_transfer_all
#include "cbind.h"
*/
import "C"

import (
	"unsafe"

	"gopoll.dev/internal/abi"
)

// Transfer tries every transfer once, in order, in one crossing. The caller
// keeps the buffers pinned.
func Transfer(transfers []abi.Transfer) {
	// unsafe: the pointer is valid for the call, and C keeps none.
	C.gopoll_transfer_all((*C.gopoll_transfer)(unsafe.Pointer(unsafe.SliceData(transfers))), C.int(len(transfers)))
}
