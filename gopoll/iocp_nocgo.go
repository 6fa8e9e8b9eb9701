//go:build windows && (!cgo || purego)

package gopoll

import "errors"

func openCgo() (iocpBinding, error) { return nil, errors.ErrUnsupported }
