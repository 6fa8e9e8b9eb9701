//go:build linux && (!cgo || purego) && !kqueue_double

package gopoll

import "errors"

func openCgo() (epollBinding, error) { return nil, errors.ErrUnsupported }
