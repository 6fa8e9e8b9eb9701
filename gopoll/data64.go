//go:build !((386 || arm) && (freebsd || netbsd || openbsd))

package gopoll

// User data has 64 bits: the number of the slot, and the stamp.
const (
	stampMask = 1<<32 - 1
	maxSlots  = 1<<32 - 1
)

func nativeData(index, stamp uint32) uint64 { return uint64(index)<<32 | uint64(stamp) }

func splitData(data uint64) (index, stamp uint32) { return uint32(data >> 32), uint32(data) }
