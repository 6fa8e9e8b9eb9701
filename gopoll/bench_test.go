package gopoll

import (
	"fmt"
	"sync"
	"testing"

	"gopoll.dev/gopoll/socket"
)

// The benchmarks of the parts. Beside the two bindings stand, on Linux, the
// bare system calls of Go and a loop in C, which know no modes, keys or
// generations: rivals lists them.

// rival does the same as the poller without one.
type rival struct {
	name  string
	waits func(b *testing.B, fds []uintptr, capacity int)
	adds  func(b *testing.B, fds []uintptr)
	mods  func(b *testing.B, fds []uintptr)
	wakes func(b *testing.B)
	reads func(b *testing.B, fds, peers []uintptr)
}

var rivals []rival

// benchPairs are connected pairs; with filled each of the first ends has a
// byte to be read.
func benchPairs(b *testing.B, count int, filled bool) (fds, peers []uintptr) {
	for range count {
		x, y := newPair(b)
		if filled {
			mustWrite(b, y, []byte{1})
		}
		fds, peers = append(fds, x), append(peers, y)
	}
	return fds, peers
}

// contenders runs a part on each binding and each rival.
func contenders(b *testing.B, own func(b *testing.B, p *Poller), other func(r rival) func(b *testing.B)) {
	for _, binding := range Bindings() {
		b.Run(binding.String(), func(b *testing.B) { own(b, newPoller(b, binding)) })
	}
	for _, r := range rivals {
		b.Run(r.name, other(r))
	}
}

// BenchmarkWait looks when so many sources are ready: ns/op is one Wait.
func BenchmarkWait(b *testing.B) {
	for _, count := range []int{0, 1, 64, 1024} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			fds, _ := benchPairs(b, max(count, 1), count > 0)
			contenders(b, func(b *testing.B, p *Poller) {
				for i, fd := range fds {
					mustAdd(b, p, fd, uint64(i), Readable, Level)
				}
				events := make([]Event, max(count, 64))
				for b.Loop() {
					if n, err := p.Wait(events, 0); n != count || err != nil {
						b.Fatal(n, err)
					}
				}
			}, func(r rival) func(b *testing.B) {
				return func(b *testing.B) { r.waits(b, fds, max(count, 64)) }
			})
		})
	}
}

// perSource says what one of count sources costs.
func perSource(b *testing.B, count int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(count), "ns/source")
}

// BenchmarkAdd adds and deletes so many sources: one by one, and by Apply.
func BenchmarkAdd(b *testing.B) {
	b.Run("single", func(b *testing.B) {
		fds, _ := benchPairs(b, 1, false)
		contenders(b, func(b *testing.B, p *Poller) {
			for b.Loop() {
				s, err := p.Add(fds[0], 1, Readable, Level)
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Delete(); err != nil {
					b.Fatal(err)
				}
			}
			perSource(b, 1)
		}, func(r rival) func(b *testing.B) {
			return func(b *testing.B) { r.adds(b, fds); perSource(b, 1) }
		})
	})
	for _, count := range []int{1, 16, 256} {
		b.Run(fmt.Sprint("apply ", count), func(b *testing.B) {
			fds, _ := benchPairs(b, count, false)
			contenders(b, func(b *testing.B, p *Poller) {
				changes := make([]Change, count)
				for b.Loop() {
					for i, fd := range fds {
						changes[i] = Change{Op: OpAdd, Fd: fd, Interest: Readable, Mode: Level}
					}
					must(b, p.Apply(changes))
					for i := range changes {
						changes[i].Op = OpDelete
					}
					must(b, p.Apply(changes))
				}
				perSource(b, count)
			}, func(r rival) func(b *testing.B) {
				return func(b *testing.B) { r.adds(b, fds); perSource(b, count) }
			})
		})
	}
}

