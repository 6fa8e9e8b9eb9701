//go:build cgo && !purego && (darwin || dragonfly || freebsd || netbsd || openbsd || kqueue_double)

package gopoll

import "gopoll.dev/cbind"

func openCgo() (kqueueBinding, error) { return cbind.OpenKqueue() }
