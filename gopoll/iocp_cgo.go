//go:build windows && cgo && !purego

package gopoll

import "gopoll.dev/cbind"

func openCgo() (iocpBinding, error) { return cbind.OpenIocp() }
