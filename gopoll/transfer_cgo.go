//go:build unix && cgo && !purego

package gopoll

import (
	"gopoll.dev/cbind"
	"gopoll.dev/internal/abi"
)

func transferCgo(transfers []abi.Transfer) { cbind.Transfer(transfers) }
