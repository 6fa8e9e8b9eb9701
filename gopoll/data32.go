//go:build (386 || arm) && (freebsd || netbsd || openbsd)

package gopoll

// udata of kevent has 32 bits on these systems: 20 for the number of the
// slot, and 12 for the low bits of the stamp. An event of an older
// registration is then taken for one of the present with a chance of one in
// 4,096, where it is dequeued while another goroutine changes its source.
const (
	stampMask = 1<<12 - 1
	maxSlots  = 1 << 20
)

func nativeData(index, stamp uint32) uint64 { return uint64(index)<<12 | uint64(stamp&stampMask) }

func splitData(data uint64) (index, stamp uint32) {
	return uint32(data >> 12), uint32(data & stampMask)
}
