// Package conformance runs scripts that show what a poller of package gopoll promises.
//
// Every backend and binding is judged by the same scripts, gopoll/testdata/conformance/*.txt, one for each promised
// behaviour. docs/scripts.md describes their language for whoever writes one; this comment is its reference.
//
// # Lines
//
// A script is read line by line. The first comment line says which behaviour is shown. A line is a command and its
// words; deeper lines below it belong to it. A # begins a comment. "-> ERROR" at the end of a line says that the
// call fails, and how; a line without it must succeed.
//
//	for i 1..40            # its lines, written out 40 times with the number for $i; also among event lines
//
// Marks say that a line holds on some systems only. The reason is part of the mark:
//
//	[windows: no half-open pipes] wait
//	[!kqueue !iocp: they can't tell] add a 7 priority level
//	skip [wine: AFD doesn't ...]      # at the top: the whole script doesn't apply
//
// Plain terms are alternatives; no term with ! may be true. Terms are the systems linux darwin freebsd netbsd openbsd
// dragonfly windows, the families unix bsd, the backends epoll kqueue iocp, the bindings cgo pure, and wine, double
// (kqueue on its test double), 32bit, invariants (the build tag gopoll_invariants).
//
// Errors: exist notexist invalid closed canceled limit unsupported wouldblock context (context.Canceled) connclosed
// (net.ErrClosed), and EBADF EPERM EINVAL EPIPE ECONNRESET ECONNREFUSED ENOTCONN ENOTSOCK; several joined by | are
// alternatives. Errors of package gopoll must also name their operation and descriptor.
//
// # Descriptors
//
//	pair A B [tcp|tcp6|unix|udp|udp6|unixgram]    connected to each other; tcp if nothing is said
//	pipe R W; fifo R W                            the reading and the writing end
//	conn A B; netlistener L; osfile R W           TCP connection and listener of package net; pipe of package os
//	listener L [tcp|tcp6|unix]; dial C L; dial C nobody; accept L A; connected C
//	fresh S                                       a TCP socket that was never connected
//	udp U; send FROM TO N                         bound but not connected; a datagram to another of them
//	file F; dir D; null N                         what some kernels can't wait for
//	number D N                                    a number that is no open descriptor
//	nested D @POLLER                              a poller's own descriptor
//	dup A B                                       another descriptor for the same
//	renumber D CLOSED                             D moves to the number that the closed one had
//	close A; reset A; shutdown A read|write|both; blocking A
//	write A N; fill A                             N bytes (16k, 1M); as much as goes in
//	read A N|all|eof|end                          exactly N bytes; all that was written, then "would block"; all that
//	                                              was written, then the end; anything up to an end or an error
//	read A -> ERROR                               one read fails
//	urgent A; read-urgent A                       TCP's urgent byte
//
// Bytes depend on their position, and every byte read is compared. Whatever moves something returns when it has
// arrived: the runner sees the peer with poll(2) or WSAPoll and counts the bytes there, so nothing is on its way when
// the next line runs. Datagrams arrive one by one.
//
// # Sources and pollers
//
// A script has one poller, p. A source has the name of its descriptor; A@q is that of A in the poller q.
//
//	poller @q [lend-count=N] [lend-bytes=N]
//	add A KEY INTEREST... MODE                    interest: readable writable priority, or none; 0x400 is a bit
//	addconn A KEY INTEREST... MODE                mode: level edge oneshot, or a number
//	modify A KEY INTEREST... MODE
//	rearm A DIRECTION...; delete A
//	apply [@q]                                    its lines are add, modify and delete, each with its own error
//	keep A OLD                                    OLD is the handle that A has now; zero is the zero Source
//	wake [@q] [times=N] [from=N]                  N calls from each of N goroutines
//	close-poller [@q]
//
// # Waiting
//
//	wait [@q] [once] [ordered] [cap=N] [turns=N] [timeout=T]
//	  A KEY BIT... [+HINT] [-HINT] [?BIT]
//	  ? A KEY BIT...                              may come or not
//	wait none; wait woken; wait -> ERROR
//
// The lines are the whole truth: exactly these events, each with exactly these bits. Hints (readclosed, writeclosed,
// errored) may be there or missing unless a line says +HINT, must, or -HINT, must not; ?BIT may come or not. Their
// order says nothing unless "ordered" is written.
//
// A wait goes on, for at most 20 seconds, until all its events have come, because what happens on two descriptors
// need not reach the poller at one time; once demands a single Wait. Then one more Wait proves that nothing else is
// there. Level sources are reported as long as they are ready, so theirs may come again; an Edge source may tell its
// bits one by one; everything else comes once. On iocp a Level source may first tell less than it has, because a poll
// that ended tells what was ready then.
//
// "wait none" is two Waits that bring nothing, one that looks and one that blocks for a moment and must not be early.
// "wait woken" waits for ever and must return without an event. With cap=N nothing is proved afterwards. turns=N makes
// N rounds of Waits with little room, in each of which every source has its turn once. Times are 0, 1ns, 999us,
// forever, huge.
//
// Every Wait, whatever is expected of it, fails the script with two events of readiness for one source.
//
// # Background
//
//	start T wait [@q] [cap=N] [timeout=T]         one Wait, without end if no timeout is given
//	start T events [@q]                           a loop over Events
//	start T read A N|all|eof; start T close-poller [@q]
//	blocked T...                                  returns when it sleeps inside the poller, fails if it has returned
//	interrupt T [times=N]                         a signal to its thread, each when it is blocked, until it returns
//	join T none|woken|ended|-> ERROR              or the event lines of its one Wait
//	join first T U ...; join rest ...             whichever returns first; all that are left
//	next T [woken|-> ERROR]                       the loop goes on to its next event, or to its end
//	next T one NAME OTHER                         one of two lines; NAME is then whose event it was, OTHER the other
//	inside T COMMAND                              in the body of the loop
//	cancel T; leave T                             its context; break
//
// "blocked" needs no sleeping: the task has a thread to itself; its goroutine must be seen inside a method of the
// poller and its thread asleep (Linux: /proc/self/task/TID) in one and the same system call, without having been woken,
// in three looks one after the other. A Wait that spins is never seen so. Where a system doesn't show its threads, the
// goroutine's state alone has to do.
//
// # Lending
//
//	lend-read A N|nil|huge|slice=S [arena=R]; lend-write A ...; reclaim A
//	arena R COUNT SIZE; take R S|empty; put R S; free R
//
// Returns are event lines: "A KEY returned readable n=4", with eof or truncated; a failed one is
// "A KEY returned writable failed -> canceled". The oldest buffer of the direction is compared byte for byte; memory
// around it and beyond n must be untouched.
//
// # Afterwards
//
// Whatever a script leaves open is closed: pollers, then descriptors. Then the process must have no descriptor and no
// goroutine more than before.
package conformance
