//go:build gopoll_coverage

package cbind

/*
#cgo CFLAGS: -O0 --coverage -fprofile-update=atomic
#cgo LDFLAGS: --coverage
extern void __gcov_dump(void);
*/
import "C"

// DumpCoverage writes the counts of the shims to their files: Go's exit runs
// no C destructors.
func DumpCoverage() { C.__gcov_dump() }
