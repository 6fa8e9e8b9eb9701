//go:build unix && (!cgo || purego)

package gopoll

import "gopoll.dev/internal/abi"

// transferCgo is never called: New refuses Cgo in this build.
func transferCgo([]abi.Transfer) { panic("gopoll: no cgo in this build") }
