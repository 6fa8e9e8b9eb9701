package conformance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"sort"
	"strings"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

var (
	errWouldBlock      = socket.ErrWouldBlock
	errUnsupportedHere = errors.New("unsupported here: the line or the script needs a mark, as in [!windows: why]")
)

// errorNames are the words that may stand after ->. An error with more than one promised identity must have all.
var errorNames = func() map[string][]error {
	m := map[string][]error{
		"exist":       {gopoll.ErrExist, fs.ErrExist},
		"notexist":    {gopoll.ErrNotExist, fs.ErrNotExist},
		"invalid":     {gopoll.ErrInvalid, fs.ErrInvalid},
		"closed":      {gopoll.ErrClosed, os.ErrClosed},
		"canceled":    {gopoll.ErrCanceled},
		"limit":       {gopoll.ErrLimit},
		"unsupported": {errors.ErrUnsupported},
		"connclosed":  {net.ErrClosed},
		"wouldblock":  {errWouldBlock},
		"context":     {context.Canceled},
	}
	for name, err := range systemErrors {
		m[name] = []error{err}
	}
	return m
}()

// checkError compares an error with what the script wants, "" for none.
func checkError(err error, want string) error {
	if want == "" {
		if err != nil {
			return fmt.Errorf("expected: no error\ncame:     %v", err)
		}
		return nil
	}
	if err == nil {
		return fmt.Errorf("expected: error %s\ncame:     no error", want)
	}
	for _, name := range strings.Split(want, "|") {
		if !slices.ContainsFunc(errorNames[name], func(target error) bool { return !errors.Is(err, target) }) {
			return nil
		}
	}
	return fmt.Errorf("expected: error %s\ncame:     %v (%T)", want, err, err)
}

// checkTyped is checkError for a call of package gopoll: its errors name the operation and the descriptor.
func checkTyped(err error, want, op string, fd uintptr) error {
	if bad := checkError(err, want); bad != nil || err == nil {
		return bad
	}
	var typed *gopoll.Error
	switch {
	case !errors.As(err, &typed):
		return fmt.Errorf("expected: a *gopoll.Error\ncame:     %v (%T)", err, err)
	case typed.Op != op:
		return fmt.Errorf("expected: an error of the operation %q\ncame:     %q: %v", op, typed.Op, err)
	case typed.Fd != fd:
		return fmt.Errorf("expected: an error that names descriptor %d\ncame:     %d: %v", int(fd), int(typed.Fd), err)
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
