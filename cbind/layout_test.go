//go:build cgo && !purego && !windows

package cbind

import (
	"reflect"
	"slices"
	"testing"

	"gopoll.dev/internal/abi"
)

// TestLayout compares the structs of cbind.h with those of package abi, member
// by member.
func TestLayout(t *testing.T) {
	compared := 0
	for _, f := range layout() {
		if f.goOffset != f.cOffset || f.goSize != f.cSize {
			t.Errorf("%s: %d bytes at %d in Go, %d bytes at %d in C", f.name, f.goSize, f.goOffset, f.cSize, f.cOffset)
		}
		compared++
	}
	want := 0
	for _, s := range []reflect.Type{reflect.TypeFor[abi.Fact](), reflect.TypeFor[abi.EpollChange](), reflect.TypeFor[abi.KqueueChange](), reflect.TypeFor[abi.Transfer]()} {
		want++ // the whole
		for i := range s.NumField() {
			if s.Field(i).Name != "_" {
				want++
			}
		}
	}
	if compared != want {
		t.Errorf("%d members were compared, the structs have %d", compared, want)
	}
	if ours, theirs := constants(); !slices.Equal(ours, theirs) {
		t.Errorf("constants are %v in Go, %v in C", ours, theirs)
	}
}
