//go:build !cgo || purego

package gopoll

const haveCgo = false
