//go:build darwin || dragonfly || freebsd || netbsd || openbsd || kqueue_double

// The kqueue shim: kqueue(2) and kevent(2), any number of changes or facts a
// call, and the pipe that wakes waiters where there is no EVFILT_USER. Where
// the systems' structs and numbers differ, their own headers say how.

#define _DARWIN_C_SOURCE
#define _NETBSD_SOURCE
#include "cbind.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/types.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

// Last: the test double's stands in for close().
#include <sys/event.h>

// The pure binding declares these structs for itself; a header that disagrees
// with it must not compile.
#if defined(__LP64__)
_Static_assert(offsetof(struct kevent, ident) == 0, "kevent.ident");
_Static_assert(offsetof(struct kevent, filter) == 8, "kevent.filter");
#if defined(__NetBSD__) || defined(KQD_NETBSD)
_Static_assert(sizeof(struct kevent) == 40, "kevent");
_Static_assert(sizeof((struct kevent *)0)->filter == 4, "kevent.filter");
_Static_assert(offsetof(struct kevent, flags) == 12, "kevent.flags");
_Static_assert(offsetof(struct kevent, fflags) == 16, "kevent.fflags");
_Static_assert(offsetof(struct kevent, data) == 24, "kevent.data");
_Static_assert(offsetof(struct kevent, udata) == 32, "kevent.udata");
#else
#if defined(__FreeBSD__) || defined(KQUEUE_DOUBLE)
_Static_assert(sizeof(struct kevent) == 64, "kevent of FreeBSD 12 and later");
#else
_Static_assert(sizeof(struct kevent) == 32, "kevent");
#endif
_Static_assert(offsetof(struct kevent, flags) == 10, "kevent.flags");
_Static_assert(offsetof(struct kevent, fflags) == 12, "kevent.fflags");
_Static_assert(offsetof(struct kevent, data) == 16, "kevent.data");
_Static_assert(offsetof(struct kevent, udata) == 24, "kevent.udata");
#endif
#endif

_Static_assert(EV_ADD == 0x1 && EV_DELETE == 0x2 && EV_ENABLE == 0x4 && EV_DISABLE == 0x8 &&
	       EV_CLEAR == 0x20 && EV_RECEIPT == 0x40 && EV_DISPATCH == 0x80 &&
	       EV_ERROR == 0x4000 && EV_EOF == 0x8000, "abi.Kqueue flags");

int gopoll_kqueue_create(void)
{
	int kq = kqueue();
	if (kq < 0)
		return -errno;
	// Without effect on most systems, where a child never inherits a queue.
	if (fcntl(kq, F_SETFD, FD_CLOEXEC) < 0) {
		int err = errno;
		close(kq);
		return -err;
	}
	return kq;
}

int gopoll_kqueue_close(int kq)
{
	return close(kq) < 0 ? -errno : 0;
}

// Whether the headers know EVFILT_EXCEPT for out-of-band data.
int gopoll_kqueue_except(void)
{
#if defined(EVFILT_EXCEPT) && defined(NOTE_OOB)
	return 1;
#else
	return 0;
#endif
}

// Fills in filter and fflags; 0 where the system has no such filter.
static int set_filter(struct kevent *event, const gopoll_kqueue_change *c)
{
	event->fflags = c->fflags;
	switch (c->filter) {
	case GOPOLL_KQUEUE_READ:
		event->filter = EVFILT_READ;
		return 1;
	case GOPOLL_KQUEUE_WRITE:
		event->filter = EVFILT_WRITE;
		return 1;
#if defined(EVFILT_EXCEPT) && defined(NOTE_OOB)
	case GOPOLL_KQUEUE_EXCEPT:
		event->filter = EVFILT_EXCEPT;
		event->fflags |= NOTE_OOB;
		return 1;
#endif
#ifdef EVFILT_USER
	case GOPOLL_KQUEUE_USER:
		event->filter = EVFILT_USER;
		return 1;
#endif
	}
	return 0;
}

static uint32_t filter_code(const struct kevent *event)
{
	switch (event->filter) {
	case EVFILT_READ:
		return GOPOLL_KQUEUE_READ;
	case EVFILT_WRITE:
		return GOPOLL_KQUEUE_WRITE;
#if defined(EVFILT_EXCEPT) && defined(NOTE_OOB)
	case EVFILT_EXCEPT:
		return GOPOLL_KQUEUE_EXCEPT;
#endif
	}
	return GOPOLL_KQUEUE_USER;
}

