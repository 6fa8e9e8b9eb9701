package conformance

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"gopoll.dev/gopoll"
)

// TestParseErrors shows that what is wrong with a script is found without running it, on lines for other systems
// too.
func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"no title", "wait none\n", "begins with a comment"},
		{"nothing done", "# t\n", "does nothing"},
		{"nothing expected", "# t\npair a b\nwrite b 4\n", "can't fail"},
		{"unknown command", "# t\npair a b\nwiat none\n", `s.txt:3: wiat none` + "\n\t" + `unknown command "wiat"`},
		{"unknown descriptor", "# t\nadd a 7 readable level\n", `unknown descriptor "a"`},
		{"unknown source", "# t\npair a b\nmodify a 7 readable level\n", `unknown source "a@p"`},
		{"unknown poller", "# t\nwait @q none\n", `unknown poller "q"`},
		{"unknown task", "# t\njoin w woken\n", `unknown background command "w"`},
		{"unknown arena", "# t\nfree R\n", `unknown arena "R"`},
		{"unknown error", "# t\npair a b\nadd a 7 readable level -> exits\n", `unknown error "exits"`},
		{"unknown bit", "# t\npair a b\nadd a 7 readable level\nwait\n  a 7 raedable\n", `s.txt:5: a 7 raedable` + "\n\t" + `unknown bit "raedable"`},
		{"unknown mode", "# t\npair a b\nadd a 7 readable sometimes\n", `unknown mode "sometimes"`},
		{"unknown interest", "# t\npair a b\nadd a 7 read level\n", `unknown interest "read"`},
		{"unknown network", "# t\npair a b sctp\nwait none\n", "usage: pair"},
		{"key never given", "# t\npair a b\nadd a 7 readable level\nwait\n  a 8 readable\n", "a never had the key 8"},
		{"hint without mark", "# t\npair a b\nadd a 7 readable level\nwait\n  a 7 readable readclosed\n", "write +readclosed"},
		{"bit with hint's mark", "# t\npair a b\nadd a 7 readable level\nwait\n  a 7 +readable\n", "readable is no hint"},
		{"return without count", "# t\npair a b\nadd a 7 none level\nwait\n  a 7 returned readable\n", "n=N stands with a return"},
		{"failed without error", "# t\npair a b\nadd a 7 none level\nwait\n  a 7 returned readable failed\n", "failed -> ERROR"},
		{"wait that says nothing", "# t\nwait\n", "a wait says what comes of it"},
		{"wait that says two things", "# t\nwait none -> closed\n", "a wait says what comes of it"},
		{"join that says nothing", "# t\nstart w wait\njoin w\n", "a join says what came of it"},
		{"mark without reason", "# t\n[windows] wait none\n", "gives no reason"},
		{"mark with empty reason", "# t\n[windows: ] wait none\n", "gives no reason"},
		{"mark of unknown system", "# t\n[plan9: it has no queue] wait none\n", `unknown condition "plan9"`},
		{"mark without command", "# t\n[windows: why]\nwait none\n", "a mark with no command"},
		{"skip without mark", "# t\nskip\nwait none\n", "usage: skip"},
		{"skip without reason", "# t\nskip [windows]\nwait none\n", "gives no reason"},
		{"skip too late", "# t\nwait none\nskip [windows: why]\n", `unknown command "skip"`},
		{"error where none can be", "# t\npair a b -> exist\nwait none\n", "pair has no error to expect"},
		{"lines where none can be", "# t\npair a b\n  a 7 readable\nwait none\n", "takes no indented lines"},
		{"uneven indentation", "# t\npair a b\nadd a 7 readable level\nwait\n    a 7 readable\n  a 7 writable\n", "indented differently"},
		{"tabs", "# t\npair a b\nadd a 7 readable level\nwait\n\ta 7 readable\n", "spaces, not tabs"},
		{"wrong for", "# t\nfor i\n  wait none\n", "usage: for"},
		{"wrong line of apply", "# t\npair a b\napply\n  rearm a readable\nwait none\n", "a line of apply is"},
		{"other system's line too", "# t\npair a b\n[windows: why] add c 7 readable level\nwait none\n", `unknown descriptor "c"`},
		{"too many words", "# t\npair a b\nclose a b\nwait none\n", "usage: close"},
		{"no number", "# t\npair a b\nwrite b four\nwait none\n", `"four" is no number`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("dir/s.txt", tt.script)
			var f *Failure
			if !errors.As(err, &f) {
				t.Fatalf("Parse: %v, want a Failure with %q", err, tt.want)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Parse: %v\nwant %q in it", err, tt.want)
			}
		})
	}
}

