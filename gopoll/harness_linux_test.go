package gopoll

import "os"

// openDescriptors counts what the process has open.
func openDescriptors() (count int, counted bool) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	return len(entries), true
}

// threads counts those of the process.
func threads() int {
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		panic(err)
	}
	return len(entries)
}