// Looks at the descriptor where that is asked for. c->err becomes 0 if the
// change may go to the kernel.
static void inspect(gopoll_kqueue_change *c)
{
	struct stat st;
	c->err = 0;
	if (c->refuse == 0)
		return;
	if (fstat(c->fd, &st) < 0) {
		c->err = errno;
		return;
	}
	c->type = ((uint32_t)st.st_mode & S_IFMT) >> 12;
	if (c->refuse >> c->type & 1)
		c->err = EPERM;
}

// One kevent call for at most GOPOLL_KQUEUE_BATCH changes. EV_RECEIPT makes
// it answer each of them, in order, and take no event from the queue. EINTR
// means that the changes were made and the answers are lost.
static void change_batch(int kq, gopoll_kqueue_change *changes, int count)
{
	struct kevent events[GOPOLL_KQUEUE_BATCH];
	gopoll_kqueue_change *asked[GOPOLL_KQUEUE_BATCH];
	const struct timespec zero = {0, 0};
	int used = 0;
	for (int i = 0; i < count; i++) {
		gopoll_kqueue_change *c = &changes[i];
		struct kevent event = {0};
		inspect(c);
		if (c->err == 0 && !set_filter(&event, c))
			c->err = EINVAL;
		if (c->err != 0)
			continue;
		event.ident = (uintptr_t)(intptr_t)c->fd;
		event.flags = c->flags | EV_RECEIPT;
		// The member is void * or, on older NetBSD, intptr_t.
		event.udata = (__typeof__(event.udata))(uintptr_t)c->data;
		events[used] = event;
		asked[used++] = c;
	}
	if (used == 0)
		return;
	int answered = kevent(kq, events, used, events, used, &zero);
	int lost = answered < 0 ? (errno == EINTR ? 0 : errno) : EIO;
	for (int i = 0; i < used; i++) {
		if (i >= answered)
			asked[i]->err = lost;
		else
			asked[i]->err = events[i].flags & EV_ERROR ? (int32_t)events[i].data : 0;
	}
}

void gopoll_kqueue_change_all(int kq, gopoll_kqueue_change *changes, int count)
{
	for (int i = 0; i < count; i += GOPOLL_KQUEUE_BATCH) {
		int rest = count - i;
		change_batch(kq, changes + i, rest < GOPOLL_KQUEUE_BATCH ? rest : GOPOLL_KQUEUE_BATCH);
	}
}

// Fires the user event of ident and udata 0.
int gopoll_kqueue_trigger(int kq)
{
#ifdef EVFILT_USER
	struct kevent event = {.filter = EVFILT_USER, .fflags = NOTE_TRIGGER};
	return kevent(kq, &event, 1, NULL, 0, NULL) < 0 ? -errno : 0;
#else
	(void)kq;
	return -ENOSYS;
#endif
}

// timeout_ns < 0 waits for ever. Seconds must fit a time_t of 32 bits, and
// some kernels refuse more than 10^8 of them.
int gopoll_kqueue_wait(int kq, gopoll_fact *facts, int count, int64_t timeout_ns)
{
	struct kevent events[GOPOLL_KQUEUE_BATCH];
	int64_t seconds = timeout_ns / 1000000000;
	struct timespec timeout = {
		.tv_sec = (time_t)(seconds < 99999999 ? seconds : 99999999),
		.tv_nsec = (long)(timeout_ns % 1000000000),
	};
	if (count > GOPOLL_KQUEUE_BATCH)
		count = GOPOLL_KQUEUE_BATCH;
	int n = kevent(kq, NULL, 0, events, count, timeout_ns < 0 ? NULL : &timeout);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		facts[i] = (gopoll_fact){
			.data = (uint64_t)(uintptr_t)events[i].udata,
			.bits = filter_code(&events[i]) << 16 | (events[i].flags & 0xffff),
			.aux = (int32_t)events[i].fflags,
		};
	}
	return n;
}

static int prepare(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

// A non-blocking pipe: fds[0] is to be watched, fds[1] is for the signal. The
// caller keeps other threads from forking meanwhile.
int gopoll_pipe_create(int fds[2])
{
	if (pipe(fds) < 0)
		return -errno;
	int err = prepare(fds[0]);
	if (err == 0)
		err = prepare(fds[1]);
	if (err < 0) {
		close(fds[0]);
		close(fds[1]);
	}
	return err;
}

// A full pipe is readable, and that is all a signal is for.
int gopoll_pipe_signal(int fd)
{
	ssize_t n;
	do
		n = write(fd, "", 1);
	while (n < 0 && errno == EINTR);
	return n < 0 && errno != EAGAIN ? -errno : 0;
}

int gopoll_pipe_drain(int fd)
{
	char sink[64];
	ssize_t n;
	do
		n = read(fd, sink, sizeof sink);
	while (n == (ssize_t)sizeof sink || (n < 0 && errno == EINTR));
	return n < 0 && errno != EAGAIN ? -errno : 0;
}