// TestRunFailures shows that each wrong expectation is found, with the line, what was expected and what came.
func TestRunFailures(t *testing.T) {
	const start = "# t\npair a b\npair c d\nadd a 7 readable level\n" // four lines
	for _, tt := range []struct {
		name, script string
		want         []string
	}{
		{"event expected, none there", "wait timeout=0\n  a 7 readable\n", []string{"s.txt:5: wait", "expected:\n\t    a 7 readable", "returned nothing"}},
		{"none expected, event there", "write b 4\nwait none\n", []string{"s.txt:6: wait none", "expected:\n\t    no event", "came:\n\t    a 7 readable"}},
		{"other bits", "write b 4\nwait\n  a 7 readable writable\n", []string{"s.txt:6: wait", "expected:\n\t    a 7 readable writable", "in Wait 1: a 7 readable"}},
		{"more bits than expected", "write b 4\nmodify a 7 readable writable level\nwait\n  a 7 readable\n", []string{"s.txt:7", "other than expected: a 7 readable writable"}},
		{"other key", "modify a 8 readable level\nwrite b 4\nwait\n  a 7 readable\n", []string{"s.txt:7", "not expected: a 8 readable", "expected:\n\t    a 7 readable"}},
		{"another source too", "add c 8 writable level\nwrite b 4\nwait\n  a 7 readable\n", []string{"s.txt:7", "not expected: c 8 writable"}},
		{"one of two missing", "add c 8 readable level\nwrite b 4\nwait once\n  a 7 readable\n  c 8 readable\n", []string{"s.txt:7", "one Wait did not bring all of it", "c 8 readable"}},
		{"silence after Level", "write b 4\nwait\n  a 7 readable\nwait none\n", []string{"s.txt:8: wait none", "a 7 readable"}},
		{"hint missing", "write b 4\nwait\n  a 7 readable +readclosed\n", []string{"s.txt:6", "expected:\n\t    a 7 readable +readclosed"}},
		{"hint there", "shutdown b write\nwait\n  a 7 readable -readclosed\n", []string{"s.txt:6", "+readclosed"}},
		{"error expected, none came", "add c 8 readable level -> exist\n", []string{"s.txt:5: add c 8 readable level -> exist", "expected: error exist", "came:     no error"}},
		{"no error expected, one came", "add a 8 readable level\nwait none\n", []string{"s.txt:5", "expected: no error", "gopoll: add fd"}},
		{"another error", "add a 8 readable level -> notexist\n", []string{"s.txt:5", "expected: error notexist", "came:     gopoll: add fd"}},
		{"wrong change of apply", "apply -> exist\n  add c 8 readable level\n  add a 9 readable level\n", []string{"s.txt:7: add a 9 readable level", "expected: no error"}},
		{"error of apply itself", "apply\n  add a 9 readable level -> exist\nwait none\n", []string{"s.txt:5: apply", "expected: no error"}},
		{"timeout instead of wake", "wait woken timeout=1ms\n", []string{"s.txt:5", "by its timeout of 1ms and not by the Wake"}},
		{"wake instead of timeout", "wake\nwait none timeout=2s\nwait woken timeout=1ms\n", []string{"s.txt:7"}},
		{"not blocked", "write b 4\nstart w wait\nblocked w\n", []string{"s.txt:7: blocked w", "expected: w is blocked", "it has returned with 1 events"}},
		{"background: other event", "start w wait\nblocked w\nwrite b 4\njoin w woken\n", []string{"s.txt:8", "expected:\n\t    no event", "a 7 readable"}},
		{"background: no error", "start w wait\nblocked w\nwake\njoin w -> closed\n", []string{"s.txt:8", "expected: error closed"}},
		{"background: early", "start w wait timeout=1h\nblocked w\nwake\njoin w none\n", []string{"s.txt:8", "returned nothing after"}},
		{"loop: other event", "start e events\nwake\nnext e\n  a 7 readable\n", []string{"s.txt:7", "came:\n\t    woken"}},
		{"loop: not over", "write b 4\nstart e events\nnext e -> closed\n", []string{"s.txt:7"}},
		{"read: too few bytes", "write b 4\nclose b\nread a 5\n", []string{"s.txt:7", "end of stream, 1 bytes before"}},
		{"read: no end", "close b\nread a all\n", []string{"s.txt:6", "would block", "0 bytes, error <nil>"}},
		{"read: would not block", "write b 4\nread a -> wouldblock\n", []string{"s.txt:6", "expected: error wouldblock"}},
		{"return: other count", "add c 8 none level\nlend-read c 8\nwrite d 3\nwait\n  c 8 returned readable n=4\n", []string{"s.txt:8", "expected:\n\t    c 8 returned readable n=4", "c 8 returned readable n=3"}},
		{"return: no failure", "add c 8 none level\nlend-read c 8\nreclaim c\nwait\n  c 8 returned readable failed -> ECONNRESET\n", []string{"s.txt:8", "failed -> gopoll: canceled"}},
		{"return: order", "add c 8 none level\nlend-read c 1\nlend-read c 2\nwrite d 3\nwait ordered\n  c 8 returned readable n=2\n  c 8 returned readable n=1\n", []string{"s.txt:9", "before its turn"}},
		{"lend: no error", "add c 8 none level\nlend-read c 8 -> limit\n", []string{"s.txt:6", "expected: error limit"}},
		{"turn twice", "write b 4\nadd c 8 readable level\nwait cap=1 turns=1\n  a 7 readable\n  c 8 readable\n", []string{"s.txt:7", "a second turn before others had one: a 7 readable"}},
		{"open name", "pair a x\nwait none\n", []string{"s.txt:5", "a is open"}},
		{"failing inside a loop", "start e events\nwake\nnext e woken\ninside e add a 9 readable level\n", []string{"s.txt:8", "expected: no error"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			expectFailure(t, start+tt.script, tt.want...)
		})
	}
}

