package conformance

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gopoll.dev/gopoll/socket"
)

func init() {
	register("pair A B [tcp|tcp6|unix|udp|udp6|unixgram]", "", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(2, 3)
		if err != nil {
			return nil, err
		}
		network := "tcp"
		if len(args) == 3 {
			network = args[2]
		}
		makers := map[string]func(r *run) (a, b uintptr, err error){
			"tcp":      func(*run) (a, b uintptr, err error) { return connectedPair("tcp4", "127.0.0.1:0") },
			"tcp6":     func(*run) (a, b uintptr, err error) { return connectedPair("tcp6", "[::1]:0") },
			"unix":     func(r *run) (a, b uintptr, err error) { return sysUnixPair(false) },
			"udp":      func(*run) (a, b uintptr, err error) { return datagramPair("udp4", "127.0.0.1:0") },
			"udp6":     func(*run) (a, b uintptr, err error) { return datagramPair("udp6", "[::1]:0") },
			"unixgram": func(r *run) (a, b uintptr, err error) { return sysUnixPair(true) },
		}
		kinds := map[string]kind{"tcp": kindTCP, "tcp6": kindTCP, "unix": kindUnix, "udp": kindUDP, "udp6": kindUDP, "unixgram": kindUnixgram}
		open := makers[network]
		if open == nil {
			return nil, l.usage()
		}
		return func(r *run) error {
			a, b, err := open(r)
			if err != nil {
				return err
			}
			return r.twoEnds(kinds[network], args[0], a, args[1], b)
		}, c.define(aDescriptor, args[0], args[1])
	})
	twoNames("pipe READER WRITER", func(r *run, rd, wr string) error {
		a, b, err := sysPipe()
		if err != nil {
			return err
		}
		return r.oneWay(rd, a, wr, b)
	})
	twoNames("fifo READER WRITER", func(r *run, rd, wr string) error {
		dir, err := r.tempDir()
		if err != nil {
			return err
		}
		a, b, err := sysFifo(dir)
		if err != nil {
			return err
		}
		return r.oneWay(rd, a, wr, b)
	})
	twoNames("conn A B", func(r *run, an, bn string) error {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		ac, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			return err
		}
		bc, err := l.Accept()
		if err != nil {
			ac.Close()
			return err
		}
		a, b := &end{kind: kindTCP}, &end{kind: kindTCP}
		pairUp(a, b, r.seed())
		if err := r.owned(an, ac.(owner), a); err != nil {
			return err
		}
		return r.owned(bn, bc.(owner), b)
	})
	twoNames("osfile READER WRITER", func(r *run, rd, wr string) error {
		fr, fw, err := os.Pipe()
		if err != nil {
			return err
		}
		a, b := &end{kind: kindPipe, noWrite: true}, &end{kind: kindPipe, noRead: true}
		pairUp(a, b, r.seed())
		if err := r.owned(rd, fr, a); err != nil {
			return err
		}
		return r.owned(wr, fw, b)
	})
	oneName("netlistener L", func(r *run, name string) error {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		return r.owned(name, l.(owner), &end{kind: kindListener, address: "tcp4 " + l.Addr().String()})
	})
	register("listener L [tcp|tcp6|unix]", "", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(1, 2)
		if err != nil {
			return nil, err
		}
		network := "tcp"
		if len(args) == 2 {
			network = args[1]
		}
		if network != "tcp" && network != "tcp6" && network != "unix" {
			return nil, l.usage()
		}
		return func(r *run) error {
			address := map[string]string{"tcp": "127.0.0.1:0", "tcp6": "[::1]:0"}[network]
			if network == "unix" {
				dir, err := r.tempDir()
				if err != nil {
					return err
				}
				address = filepath.Join(dir, args[0])
			}
			fd, err := socket.Listen(network, address)
			if err != nil {
				return err
			}
			if network != "unix" {
				if address, err = localAddress(fd); err != nil {
					return err
				}
			}
			return r.name(&desc{name: args[0], fd: fd, end: &end{kind: kindListener, address: network + " " + address}})
		}, c.define(aDescriptor, args[0])
	})
	register("dial C LISTENER|nobody", "", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(2, 2)
		if err != nil {
			return nil, err
		}
		if args[1] != "nobody" {
			if err := c.known(aDescriptor, args[1]); err != nil {
				return nil, err
			}
		}
		return func(r *run) error { return r.dial(args[0], args[1]) }, c.define(aDescriptor, args[0])
	})
	register("accept LISTENER A [-> error]", "want", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(1, 2)
		if err != nil || (len(args) == 1) != (l.want != "") {
			return nil, l.usage()
		}
		if err := c.known(aDescriptor, args[0]); err != nil {
			return nil, err
		}
		if len(args) == 2 {
			err = c.define(aDescriptor, args[1])
		}
		return func(r *run) error {
			d, err := r.openDesc(args[0])
			if err != nil {
				return err
			}
			fd, err := socket.Accept(d.fd)
			if l.want != "" {
				return checkError(err, l.want)
			}
			if err != nil {
				return err
			}
			if len(d.end.backlog) == 0 {
				return fmt.Errorf("a connection came that the script did not make")
			}
			e := d.end.backlog[0]
			d.end.backlog = d.end.backlog[1:]
			e.waiting = false
			return r.name(&desc{name: args[1], fd: fd, end: e})
		}, err
	})
	oneDesc("connected C [-> error]", "want", func(r *run, d *desc, l *line) error {
		return checkError(socket.ConnectError(d.fd), l.want)
	})
	oneName("fresh S", func(r *run, name string) error {
		fd, err := sysFresh(false)
		if err != nil {
			return err
		}
		return r.name(&desc{name: name, fd: fd, end: &end{kind: kindTCP}})
	})
	oneName("udp U", func(r *run, name string) error {
		fd, err := socket.Listen("udp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		address, err := localAddress(fd)
		if err != nil {
			return err
		}
		e := &end{kind: kindUDP, address: address, in: &stream{seed: r.seed()}}
		return r.name(&desc{name: name, fd: fd, end: e})
	})
	register("send FROM TO N", "", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(3, 3)
		if err != nil {
			return nil, err
		}
		n, err := number(args[2])
		if err != nil {
			return nil, err
		}
		return func(r *run) error { return r.send(args[0], args[1], n) }, c.known(aDescriptor, args[0], args[1])
	})
	oneName("file F", func(r *run, name string) error {
		dir, err := r.tempDir()
		if err != nil {
			return err
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
			return err
		}
		return r.opened(name, path)
	})
	oneName("dir D", func(r *run, name string) error {
		dir, err := r.tempDir()
		if err != nil {
			return err
		}
		return r.opened(name, dir)
	})
	oneName("null N", func(r *run, name string) error { return r.opened(name, nullDevice) })
	register("number D N", "", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(2, 2)
		if err != nil {
			return nil, err
		}
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return nil, l.usage()
		}
		return func(r *run) error {
			if err := r.name(&desc{name: args[0], fd: uintptr(n), kept: true}); err != nil {
				return err
			}
			r.descs[args[0]].open = false
			return nil
		}, c.define(aDescriptor, args[0])
	})
	register("nested D @POLLER", "", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(2, 2)
		if err != nil {
			return nil, err
		}
		p, rest, err := c.poller(args)
		if err != nil || len(rest) != 1 {
			return nil, l.usage()
		}
		return func(r *run) error {
			return r.name(&desc{name: rest[0], fd: r.pollers[p].p.Fd(), kept: true})
		}, c.define(aDescriptor, rest[0])
	})
	register("dup A COPY", "", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(2, 2)
		if err != nil {
			return nil, err
		}
		if err := c.known(aDescriptor, args[0]); err != nil {
			return nil, err
		}
		return func(r *run) error {
			d, err := r.openDesc(args[0])
			if err != nil {
				return err
			}
			fd, err := sysDup(d.fd)
			if err != nil {
				return err
			}
			return r.name(&desc{name: args[1], fd: fd, end: d.end})
		}, c.define(aDescriptor, args[1])
	})
	register("renumber D CLOSED", "", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(2, 2)
		if err != nil {
			return nil, err
		}
		return func(r *run) error {
			d, err := r.openDesc(args[0])
			if err != nil {
				return err
			}
			old, err := r.desc(args[1])
			if err != nil {
				return err
			}
			if old.open {
				return fmt.Errorf("%s is open", old.name)
			}
			if d.fd == old.fd {
				return nil
			}
			if err := sysRenumber(d.fd, old.fd); err != nil {
				return err
			}
			d.fd = old.fd
			return nil
		}, c.known(aDescriptor, args[0], args[1])
	})
	oneDesc("close A", "", func(r *run, d *desc, l *line) error {
		unread := d.end != nil && d.end.in != nil && d.end.kind == kindTCP && d.end.in.unread() > 0
		if err := d.close(); err != nil {
			return err
		}
		switch {
		case d.end == nil || d.end.open():
			return nil
		case unread: // bytes that nobody will read: TCP answers with a reset
			return d.end.settleReset()
		}
		return d.end.settleEnd()
	})
	oneDesc("reset A", "", func(r *run, d *desc, l *line) error {
		if err := socket.Reset(d.fd); err != nil {
			return err
		}
		d.open = false
		d.end.holders = nil
		return d.end.settleReset()
	})
	register("shutdown A read|write|both", "", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(2, 2)
		if err != nil {
			return nil, err
		}
		hows := map[string]socket.How{"read": socket.ShutRead, "write": socket.ShutWrite, "both": socket.ShutBoth}
		how, ok := hows[args[1]]
		if !ok {
			return nil, l.usage()
		}
		return func(r *run) error {
			d, err := r.openDesc(args[0])
			if err != nil {
				return err
			}
			if err := socket.Shutdown(d.fd, how); err != nil {
				return err
			}
			d.end.noRead = d.end.noRead || args[1] != "write"
			if args[1] == "read" {
				return nil
			}
			d.end.noWrite = true
			return d.end.settleEnd()
		}, c.known(aDescriptor, args[0])
	})
	oneDesc("blocking A", "", func(r *run, d *desc, l *line) error { return sysBlocking(d.fd) })
	oneDesc("urgent A", "", func(r *run, d *desc, l *line) error {
		d.end.out.vague = true
		if err := socket.WriteUrgent(d.fd, '!'); err != nil {
			return err
		}
		return until(d.end.peer.fd(), pollPri, "the urgent byte", func(got int16) (bool, error) { return got&pollPri != 0, nil })
	})
	oneDesc("read-urgent A", "", func(r *run, d *desc, l *line) error {
		b, err := socket.ReadUrgent(d.fd)
		if err == nil && b != '!' {
			err = fmt.Errorf("expected: the urgent byte %q\ncame:     %q", '!', b)
		}
		return err
	})
	register("write A N [-> error]", "want", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(2, 2)
		if err != nil {
			return nil, err
		}
		n, err := number(args[1])
		if err != nil {
			return nil, err
		}
		return func(r *run) error {
			d, err := r.desc(args[0])
			if err != nil {
				return err
			}
			if bad := checkError(d.write(n), l.want); bad != nil || l.want != "" {
				return bad
			}
			if d.end == nil {
				return nil
			}
			return d.end.settleWritten()
		}, c.known(aDescriptor, args[0])
	})
	oneDesc("fill A", "", func(r *run, d *desc, l *line) error { return d.fill() })
	register("read A [N|all|eof|end] [-> error]", "want", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(1, 2)
		if err != nil || (len(args) == 1) != (l.want != "") {
			return nil, l.usage()
		}
		do, err := readStep(args)
		if err != nil {
			return nil, err
		}
		c.expects = true
		return func(r *run) error {
			d, err := r.openDesc(args[0])
			if err != nil {
				return err
			}
			if l.want != "" {
				_, err := d.try(make([]byte, 64<<10), true)
				return checkError(err, l.want)
			}
			return do(d)
		}, c.known(aDescriptor, args[0])
	})
}

