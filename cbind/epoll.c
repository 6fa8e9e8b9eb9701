//go:build linux

// The epoll shim: epoll_ctl, epoll_pwait2 and eventfd, any number of changes
// or facts a call.

#include "cbind.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

// glibc before 2.35 has no wrapper; the number is the same on every
// architecture (include/uapi/asm-generic/unistd.h).
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

_Static_assert(sizeof(struct epoll_event) <= sizeof(gopoll_fact),
	       "facts are unpacked in place");

int gopoll_epoll_create(void)
{
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	return epfd < 0 ? -errno : epfd;
}

void gopoll_epoll_control(int epfd, gopoll_epoll_change *changes, int count)
{
	for (int i = 0; i < count; i++) {
		gopoll_epoll_change *c = &changes[i];
		struct epoll_event event = {.events = c->events, .data.u64 = c->data};
		c->err = epoll_ctl(epfd, c->op, c->fd, &event) < 0 ? errno : 0;
	}
}

// The kernel wrote count epoll_events to the front of facts. A fact is never
// smaller than an event, so unpacking from the last to the first overwrites
// none that is still to be read.
static int unpack(gopoll_fact *facts, int count)
{
	if (count < 0)
		return -errno;
	for (int i = count - 1; i >= 0; i--) {
		struct epoll_event event;
		memcpy(&event, (char *)facts + (size_t)i * sizeof event, sizeof event);
		facts[i] = (gopoll_fact){.data = event.data.u64, .bits = event.events};
	}
	return count;
}

// struct __kernel_timespec, which is in no header of kernels before 5.1.
struct timespec64 {
	int64_t sec;
	int64_t nsec;
};

static long pwait2(int epfd, void *events, int count, int64_t timeout_ns)
{
	struct timespec64 timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
	return syscall(SYS_epoll_pwait2, epfd, events, count,
		       timeout_ns < 0 ? NULL : &timeout, NULL, (size_t)0);
}

// Kernels before 5.11 answer ENOSYS, and some sandboxes EPERM.
int gopoll_epoll_has_pwait2(int epfd)
{
	struct epoll_event event;
	return pwait2(epfd, &event, 1, 0) >= 0;
}

// timeout_ns < 0 waits for ever.
int gopoll_epoll_wait(int epfd, gopoll_fact *facts, int count, int64_t timeout_ns)
{
	return unpack(facts, (int)pwait2(epfd, facts, count, timeout_ns));
}

int gopoll_epoll_wait_ms(int epfd, gopoll_fact *facts, int count, int timeout_ms)
{
	return unpack(facts, epoll_wait(epfd, (struct epoll_event *)(void *)facts, count, timeout_ms));
}

int gopoll_eventfd_create(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int gopoll_eventfd_signal(int fd)
{
	uint64_t one = 1;
	return write(fd, &one, sizeof one) < 0 ? -errno : 0;
}