// BenchmarkModify modifies so many sources, as BenchmarkAdd.
func BenchmarkModify(b *testing.B) {
	interests := [2]Readiness{Readable, Readable | Writable}
	b.Run("single", func(b *testing.B) {
		fds, _ := benchPairs(b, 1, false)
		contenders(b, func(b *testing.B, p *Poller) {
			s := mustAdd(b, p, fds[0], 1, Readable, Level)
			for i := 0; b.Loop(); i++ {
				if err := s.Modify(1, interests[i%2], Level); err != nil {
					b.Fatal(err)
				}
			}
			perSource(b, 1)
		}, func(r rival) func(b *testing.B) {
			return func(b *testing.B) { r.mods(b, fds); perSource(b, 1) }
		})
	})
	for _, count := range []int{1, 16, 256} {
		b.Run(fmt.Sprint("apply ", count), func(b *testing.B) {
			fds, _ := benchPairs(b, count, false)
			contenders(b, func(b *testing.B, p *Poller) {
				changes := make([]Change, count)
				for i, fd := range fds {
					changes[i] = Change{Op: OpModify, Source: mustAdd(b, p, fd, 1, Readable, Level)}
				}
				for i := 0; b.Loop(); i++ {
					for j := range changes {
						changes[j].Interest = interests[i%2]
					}
					must(b, p.Apply(changes))
				}
				perSource(b, count)
			}, func(r rival) func(b *testing.B) {
				return func(b *testing.B) { r.mods(b, fds); perSource(b, count) }
			})
		})
	}
}

// BenchmarkWake has two goroutines, each blocked in a Wait, wake each other in
// turn: ns/op is there and back.
func BenchmarkWake(b *testing.B) {
	contenders(b, func(b *testing.B, p *Poller) {
		q := newPoller(b, p.Binding())
		var group sync.WaitGroup
		group.Go(func() {
			events := make([]Event, 1)
			for {
				if _, err := q.Wait(events, -1); err != nil {
					return
				}
				if err := p.Wake(); err != nil {
					return
				}
			}
		})
		events := make([]Event, 1)
		for b.Loop() {
			must(b, q.Wake())
			if n, err := p.Wait(events, patience); n != 0 || err != nil {
				b.Fatal(n, err)
			}
		}
		must(b, q.Close())
		join("the other side", &group)
	}, func(r rival) func(b *testing.B) { return r.wakes })
}

// BenchmarkReads has a byte arrive at each of so many sources and reads it:
// lent, or when told that it is there. The refill alone is a part of each.
func BenchmarkReads(b *testing.B) {
	for _, count := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			fds, peers := benchPairs(b, count, false)
			one := []byte{1}
			fill := func(b *testing.B) {
				for _, peer := range peers {
					if _, err := socket.Write(peer, one); err != nil {
						b.Fatal(err)
					}
				}
			}
			for _, binding := range Bindings() {
				b.Run("lent "+binding.String(), func(b *testing.B) {
					p := newPoller(b, binding)
					arena := mustArena(b, count, 64)
					sources, bufs := make([]Source, count), make([][]byte, count)
					for i, fd := range fds {
						sources[i], bufs[i] = mustAdd(b, p, fd, uint64(i), 0, Level), arena.Get()
						must(b, sources[i].LendRead(bufs[i]))
					}
					events := make([]Event, count)
					for b.Loop() {
						fill(b)
						for left := count; left > 0; {
							n, err := p.Wait(events, -1)
							if err != nil {
								b.Fatal(err)
							}
							for _, e := range events[:n] {
								if e.N != 1 || bufs[e.Key][0] != 1 {
									b.Fatal(e)
								}
								if err := sources[e.Key].LendRead(bufs[e.Key]); err != nil {
									b.Fatal(err)
								}
							}
							left -= n
						}
					}
					perSource(b, count)
					must(b, p.Close(), arena.Free())
				})
			}
			for _, binding := range Bindings() {
				b.Run("ready "+binding.String(), func(b *testing.B) {
					p := newPoller(b, binding)
					for i, fd := range fds {
						mustAdd(b, p, fd, uint64(i), Readable, Level)
					}
					events, buf := make([]Event, count), make([]byte, 64)
					for b.Loop() {
						fill(b)
						for left := count; left > 0; {
							n, err := p.Wait(events, -1)
							if err != nil {
								b.Fatal(err)
							}
							for _, e := range events[:n] {
								if n, err := socket.Read(fds[e.Key], buf); n != 1 || err != nil {
									b.Fatal(n, err)
								}
							}
							left -= n
						}
					}
					perSource(b, count)
				})
			}
			for _, r := range rivals {
				b.Run("ready "+r.name, func(b *testing.B) { r.reads(b, fds, peers); perSource(b, count) })
			}
			b.Run("refill and empty alone", func(b *testing.B) {
				buf := make([]byte, 64)
				for b.Loop() {
					fill(b)
					for _, fd := range fds {
						if n, err := socket.Read(fd, buf); n != 1 || err != nil {
							b.Fatal(n, err)
						}
					}
				}
				perSource(b, count)
			})
		})
	}
}
