package gopoll

import (
	"fmt"
	"testing"

	"gopoll.dev/gopoll/socket"
)

// TestReturnsAndReadinessShareTheRoom: buffers that return as fast as they are
// lent do not keep out sources that are ready, nor the other way round,
// whatever room there is.
func TestReturnsAndReadinessShareTheRoom(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		for _, room := range []int{1, 2, 3, 4, 8, 64} {
			t.Run(fmt.Sprint("room for ", room), func(t *testing.T) {
				p := newPoller(t, b)
				const lending, watched = 16, 16
				data := make([]byte, 100)
				var sources []Source
				var bufs [][]byte
				var peers []uintptr
				for key := range uint64(lending) {
					a, peer := newPair(t)
					mustWrite(t, peer, data)
					s, buf := mustAdd(t, p, a, key, 0, Level), make([]byte, 1)
					must(t, s.LendRead(buf))
					sources, bufs, peers = append(sources, s), append(bufs, buf), append(peers, peer)
				}
				for key := range uint64(watched) {
					a, peer := newPair(t)
					mustWrite(t, peer, []byte{1})
					mustAdd(t, p, a, lending+key, Readable, Level)
				}
				// Each has to come once in so many events, generously counted.
				const often = 8 * (lending + watched)
				var since [lending + watched]int
				events := make([]Event, room)
				for seen := 0; seen < 40*often; {
					for _, e := range mustWait(t, p, events) {
						seen++
						since[e.Key] = seen
						if e.Ready&Returned != 0 {
							if _, err := e.Result(); err != nil || e.N != 1 {
								t.Fatal(e)
							}
							// As much again as was read: there is always more.
							if _, err := socket.Write(peers[e.Key], data[:1]); err != nil {
								t.Fatal(err)
							}
							must(t, sources[e.Key].LendRead(bufs[e.Key]))
						}
					}
					for key, last := range since {
						if seen-last > often*room {
							t.Fatalf("of %d events the last of source %d (lent: %v) was the %dth", seen, key, key < lending, last)
						}
					}
				}
			})
		}
	})
}
