// Package splitmix derives random numbers from a key, always the same ones for the same
// key, in whatever order keys are asked for. A generator with a state cannot do that. The
// memory network and the seams draw their delays from it.
//
// It imports nothing of the kit.
package splitmix

// Mix is the SplitMix64 generator's output for a state (Steele, Lea and Flood, 2014):
// every bit of the state matters to every bit of the result, so counting up gives
// numbers that look drawn at random.
func Mix(state uint64) uint64 {
	state += 0x9e3779b97f4a7c15
	state = (state ^ state>>30) * 0xbf58476d1ce4e5b9
	state = (state ^ state>>27) * 0x94d049bb133111eb
	return state ^ state>>31
}
