//go:build kqueue_double

package conformance

const kqueueDouble = true
