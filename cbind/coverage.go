//go:build gopoll_coverage

package cbind

// extern void __gcov_dump(void);
import "C"

// DumpCoverage writes the counts of the shims, built with --coverage, to
// their files: Go's exit runs no C destructors.
func DumpCoverage() { C.__gcov_dump() }