func expectFailure(t *testing.T, script string, want ...string) {
	t.Helper()
	s, err := Parse("dir/s.txt", script)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	binding := gopoll.Bindings()[0]
	env, err := Here(binding)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Run(env, binding)
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("Run: %v, want a Failure", err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("Run: %v\nwant %q in it", err, w)
		}
	}
}

// TestPatience shows that a script gives up after a while, and says what every goroutine is doing.
func TestPatience(t *testing.T) {
	defer func(d time.Duration) { patience = d }(patience)
	patience = time.Second // long enough for all but what never comes
	const start = "# t\npair a b\nadd a 7 readable level\n"
	expectFailure(t, start+"wait\n  a 7 readable\n", "s.txt:4", "expected:\n\t    a 7 readable", "came:\n\t    in Wait 1: no event", "goroutine ")
	expectFailure(t, start+"start w wait\njoin w woken\n", "s.txt:5", "w did not return in 1s", "gopoll.(*Poller).Wait")
	expectFailure(t, start+"read a 1\n", "s.txt:4", "something to read did not come about")
	expectFailure(t, start+"start w wait timeout=0\njoin w none\nwait woken\n", "s.txt:6", "stuck for", "gopoll.(*Poller).Wait")
}

// TestMarks shows that marked lines run where their mark holds, and nowhere else.
func TestMarks(t *testing.T) {
	here := runtime.GOOS
	mustRun := func(script string) {
		t.Helper()
		s, err := Parse("s.txt", script)
		if err != nil {
			t.Fatal(err)
		}
		env, err := Here(gopoll.Pure)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(env, gopoll.Pure); err != nil {
			t.Error(err)
		}
	}
	mustRun("# t\npair a b\nadd a 7 readable level\nwrite b 1\nwait\n  a 7 readable\n[!" + here + ": not here] wait none\n")
	mustRun("# t\npair a b\nadd a 7 readable level\nwait none\n[cgo: not this binding] wait\n  a 7 readable\n")
	mustRun("# t\npair a b\nadd a 7 readable writable level\nwait\n  [!" + here + ": not here] a 7 readable\n  [" + here + ": here] a 7 writable\n")
	expectFailure(t, "# t\npair a b\nadd a 7 readable level\nwrite b 1\n["+here+": here] wait none\n", "s.txt:5")

	s, err := Parse("s.txt", "# t\nskip [windows kqueue: why]\nskip [!cgo linux: why not]\nwait none\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		env  Env
		want bool
	}{
		{Env{OS: "windows", Backend: "iocp", Binding: "cgo"}, true},
		{Env{OS: "linux", Backend: "kqueue", Binding: "cgo", Double: true}, true},
		{Env{OS: "linux", Backend: "epoll", Binding: "cgo"}, false},
		{Env{OS: "linux", Backend: "epoll", Binding: "pure"}, true},
	} {
		if _, got := s.SkippedBy(tt.env); got != tt.want {
			t.Errorf("skipped on %+v: %v, want %v", tt.env, got, tt.want)
		}
	}
}

