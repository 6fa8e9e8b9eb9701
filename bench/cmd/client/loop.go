package main

/*
#cgo CFLAGS: -std=c11 -O2 -Wall -Wextra
#cgo noescape client_turn
#cgo nocallback client_turn
#include "loop.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

var errMixed = errors.New("the server sent a byte that isn't the one it was sent")

// A loop owns the hot loop in C. Its latencies are valid until the next turn.
type loop struct {
	c         *C.struct_client
	latencies [4096]int64
}

func newLoop(fds []int32, size int) (*loop, error) {
	c := C.client_new((*C.int)(&fds[0]), C.int(len(fds)), C.int(size))
	if c == nil {
		return nil, errors.New("no memory or descriptors for the client")
	}
	return &loop{c: c}, nil
}

func (l *loop) free() { C.client_free(l.c) }

func (l *loop) closed(from, to int) error {
	return failure(C.client_closed(l.c, C.int(from), C.int(to)))
}

func (l *loop) stop() { C.client_stop(l.c) }

func (l *loop) paced(rate float64, total int64) {
	C.client_paced(l.c, C.double(1e9/rate), C.int64_t(total))
}

func (l *loop) turn() ([]int64, error) {
	n := C.client_turn(l.c, (*C.int64_t)(&l.latencies[0]), C.int(len(l.latencies)))
	if n < 0 {
		return nil, failure(n)
	}
	return l.latencies[:n], nil
}

func (l *loop) now() time.Duration { return time.Duration(C.client_now(l.c)) }
func (l *loop) waiting() int64     { return int64(C.client_waiting(l.c)) }

func (l *loop) abandon() []int64 {
	left := make([]int64, l.waiting())
	if len(left) == 0 {
		return nil
	}
	return left[:C.client_abandon(l.c, (*C.int64_t)(&left[0]), C.int(len(left)))]
}

func failure(code C.int) error {
	switch errno := unix.Errno(-code); {
	case code >= 0:
		return nil
	case errno == unix.EBADMSG:
		return errMixed
	default:
		return fmt.Errorf("talking to the server: %w", errno)
	}
}
