//go:build linux && cgo

package cloop

/*
#cgo CFLAGS: -O2 -std=c11 -D_GNU_SOURCE
#cgo LDFLAGS: -lpthread
#include <linux/time_types.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

static int look(int epfd, struct epoll_event *events, int capacity, int block)
{
	struct __kernel_timespec zero = {0};
	return (int)syscall(SYS_epoll_pwait2, epfd, events, capacity, block ? NULL : &zero, NULL, (size_t)0);
}

static long waits(int epfd, int capacity, int rounds)
{
	struct epoll_event *events = calloc((size_t)capacity, sizeof *events);
	long total = 0;
	for (int i = 0; i < rounds; i++)
		total += look(epfd, events, capacity, 0);
	free(events);
	return total;
}

static int change(int epfd, int op, const int32_t *fds, int count, uint32_t bits)
{
	int failed = 0;
	for (int i = 0; i < count; i++) {
		struct epoll_event event = {.events = bits, .data.u64 = (uint64_t)i};
		failed += epoll_ctl(epfd, op, fds[i], &event) < 0;
	}
	return failed;
}

static int adds(int epfd, const int32_t *fds, int count, int rounds)
{
	int failed = 0;
	for (int i = 0; i < rounds; i++)
		failed += change(epfd, EPOLL_CTL_ADD, fds, count, EPOLLIN) + change(epfd, EPOLL_CTL_DEL, fds, count, 0);
	return failed;
}

static int modifies(int epfd, const int32_t *fds, int count, int rounds)
{
	int failed = 0;
	for (int i = 0; i < rounds; i++)
		failed += change(epfd, EPOLL_CTL_MOD, fds, count, i % 2 ? EPOLLIN : EPOLLIN | EPOLLOUT);
	return failed;
}

// Each round writes a byte to every peer, and reads what is ready.
static long reads(int epfd, const int32_t *fds, const int32_t *peers, int count, int rounds)
{
	struct epoll_event *events = calloc((size_t)count, sizeof *events);
	char buffer[64];
	long total = 0;
	for (int i = 0; i < rounds; i++) {
		for (int j = 0; j < count; j++)
			if (send(peers[j], "x", 1, MSG_NOSIGNAL) != 1)
				return -1;
		for (int left = count; left > 0;) {
			int n = look(epfd, events, count, 1);
			if (n < 0)
				return -1;
			for (int j = 0; j < n; j++)
				total += recv(fds[events[j].data.u64], buffer, sizeof buffer, 0);
			left -= n;
		}
	}
	free(events);
	return total;
}

typedef struct {
	int epfd, own, other, rounds;
} side;

static void *answer(void *argument)
{
	side *s = argument;
	uint64_t one = 1;
	struct epoll_event event;
	for (int i = 0; i < s->rounds; i++)
		if (look(s->epfd, &event, 1, 1) != 1 || write(s->other, &one, sizeof one) < 0)
			return "failed";
	return NULL;
}

// Two threads wake each other in turn, by eventfds that are registered
// edge-triggered.
static int wakes(int rounds)
{
	side sides[2];
	uint64_t one = 1;
	for (int i = 0; i < 2; i++) {
		struct epoll_event event = {.events = EPOLLIN | EPOLLET};
		sides[i].rounds = rounds;
		sides[i].epfd = epoll_create1(EPOLL_CLOEXEC);
		sides[i].own = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (epoll_ctl(sides[i].epfd, EPOLL_CTL_ADD, sides[i].own, &event) < 0)
			return -1;
	}
	sides[0].other = sides[1].own;
	sides[1].other = sides[0].own;
	pthread_t thread;
	if (pthread_create(&thread, NULL, answer, &sides[1]) != 0 || write(sides[1].own, &one, sizeof one) < 0)
		return -1;
	void *failed = answer(&sides[0]), *failed_there;
	pthread_join(thread, &failed_there);
	for (int i = 0; i < 2; i++) {
		close(sides[i].epfd);
		close(sides[i].own);
	}
	return failed || failed_there ? -1 : 0;
}
*/
import "C"

import "unsafe"

// Waits looks for events so many times, and returns how many there were.
func Waits(epfd, capacity, rounds int) int {
	return int(C.waits(C.int(epfd), C.int(capacity), C.int(rounds)))
}

// Adds adds and deletes all descriptors in each round; it returns how many
// calls have failed.
func Adds(epfd int, fds []int32, rounds int) int {
	return int(C.adds(C.int(epfd), first(fds), C.int(len(fds)), C.int(rounds)))
}

// Modifies modifies all descriptors in each round; it returns how many calls
// have failed.
func Modifies(epfd int, fds []int32, rounds int) int {
	return int(C.modifies(C.int(epfd), first(fds), C.int(len(fds)), C.int(rounds)))
}

// Reads writes a byte to each peer in each round, waits, and reads it; it
// returns the bytes read. The user data of each descriptor is its place.
func Reads(epfd int, fds, peers []int32, rounds int) int {
	return int(C.reads(C.int(epfd), first(fds), first(peers), C.int(len(fds)), C.int(rounds)))
}

// Wakes has two threads wake each other so many times, and says whether all
// calls succeeded.
func Wakes(rounds int) bool { return C.wakes(C.int(rounds)) == 0 }

// first is the array for the time of a call.
func first(fds []int32) *C.int32_t { return (*C.int32_t)(unsafe.Pointer(unsafe.SliceData(fds))) }
