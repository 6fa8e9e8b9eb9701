package main

// crossings measures the way out of Go and back, with nothing at its end.
func crossings(l *lab) (*section, error) {
	s := &section{Title: "An empty crossing", Unit: nanoseconds, Columns: bindings(),
		Note: "One call into C that does nothing, and the cheapest native call, by each binding's way."}
	var benches []*bench
	if crossEmpty != nil {
		benches = append(benches, &bench{s.add("empty C function", ""), "cgo", 1, repeat(crossEmpty)})
	}
	native := s.add(nativeName, "the cheapest native call")
	if crossC != nil {
		benches = append(benches, &bench{native, "cgo", 1, repeat(crossC)})
	}
	benches = append(benches, &bench{native, "pure", 1, repeat(crossGo)})
	return s, l.measure(benches)
}

func repeat(call func()) func(int) error {
	return func(n int) error {
		for range n {
			call()
		}
		return nil
	}
}
