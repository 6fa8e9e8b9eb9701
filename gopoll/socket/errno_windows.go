package socket

import (
	"syscall"

	"gopoll.dev/internal/abi"
)

func names(e syscall.Errno) []syscall.Errno { return abi.ErrnoNames(e) }
