//go:build !race

package gopoll

const raceDetector = false
