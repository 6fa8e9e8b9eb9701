//go:build !asan

package gopoll

const addressSanitizer = false
