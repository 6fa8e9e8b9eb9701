//go:build linux && cgo && !purego && !kqueue_double

package gopoll

import "gopoll.dev/cbind"

func openCgo() (epollBinding, error) { return cbind.OpenEpoll() }
