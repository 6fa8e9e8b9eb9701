// Package cbind is gopoll's cgo binding: native calls through small C shims,
// and nothing else. It knows nothing of interest, modes or keys; package
// gopoll decides those. It can be imported, and promises no compatibility.
package cbind
