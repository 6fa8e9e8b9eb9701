//go:build linux

package gopoll

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// compareOracle runs a program on every binding. They have to agree with the
// oracle, and with each other on every event and error; over TCP, where the
// kernel has threads of its own, only with the oracle.
func compareOracle(tcp bool, program []instruction) error {
	stop := watchdog("the program\n" + listing(tcp, program))
	defer stop()
	var first []string
	for i, b := range Bindings() {
		trace, err := runOracle(b, tcp, program)
		if err != nil {
			return err
		}
		if i == 0 {
			first = trace
		} else if !tcp && backendName == "epoll" && !slices.Equal(first, trace) {
			return fmt.Errorf("the bindings differ:\n%q\n%q", first, trace)
		}
	}
	return nil
}

// shrink leaves out of a failing program what it fails without.
func shrink(tcp bool, program []instruction) []instruction {
	for size := len(program) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(program); {
			shorter := slices.Delete(slices.Clone(program), at, at+size)
			if compareOracle(tcp, shorter) != nil {
				program = shorter
			} else {
				at += size
			}
		}
	}
	return program
}

func reportOracle(t *testing.T, tcp bool, program []instruction, err error) {
	usual := oraclePatience
	oraclePatience /= 100
	short := shrink(tcp, program)
	oraclePatience = usual
	if e := compareOracle(tcp, short); e != nil {
		program, err = short, e
	}
	t.Fatalf("%v\n%s", err, listing(tcp, program))
}

// oracleWeights make programs in which most instructions have an effect.
var oracleWeights = [opcodes]int{opOpen: 10, opWrite: 14, opFill: 2, opRead: 8, opDrain: 8, opShutdown: 2, opCloseEnd: 4, opDup: 2,
	opCloseDup: 2, opReset: 1, opAdd: 14, opModify: 10, opDelete: 4, opRearm: 6, opApply: 6, opLendRead: 8, opLendWrite: 6, opReclaim: 2,
	opWake: 3, opWait: 25, opWaits: 4}

func randomProgram(rng *rand.Rand) (tcp bool, program []instruction) {
	total := 0
	for _, w := range oracleWeights {
		total += w
	}
	for i := range byte(oraclePairs) {
		program = append(program, instruction{opOpen, i, byte(rng.IntN(256)), 0})
	}
	for range 20 + rng.IntN(300) {
		n, op := rng.IntN(total), opcode(0)
		for ; n >= oracleWeights[op]; op++ {
			n -= oracleWeights[op]
		}
		program = append(program, instruction{op, byte(rng.IntN(256)), byte(rng.IntN(256)), byte(rng.IntN(256))})
	}
	return rng.IntN(4) == 0, program
}

// TestOracle runs programs that are the same in every run, and more of them by
// GOPOLL_TEST_SCALE.
func TestOracle(t *testing.T) {
	leakCheck(t)
	instructions := 0
	for seed := range uint64(repeat(600)) {
		tcp, program := randomProgram(rand.New(rand.NewPCG(seed, 9)))
		instructions += len(program)
		if err := compareOracle(tcp, program); err != nil {
			t.Logf("seed %d", seed)
			reportOracle(t, tcp, program, err)
		}
	}
	t.Logf("%d instructions on each of %v", instructions, Bindings())
}

// TestOracleReplay runs the program that a failure has printed.
func TestOracleReplay(t *testing.T) {
	text := os.Getenv("GOPOLL_ORACLE")
	if text == "" {
		t.Skip("GOPOLL_ORACLE names no program")
	}
	data, err := hex.DecodeString(text)
	must(t, err)
	tcp, program := decode(data)
	if err := compareOracle(tcp, program); err != nil {
		t.Fatalf("%v\n%s", err, listing(tcp, program))
	}
}

// FuzzOracle lets the fuzzer write the programs.
func FuzzOracle(f *testing.F) {
	for seed := range uint64(20) {
		tcp, program := randomProgram(rand.New(rand.NewPCG(seed, 10)))
		f.Add(encode(tcp, program))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tcp, program := decode(data)
		if err := compareOracle(tcp, program); err != nil {
			reportOracle(t, tcp, program, err)
		}
	})
}

// TestOracleCanFail: a poller that breaks its word is found out.
func TestOracleCanFail(t *testing.T) {
	program := []instruction{{opOpen, 0, 0, 0}, {opAdd, 0, 1, 0}, {opWrite, 1, 5, 0}, {opWait, 7, 0, 0}}
	must(t, compareOracle(false, program))
	if tcp, again := decode(encode(true, program)); !tcp || !slices.Equal(again, program) {
		t.Error("a program does not survive its encoding")
	}
	for name, lie := range map[string]func(*oracle){
		"an event of what is not ready": func(o *oracle) { o.event(Event{Key: 0, Ready: Writable}, o.dues(), map[*registration]bool{}) },
		"a source reported twice": func(o *oracle) {
			o.event(Event{Key: 0, Ready: Readable}, o.dues(), map[*registration]bool{o.all[0]: true})
		},
		"a key of an older registration": func(o *oracle) { o.event(Event{Key: 1, Ready: Readable}, o.dues(), map[*registration]bool{}) },
		"a buffer nobody lent":           func(o *oracle) { o.event(Event{Key: 0, Ready: Returned | Readable}, nil, nil) },
		"a source that starves": func(o *oracle) {
			o.p = twin(t)
			defer o.p.Close()
			o.all[0].missed = 1000
			o.wake = true
			must(t, o.p.Wake())
			o.wait(1)
		},
	} {
		o := &oracle{byFd: make(map[uintptr]*registration)}
		for i := range o.ends {
			o.ends[i] = &endpoint{}
		}
		p, err := New()
		must(t, err)
		o.p = p
		for _, in := range program[:3] {
			o.step(in)
		}
		lie(o)
		if o.err == nil {
			t.Errorf("not found out: %s", name)
		}
		o.finish()
	}
}

// twin is a poller that knows nothing of the sources of another.
func twin(t *testing.T) *Poller {
	p, err := New()
	must(t, err)
	return p
}

// dues are what poll(2) says, for an event that a test makes up.
func (o *oracle) dues() map[*registration]*due {
	r := o.all[0]
	got := truth(r.fd, r.interest)
	return map[*registration]*due{r: {before: got, after: got}}
}
