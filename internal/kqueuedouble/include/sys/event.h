// Copyright 2026 The gopoll Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

/*
 * A test double of kqueue(2) for Linux. It is never part of a user's build.
 * What passes against it agrees with our reading of the manual; no kernel has
 * been tested.
 *
 * Switches, to be set alike for the double and for whoever includes this:
 *   KQD_NETBSD         NetBSD's struct and filter numbers, no EVFILT_EXCEPT
 *   KQD_NO_USER        EVFILT_USER has a number and is refused at run time
 *   KQD_ENABLE_SILENT  EV_ENABLE without EV_ADD does not look at the state again
 *   KQD_PIPE_SILENT    EVFILT_WRITE on a pipe is not told that the reader went
 *   KQD_KEEP_UDATA     EV_ADD of a knote that exists keeps the udata it had
 */
#ifndef KQUEUE_DOUBLE_SYS_EVENT_H
#define KQUEUE_DOUBLE_SYS_EVENT_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define KQUEUE_DOUBLE 1

#ifdef KQD_NETBSD

#define EVFILT_READ 0U
#define EVFILT_WRITE 1U
#define EVFILT_TIMER 6U
#define EVFILT_USER 8U

struct kevent {
	uintptr_t ident;
	uint32_t filter;
	uint32_t flags;
	uint32_t fflags;
	int64_t data;
	void *udata;
};
typedef size_t kqd_count;

#else /* FreeBSD 12 and later; EVFILT_EXCEPT as macOS has it */

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_TIMER (-7)
#define EVFILT_USER (-11)
#define EVFILT_EXCEPT (-15)
#define NOTE_OOB 0x2U

struct kevent {
	uintptr_t ident;
	int16_t filter;
	uint16_t flags;
	uint32_t fflags;
	int64_t data;
	void *udata;
	uint64_t ext[4];
};
typedef int kqd_count;

#endif

#define EV_ADD 0x0001U
#define EV_DELETE 0x0002U
#define EV_ENABLE 0x0004U
#define EV_DISABLE 0x0008U
#define EV_ONESHOT 0x0010U
#define EV_CLEAR 0x0020U
#define EV_RECEIPT 0x0040U
#define EV_DISPATCH 0x0080U
#define EV_ERROR 0x4000U
#define EV_EOF 0x8000U

#define NOTE_FFNOP 0x00000000U
#define NOTE_FFAND 0x40000000U
#define NOTE_FFOR 0x80000000U
#define NOTE_FFCOPY 0xc0000000U
#define NOTE_FFCTRLMASK 0xc0000000U
#define NOTE_FFLAGSMASK 0x00ffffffU
#define NOTE_TRIGGER 0x01000000U

#define NOTE_SECONDS 0x1U
#define NOTE_MSECONDS 0x2U
#define NOTE_USECONDS 0x4U
#define NOTE_NSECONDS 0x8U

#define EV_SET(kev, a, b, c, d, e, f)     \
	(*(kev) = (struct kevent){            \
		 .ident = (uintptr_t)(a),         \
		 .filter = (b),                   \
		 .flags = (c),                    \
		 .fflags = (d),                   \
		 .data = (e),                     \
		 .udata = (void *)(f),            \
	 })

int kqueue(void);
int kevent(int kq, const struct kevent *changes, kqd_count nchanges,
		   struct kevent *events, kqd_count nevents,
		   const struct timespec *timeout);

/*
 * A kernel frees a queue with its descriptor. The double keeps descriptors of
 * its own beside it, so close() in a file that includes this header is ours.
 */
int kqueue_double_close(int fd);
#define close kqueue_double_close

#endif