// readStep is what a read command does to its descriptor.
func readStep(args []string) (func(*desc) error, error) {
	if len(args) < 2 {
		return nil, nil
	}
	switch args[1] {
	case "all":
		return (*desc).readAll, nil
	case "eof":
		return (*desc).readEOF, nil
	case "end": // whichever way it ends
		return func(d *desc) error {
			for {
				m, err := d.readSome(make([]byte, 64<<10))
				if m == 0 || err != nil {
					return nil
				}
			}
		}, nil
	}
	n, err := number(args[1])
	return func(d *desc) error { return d.read(n) }, err
}

// The shapes that several commands share.

func oneName(usage string, do func(r *run, name string) error) {
	register(usage, "", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(1, 1)
		if err != nil {
			return nil, err
		}
		return func(r *run) error { return do(r, args[0]) }, c.define(aDescriptor, args[0])
	})
}

func twoNames(usage string, do func(r *run, a, b string) error) {
	register(usage, "", func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(2, 2)
		if err != nil {
			return nil, err
		}
		return func(r *run) error { return do(r, args[0], args[1]) }, c.define(aDescriptor, args[0], args[1])
	})
}

func oneDesc(usage, flags string, do func(r *run, d *desc, l *line) error) {
	register(usage, flags, func(c *compiler, l *line) (func(*run) error, error) {
		args, err := l.args(1, 1)
		if err != nil {
			return nil, err
		}
		return func(r *run) error {
			d, err := r.openDesc(args[0])
			if err != nil {
				return err
			}
			return do(r, d, l)
		}, c.known(aDescriptor, args[0])
	})
}

