//go:build (!cgo || purego) && (darwin || dragonfly || freebsd || netbsd || openbsd || kqueue_double)

package gopoll

import "errors"

func openCgo() (kqueueBinding, error) { return nil, errors.ErrUnsupported }
