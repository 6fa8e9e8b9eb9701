//go:build linux && !kqueue_double

package gopoll

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gopoll.dev/internal/abi"
	"gopoll.dev/internal/purebind"
)

func init() {
	rivals = append(rivals, rival{"go calls", bareWaits, bareAdds, bareModifies, bareWakes, bareReads})
}

// bareSet is an epoll set with some descriptors, each with its place as data.
func bareSet(b *testing.B, fds []uintptr) (epfd int) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	must(b, err)
	b.Cleanup(func() { unix.Close(epfd) })
	for i, fd := range fds {
		bareControl(b, epfd, unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, i)
	}
	return epfd
}

func bareControl(b *testing.B, epfd, op int, fd uintptr, events uint32, data int) {
	e := unix.EpollEvent{Events: events, Fd: int32(data)}
	if err := unix.EpollCtl(epfd, op, int(fd), &e); err != nil {
		b.Fatal(err)
	}
}

// bareWaits is the same system call that Wait makes.
func bareWaits(b *testing.B, fds []uintptr, capacity int) {
	e, err := purebind.OpenEpoll()
	must(b, err)
	defer e.Close()
	for i, fd := range fds {
		e.Control([]abi.EpollChange{{Op: unix.EPOLL_CTL_ADD, Fd: int32(fd), Events: unix.EPOLLIN, Data: uint64(i)}})
	}
	facts := make([]abi.Fact, capacity)
	for b.Loop() {
		if _, errno := e.Wait(facts, 0); errno != 0 {
			b.Fatal(errno)
		}
	}
}

func bareAdds(b *testing.B, fds []uintptr) {
	epfd := bareSet(b, nil)
	for b.Loop() {
		for i, fd := range fds {
			bareControl(b, epfd, unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, i)
		}
		for i, fd := range fds {
			bareControl(b, epfd, unix.EPOLL_CTL_DEL, fd, 0, i)
		}
	}
}

func bareModifies(b *testing.B, fds []uintptr) {
	epfd := bareSet(b, fds)
	masks := [2]uint32{unix.EPOLLIN, unix.EPOLLIN | unix.EPOLLOUT}
	for round := 0; b.Loop(); round++ {
		for i, fd := range fds {
			bareControl(b, epfd, unix.EPOLL_CTL_MOD, fd, masks[round%2], i)
		}
	}
}

func bareWakes(b *testing.B) {
	var sides [2]*purebind.Epoll
	for i := range sides {
		e, err := purebind.OpenEpoll()
		must(b, err)
		defer e.Close()
		e.Control([]abi.EpollChange{{Op: unix.EPOLL_CTL_ADD, Fd: int32(e.WakeFd()), Events: unix.EPOLLIN | unix.EPOLLET}})
		sides[i] = e
	}
	wait := func(e *purebind.Epoll, facts []abi.Fact) bool {
		for {
			n, errno := e.Wait(facts, patience)
			if errno != syscall.EINTR {
				return n == 1
			}
		}
	}
	done := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		facts := make([]abi.Fact, 1)
		for wait(sides[1], facts) {
			select {
			case <-done:
				return
			default:
				sides[0].Wake()
			}
		}
	})
	facts := make([]abi.Fact, 1)
	for b.Loop() {
		sides[1].Wake()
		if !wait(sides[0], facts) {
			b.Fatal("no wake")
		}
	}
	close(done)
	sides[1].Wake()
	join("the other side", &group)
}

func bareReads(b *testing.B, fds, peers []uintptr) {
	e, err := purebind.OpenEpoll()
	must(b, err)
	defer e.Close()
	for i, fd := range fds {
		e.Control([]abi.EpollChange{{Op: unix.EPOLL_CTL_ADD, Fd: int32(fd), Events: unix.EPOLLIN, Data: uint64(i)}})
	}
	facts, buf, one := make([]abi.Fact, len(fds)), make([]byte, 64), []byte{1}
	for b.Loop() {
		for _, peer := range peers {
			if _, err := unix.Write(int(peer), one); err != nil {
				b.Fatal(err)
			}
		}
		for left := len(fds); left > 0; {
			n, errno := e.Wait(facts, time.Duration(-1))
			if errno != 0 && errno != syscall.EINTR {
				b.Fatal(errno)
			}
			for _, f := range facts[:n] {
				if n, err := unix.Read(int(fds[f.Data]), buf); n != 1 || err != nil {
					b.Fatal(n, err)
				}
			}
			left -= n
		}
	}
}
