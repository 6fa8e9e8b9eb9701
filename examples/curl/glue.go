//go:build curl && cgo

package main

/*
#cgo LDFLAGS: -lcurl
#include <stdint.h>
#include <stdlib.h>
#include <curl/curl.h>

// In callbacks.go. A handle is a number: it is never typed as a pointer where
// Go's stack scan could meet it.
extern int curlSocket(uintptr_t handle, curl_socket_t fd, int what);
extern void curlTimer(uintptr_t handle, long ms);
extern size_t curlData(uintptr_t handle, size_t transfer, char *data, size_t size);

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *of_socket) {
	(void)easy, (void)of_socket;
	return curlSocket((uintptr_t)user, fd, what);
}

static int on_timer(CURLM *multi, long ms, void *user) {
	(void)multi;
	curlTimer((uintptr_t)user, ms);
	return 0;
}

// One transfer as its callback needs it.
struct transfer {
	uintptr_t handle;
	size_t index;
};

static size_t on_data(char *data, size_t size, size_t count, void *user) {
	struct transfer *t = user;
	return curlData(t->handle, t->index, data, size * count);
}

// curl_multi_setopt and curl_easy_setopt have variable arguments, which cgo can't pass.
static CURLM *multi_new(uintptr_t handle) {
	CURLM *multi = curl_multi_init();
	if (multi == NULL)
		return NULL;
	if (curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
	    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, (void *)handle) == CURLM_OK &&
	    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
	    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, (void *)handle) == CURLM_OK)
		return multi;
	curl_multi_cleanup(multi);
	return NULL;
}

static CURL *easy_new(const char *url, struct transfer *t) {
	CURL *easy = curl_easy_init();
	if (easy == NULL)
		return NULL;
	if (curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_PRIVATE, t) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK)
		return easy;
	curl_easy_cleanup(easy);
	return NULL;
}

// next_done takes the next transfer that has ended.
static CURL *next_done(CURLM *multi, CURLcode *code, struct transfer **t) {
	int left;
	CURLMsg *m;
	while ((m = curl_multi_info_read(multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		*code = m->data.result;
		char *private = NULL;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private);
		*t = (struct transfer *)private;
		return m->easy_handle;
	}
	return NULL;
}
*/
import "C"

import (
	"errors"
	"runtime/cgo"
	"unsafe"

	"gopoll.dev/gopoll"
)

// timeoutSocket stands for no socket: libcurl's own timer has run out.
const timeoutSocket = C.CURL_SOCKET_TIMEOUT

// multi is a set of transfers of libcurl.
type multi struct {
	c unsafe.Pointer // libcurl's CURLM and CURL are void
	// easy has the transfers that have not ended, with their memory in C.
	easy map[unsafe.Pointer]*C.struct_transfer
}

var errNoMemory = errors.New("libcurl has no memory")

func newMulti(handle cgo.Handle) (*multi, error) {
	if code := C.curl_global_init(C.CURL_GLOBAL_DEFAULT); code != C.CURLE_OK {
		return nil, curlError(code)
	}
	c := C.multi_new(C.uintptr_t(handle))
	if c == nil {
		return nil, errNoMemory
	}
	return &multi{c, map[unsafe.Pointer]*C.struct_transfer{}}, nil
}

func (m *multi) add(handle cgo.Handle, index int, url string) error {
	text := C.CString(url)
	defer C.free(unsafe.Pointer(text))
	t := (*C.struct_transfer)(C.malloc(C.sizeof_struct_transfer)) // C.malloc never returns nil
	t.handle, t.index = C.uintptr_t(handle), C.size_t(index)
	easy := C.easy_new(text, t)
	if easy == nil {
		C.free(unsafe.Pointer(t))
		return errNoMemory
	}
	m.easy[easy] = t
	return multiError(C.curl_multi_add_handle(m.c, easy))
}

// action tells libcurl what a socket is ready for.
func (m *multi) action(fd uintptr, ready gopoll.Readiness) error {
	var mask C.int
	if ready&gopoll.Readable != 0 {
		mask |= C.CURL_CSELECT_IN
	}
	if ready&gopoll.Writable != 0 {
		mask |= C.CURL_CSELECT_OUT
	}
	return m.act(C.curl_socket_t(fd), mask)
}

func (m *multi) timeout() error { return m.act(timeoutSocket, 0) }

func (m *multi) act(fd C.curl_socket_t, mask C.int) error {
	var running C.int
	return multiError(C.curl_multi_socket_action(m.c, fd, mask, &running))
}

// done takes the transfers that have ended.
func (m *multi) done(ended func(index int, err error)) {
	for {
		var code C.CURLcode
		var t *C.struct_transfer
		easy := C.next_done(m.c, &code, &t)
		if easy == nil {
			return
		}
		index, err := int(t.index), curlError(code)
		m.drop(easy)
		ended(index, err)
	}
}

func (m *multi) drop(easy unsafe.Pointer) {
	C.curl_multi_remove_handle(m.c, easy)
	C.curl_easy_cleanup(easy)
	C.free(unsafe.Pointer(m.easy[easy]))
	delete(m.easy, easy)
}

// close ends what has not ended, with the callbacks still at work.
func (m *multi) close() {
	for easy := range m.easy {
		m.drop(easy)
	}
	C.curl_multi_cleanup(m.c)
}

func curlError(code C.CURLcode) error {
	if code == C.CURLE_OK {
		return nil
	}
	return errors.New(C.GoString(C.curl_easy_strerror(code)))
}

func multiError(code C.CURLMcode) error {
	if code == C.CURLM_OK {
		return nil
	}
	return errors.New(C.GoString(C.curl_multi_strerror(code)))
}
