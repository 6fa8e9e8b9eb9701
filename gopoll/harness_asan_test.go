//go:build asan

package gopoll

const addressSanitizer = true