// twoEnds names the two ends of a new connection.
func (r *run) twoEnds(k kind, an string, afd uintptr, bn string, bfd uintptr) error {
	a, b := &end{kind: k}, &end{kind: k}
	pairUp(a, b, r.seed())
	if err := r.name(&desc{name: an, fd: afd, end: a}); err != nil {
		return err
	}
	return r.name(&desc{name: bn, fd: bfd, end: b})
}

// oneWay names the two ends of a new pipe.
func (r *run) oneWay(rn string, rfd uintptr, wn string, wfd uintptr) error {
	a, b := &end{kind: kindPipe, noWrite: true}, &end{kind: kindPipe, noRead: true}
	pairUp(a, b, r.seed())
	if err := r.name(&desc{name: rn, fd: rfd, end: a}); err != nil {
		return err
	}
	return r.name(&desc{name: wn, fd: wfd, end: b})
}

func (r *run) opened(name, path string) error {
	fd, err := sysOpen(path)
	if err != nil {
		return err
	}
	return r.name(&desc{name: name, fd: fd})
}

// dial connects to a listener of the script, or to an address where nobody listens.
func (r *run) dial(name, to string) error {
	if to == "nobody" {
		// A bound socket that doesn't listen keeps the port from anybody else.
		holder, err := sysFresh(true)
		if err != nil {
			return err
		}
		r.cleanup = append(r.cleanup, func() { socket.Close(holder) })
		port, err := sysPort(holder)
		if err != nil {
			return err
		}
		fd, err := socket.Dial("tcp4", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			return err
		}
		if err := r.name(&desc{name: name, fd: fd, end: &end{kind: kindTCP}}); err != nil {
			return err
		}
		return until(fd, pollOut, "the refusal", func(got int16) (bool, error) { return got != 0, nil })
	}
	l, err := r.openDesc(to)
	if err != nil {
		return err
	}
	network, address, _ := strings.Cut(l.end.address, " ")
	fd, err := socket.Dial(network, address)
	if err != nil {
		return err
	}
	e, served := &end{kind: kindTCP}, &end{kind: kindTCP, waiting: true}
	if network == "unix" {
		e.kind, served.kind = kindUnix, kindUnix
	}
	pairUp(e, served, r.seed())
	l.end.backlog = append(l.end.backlog, served)
	if err := r.name(&desc{name: name, fd: fd, end: e}); err != nil {
		return err
	}
	if err := until(fd, pollOut, "the connection", func(got int16) (bool, error) { return got != 0, nil }); err != nil {
		return err
	}
	return until(l.fd, pollIn, "the connection at the listener", func(got int16) (bool, error) { return got != 0, nil })
}

