//go:build curl && cgo

package main

// #include <stdint.h>
// #include <curl/curl.h>
import "C"

import (
	"runtime/cgo"
	"unsafe"

	"gopoll.dev/gopoll"
)

// curlSocket is libcurl's word on what it wants to know of a socket. It comes
// within a call of ours to libcurl, on our goroutine.
//
//export curlSocket
func curlSocket(handle C.uintptr_t, fd C.curl_socket_t, what C.int) C.int {
	l := cgo.Handle(handle).Value().(*loop)
	var interest gopoll.Readiness
	switch what {
	case C.CURL_POLL_REMOVE:
		l.forget(uintptr(fd))
		return 0
	case C.CURL_POLL_IN:
		interest = gopoll.Readable
	case C.CURL_POLL_OUT:
		interest = gopoll.Writable
	case C.CURL_POLL_INOUT:
		interest = gopoll.Readable | gopoll.Writable
	}
	l.watch(uintptr(fd), interest)
	return 0
}

// curlTimer sets libcurl's one timer, or with -1 stops it.
//
//export curlTimer
func curlTimer(handle C.uintptr_t, ms C.long) {
	cgo.Handle(handle).Value().(*loop).setTimer(int64(ms))
}

// curlData takes a part of what a transfer brings; less than all of it ends it.
//
//export curlData
func curlData(handle C.uintptr_t, transfer C.size_t, data *C.char, size C.size_t) C.size_t {
	l := cgo.Handle(handle).Value().(*loop)
	// unsafe: the memory is libcurl's, valid for this call, and nothing keeps it.
	return C.size_t(l.write(int(transfer), unsafe.Slice((*byte)(unsafe.Pointer(data)), int(size))))
}
