//go:build race

package gopoll

const raceDetector = true