// send writes a datagram to a socket that isn't connected; to a closed one too.
func (r *run) send(from, to string, n int) error {
	a, err := r.openDesc(from)
	if err != nil {
		return err
	}
	b, err := r.desc(to)
	if err != nil {
		return err
	}
	if b.end == nil || b.end.address == "" {
		return fmt.Errorf("%s has no address", to)
	}
	address, err := netip.ParseAddrPort(b.end.address)
	if err != nil {
		return err
	}
	if _, err := socket.WriteTo(a.fd, b.end.in.sending(n), address); err != nil {
		return err
	}
	if !b.open {
		return nil
	}
	b.end.in.sent(n, true)
	return until(b.fd, pollIn, "the arrival of the datagram", func(got int16) (bool, error) { return got != 0, nil })
}

func localAddress(fd uintptr) (string, error) {
	a, err := socket.LocalAddr(fd)
	if err != nil {
		return "", err
	}
	return a.String(), nil
}

// connectedPair makes a TCP connection over the loopback interface.
func connectedPair(network, address string) (a, b uintptr, err error) {
	l, err := socket.Listen(network, address)
	if err != nil {
		return 0, 0, err
	}
	defer socket.Close(l)
	if err = sysSmall(l); err != nil {
		return 0, 0, err
	}
	if address, err = localAddress(l); err != nil {
		return 0, 0, err
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return 0, 0, err
	}
	if a, err = sysDialSmall(to); err != nil {
		return 0, 0, err
	}
	err = until(l, pollIn, "the connection at the listener", func(got int16) (bool, error) { return got != 0, nil })
	if err == nil {
		b, err = socket.Accept(l)
	}
	if err == nil {
		err = until(a, pollOut, "the connection", func(got int16) (bool, error) { return got != 0, nil })
	}
	if err == nil {
		err = socket.ConnectError(a)
	}
	if err != nil {
		socket.Close(a)
	}
	return a, b, err
}

// datagramPair makes two UDP sockets that are connected to each other.
func datagramPair(network, address string) (a, b uintptr, err error) {
	if a, err = socket.Listen(network, address); err != nil {
		return 0, 0, err
	}
	at, err := localAddress(a)
	if err == nil {
		if b, err = socket.Dial(network, at); err == nil {
			if at, err = localAddress(b); err == nil {
				err = sysConnect(a, netip.MustParseAddrPort(at))
			}
		}
	}
	return a, b, err
}

// owned names a descriptor that belongs to another package, and stays theirs.
func (r *run) owned(name string, o owner, e *end) error {
	d := &desc{name: name, end: e, owner: o}
	raw, err := o.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { d.fd = fd })
	}
	if err != nil {
		return err
	}
	return r.name(d)
}