// TestWrongData shows that a byte that is not the one expected is found.
func TestWrongData(t *testing.T) {
	s := &stream{seed: 3}
	s.sent(100, false)
	b := s.sending(0)
	b = append(b, make([]byte, 50)...)
	s.fill(b, 0)
	if err := s.received(b[:20], false); err != nil {
		t.Fatal(err)
	}
	for name, wrong := range map[string][]byte{"doubled": b[:20], "lost": b[21:50], "changed": append([]byte{b[20] + 1}, b[21:]...)} {
		if err := s.received(wrong, false); err == nil {
			t.Errorf("%s bytes were not found", name)
		}
	}
	if err := s.received(b[20:], false); err != nil {
		t.Errorf("the right bytes: %v", err)
	}
}

// TestBufferGuards shows that a byte written outside what was read into a lent buffer is found.
func TestBufferGuards(t *testing.T) {
	for at, want := range map[int]string{guard - 1: "before", guard + 2: "", guard + 5: "beyond", guard + 8: "behind"} {
		b := &lend{read: true, whole: []byte(strings.Repeat("\xa5", 8+2*guard))}
		b.buf = b.whole[guard : guard+8]
		b.whole[at] = 0
		err := b.intact(4, false)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("byte %d written: %v, want %q", at, err, want)
		}
	}
}

// TestLeaks shows that a descriptor or goroutine that stays behind is found.
func TestLeaks(t *testing.T) {
	before := takeStock()
	if before.descriptors != nil {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		if err := before.compare(); err == nil || !strings.Contains(err.Error(), "descriptors left open") {
			t.Errorf("a descriptor was left open: %v", err)
		}
		f.Close()
	}
	if err := before.compare(); err != nil {
		t.Error(err)
	}
}

// TestDocumented shows that every command, error, bit and condition stands in the reference.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	for _, w := range strings.FieldsFunc(string(text), func(r rune) bool { return strings.ContainsRune(" \t\n/;|[](),.:", r) }) {
		words[w] = true
	}
	for _, names := range [][]string{sortedKeys(commands), sortedKeys(errorNames), sortedKeys(conditions)} {
		for _, n := range names {
			if !words[n] {
				t.Errorf("%s is not in doc.go", n)
			}
		}
	}
}
