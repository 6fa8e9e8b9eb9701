package main

import (
	"bytes"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// maxHead bounds the head of a request.
const maxHead = 8 << 10

// headEnd is the length of the head at the beginning of b, with its empty line,
// or -1 where it is not complete.
func headEnd(b []byte) int {
	for i := 0; ; {
		k := bytes.IndexByte(b[i:], '\n')
		if k < 0 {
			return -1
		}
		i += k + 1
		switch rest := b[i:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return i + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return i + 2
		}
	}
}

// answer is what becomes of a request.
type answer struct {
	status  int
	page    *page // or nil: a line that says the status
	head    bool  // the headers only
	close   bool  // nothing follows on this connection
	old     bool  // HTTP/1.0
	keep    bool  // an old client that wants the connection kept
	skip    int64 // length of the request's own body, to be passed over
	proceed bool  // the client waits for a 100 before it sends that
}

// decide says what a request is answered.
func (s site) decide(head []byte, parse func([]byte) (*http.Request, error)) answer {
	req, err := parse(head)
	if err != nil {
		return answer{status: http.StatusBadRequest, close: true}
	}
	a := answer{head: req.Method == http.MethodHead, close: req.Close, old: !req.ProtoAtLeast(1, 1)}
	a.keep = a.old && !a.close
	expect := req.Header.Get("Expect")
	switch {
	case req.ProtoMajor != 1:
		return answer{status: http.StatusHTTPVersionNotSupported, close: true}
	case hosts(head) > 1, req.Host == "" && !a.old:
		return answer{status: http.StatusBadRequest, close: true}
	case expect != "" && !strings.EqualFold(expect, "100-continue"):
		return answer{status: http.StatusExpectationFailed, head: a.head, close: true}
	case req.Method != http.MethodGet && !a.head:
		// Whatever body it has goes unread, and with it all that follows.
		return answer{status: http.StatusMethodNotAllowed, close: true}
	case req.ContentLength < 0:
		a.close = true // a chunked body: nobody here cares where it ends
	default:
		a.skip = req.ContentLength
		a.proceed = a.skip > 0 && expect != "" && !a.old
	}
	name := path.Clean("/" + req.URL.Path)
	if strings.HasSuffix(req.URL.Path, "/") && name != "/" {
		name += "/"
	}
	p := s[name]
	switch {
	case p == nil:
		a.status = http.StatusNotFound
	case matches(req.Header.Values("If-None-Match"), p.tag):
		a.status, a.page = http.StatusNotModified, p
	default:
		a.status, a.page = http.StatusOK, p
	}
	return a
}

// hosts counts the Host lines: http.ReadRequest takes the first and drops the rest.
func hosts(head []byte) (n int) {
	for line := range bytes.Lines(head) {
		if name, _, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(name, []byte("host")) {
			n++
		}
	}
	return n
}

func matches(lists []string, tag string) bool {
	for _, list := range lists {
		for item := range strings.SplitSeq(list, ",") {
			item = strings.TrimPrefix(strings.TrimSpace(item), "W/")
			if item == tag || item == "*" {
				return true
			}
		}
	}
	return false
}

// write appends the answer's head and returns its body.
func (a answer) write(out []byte, date string) ([]byte, []byte) {
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(a.status), 10)
	out = append(out, ' ')
	out = append(out, http.StatusText(a.status)...)
	out = header(out, "Server", "gopoll-httpd")
	out = header(out, "Date", date)
	var body []byte
	switch {
	case a.page == nil:
		body = []byte(http.StatusText(a.status) + "\n")
		out = header(out, "Content-Type", "text/plain; charset=utf-8")
		out = header(out, "X-Content-Type-Options", "nosniff")
	default:
		body = a.page.body
		out = header(out, "Content-Type", a.page.kind)
		out = header(out, "ETag", a.page.tag)
		out = header(out, "Last-Modified", a.page.modified)
	}
	if a.status == http.StatusMethodNotAllowed {
		out = header(out, "Allow", "GET, HEAD")
	}
	if a.status == http.StatusNotModified {
		body = nil
	} else {
		out = header(out, "Content-Length", strconv.Itoa(len(body)))
	}
	switch {
	case a.close:
		out = header(out, "Connection", "close")
	case a.keep:
		out = header(out, "Connection", "keep-alive")
	}
	if a.head {
		body = nil
	}
	return append(out, "\r\n\r\n"...), body
}

func header(out []byte, name, value string) []byte {
	out = append(out, "\r\n"...)
	out = append(out, name...)
	out = append(out, ": "...)
	return append(out, value...)
}
