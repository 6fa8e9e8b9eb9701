//go:build !kqueue_double_netbsd

package conformance

const kqueueDoublePlays = ""
