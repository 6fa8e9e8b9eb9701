// Copyright 2026 The gopoll Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

/*
 * kqueue(2) and kevent(2) over epoll. Test-only; see include/sys/event.h.
 *
 * As in the kernels, a knote is a state machine of its own: an arrival marks
 * it active and queues it, and kevent() takes knotes off the queue, asks each
 * whether its condition still holds, and puts those with neither EV_CLEAR nor
 * EV_DISPATCH back at the tail.
 *
 * The arrivals come from edge-triggered epoll sets, one for each filter, since
 * one set would wake a reader for the writer's edges. They hang in one outer
 * set, whose descriptor is the queue's and can itself be polled. An eventfd
 * in it stays signalled while knotes are queued.
 *
 * A close is not seen when it happens. It is found out when the knote is next
 * looked at: adding the descriptor again says EEXIST exactly if the open file
 * behind the number is still the one registered. A number that is closed and
 * given back to the same open file, unseen between, is not found out.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "sys/event.h"
#undef close

#ifdef KQD_NETBSD
_Static_assert(sizeof(void *) != 8 || sizeof(struct kevent) == 40, "netbsd kevent");
_Static_assert(sizeof(void *) != 8 || offsetof(struct kevent, data) == 24, "netbsd data");
#else
_Static_assert(sizeof(void *) != 8 || sizeof(struct kevent) == 64, "freebsd kevent");
_Static_assert(sizeof(void *) != 8 || offsetof(struct kevent, udata) == 24, "freebsd udata");
#endif

/* The filters that look at a descriptor come first: each has an epoll set. */
enum { F_READ, F_WRITE, F_EXCEPT, F_FDS, F_TIMER = F_FDS, F_USER, F_NONE };

/* What an EV_ADD brings that later changes do not touch. */
#define KEPT_FLAGS (EV_ONESHOT | EV_CLEAR | EV_DISPATCH | EV_RECEIPT)

struct knote {
	struct knote *prev, *next;   /* the queue, while queued */
	struct knote *sibling;       /* the list of timers and user events */
	struct kevent kev;           /* as registered; flags hold KEPT_FLAGS only */
	uint32_t gen;                /* tells an epoll event from one for its predecessor */
	uint8_t f;
	bool active, queued, disabled;
	bool plain;                  /* a file that epoll refuses: always ready */
	bool sock, fifo;
	bool triggered;              /* EVFILT_USER */
	int timerfd;
	int64_t expired;             /* EVFILT_TIMER */
	dev_t dev;
	ino_t ino;
};

struct queue {
	pthread_mutex_t mu;
	int refs;                    /* under registry_mu */
	int outer, pending;
	int sets[F_FDS];
	bool signalled;
	uint32_t gen;
	struct knote **fds[F_FDS];   /* by descriptor */
	size_t nfds[F_FDS];
	struct knote *others;
	struct knote head;           /* the queue of active knotes, circular */
	size_t queued;
};

static pthread_mutex_t registry_mu = PTHREAD_MUTEX_INITIALIZER;
static struct queue **registry;
static size_t nregistry;

static const uint32_t interest[F_FDS] = {
	[F_READ] = EPOLLIN | EPOLLRDHUP | EPOLLET,
	[F_WRITE] = EPOLLOUT | EPOLLET,
	[F_EXCEPT] = EPOLLPRI | EPOLLET,
};

static void *must(void *p) {
	if (p == NULL)
		abort(); /* a test double need not survive this */
	return p;
}

static int filter_index(const struct kevent *kev) {
	switch (kev->filter) {
	case EVFILT_READ:
		return F_READ;
	case EVFILT_WRITE:
		return F_WRITE;
#ifdef EVFILT_EXCEPT
	case EVFILT_EXCEPT:
		return kev->fflags & NOTE_OOB || kev->flags & EV_DELETE || !(kev->flags & EV_ADD) ? F_EXCEPT : F_NONE;
#endif
	case EVFILT_TIMER:
		return F_TIMER;
#ifndef KQD_NO_USER
	case EVFILT_USER:
		return F_USER;
#endif
	}
	return F_NONE;
}

/* ---- the queue of active knotes ---- */

static void enqueue(struct queue *q, struct knote *kn) {
	if (kn->queued)
		return;
	kn->queued = true;
	kn->prev = q->head.prev;
	kn->next = &q->head;
	kn->prev->next = kn;
	q->head.prev = kn;
	q->queued++;
}

static void dequeue(struct queue *q, struct knote *kn) {
	if (!kn->queued)
		return;
	kn->queued = false;
	kn->prev->next = kn->next;
	kn->next->prev = kn->prev;
	q->queued--;
}

static void activate(struct queue *q, struct knote *kn) {
	kn->active = true;
	if (!kn->disabled)
		enqueue(q, kn);
}

/* Waiters and whoever polls the queue's descriptor see the eventfd. */
static void signal_pending(struct queue *q) {
	uint64_t one = 1, sink;
	if ((q->queued > 0) == q->signalled)
		return;
	q->signalled = q->queued > 0;
	ssize_t n = q->signalled ? write(q->pending, &one, sizeof one)
							 : read(q->pending, &sink, sizeof sink);
	if (n != sizeof one)
		abort();
}

/* ---- knotes ---- */

static void forget(struct queue *q, struct knote *kn) {
	dequeue(q, kn);
	if (kn->f < F_FDS) {
		q->fds[kn->f][kn->kev.ident] = NULL;
	} else {
		struct knote **p = &q->others;
		while (*p != kn)
			p = &(*p)->sibling;
		*p = kn->sibling;
		if (kn->f == F_TIMER)
			close(kn->timerfd);
	}
	free(kn);
}

/* Is the file behind the number still the one this knote was made for? */
static bool still_there(struct queue *q, struct knote *kn) {
	int fd = (int)kn->kev.ident;
	if (kn->f >= F_FDS)
		return true;
	if (kn->plain) {
		struct stat st;
		return fstat(fd, &st) == 0 && st.st_dev == kn->dev && st.st_ino == kn->ino;
	}
	struct epoll_event ev = {.events = interest[kn->f]};
	if (epoll_ctl(q->sets[kn->f], EPOLL_CTL_ADD, fd, &ev) == 0) {
		epoll_ctl(q->sets[kn->f], EPOLL_CTL_DEL, fd, NULL);
		return false;
	}
	return errno == EEXIST;
}

static struct knote *find(struct queue *q, int f, const struct kevent *kev) {
	struct knote *kn;
	if (f < F_FDS) {
		kn = kev->ident < q->nfds[f] ? q->fds[f][kev->ident] : NULL;
		if (kn != NULL && !still_there(q, kn)) {
			forget(q, kn);
			kn = NULL;
		}
		return kn;
	}
	for (kn = q->others; kn != NULL; kn = kn->sibling)
		if (kn->f == f && kn->kev.ident == kev->ident)
			break;
	return kn;
}

/* Does the condition hold now? Fills in what an event says about it. */
static bool check(struct knote *kn, struct kevent *out) {
	*out = kn->kev;
	out->fflags = 0;
	out->data = 0;
	if (kn->f == F_USER) {
		out->fflags = kn->kev.fflags;
		out->data = kn->kev.data;
		return kn->triggered;
	}
	if (kn->f == F_TIMER) {
		uint64_t n;
		if (read(kn->timerfd, &n, sizeof n) == sizeof n)
			kn->expired += (int64_t)n;
		out->data = kn->expired;
		return kn->expired > 0;
	}
	if (kn->plain) {
		out->data = 1;
		return true;
	}
	static const short asked[F_FDS] = {POLLIN | POLLRDHUP, POLLOUT | POLLRDHUP, POLLPRI | POLLRDHUP};
	struct pollfd p = {.fd = (int)kn->kev.ident, .events = asked[kn->f]};
	if (poll(&p, 1, 0) < 0 || p.revents & POLLNVAL)
		return false;
	bool err = p.revents & POLLERR, hup = p.revents & POLLHUP, rdhup = p.revents & POLLRDHUP;
	/* A stream that was never connected: Linux calls it hung up, kqueue is silent. */
	if (kn->sock && hup && !rdhup)
		return false;
#ifdef EVFILT_EXCEPT
	if (kn->f == F_EXCEPT) {
		out->fflags = p.revents & POLLPRI ? NOTE_OOB : 0;
		if (hup || err)
			out->flags |= EV_EOF;
		return p.revents & (POLLPRI | POLLHUP | POLLERR);
	}
#endif
	/* Reading SO_ERROR would take it from the caller, so its value is not told. */
	if (err && kn->sock)
		out->fflags = ECONNRESET;
	if (kn->f == F_READ) {
		int bytes = 0;
		if (ioctl(p.fd, FIONREAD, &bytes) == 0)
			out->data = bytes;
		if (hup || rdhup || (err && kn->fifo))
			out->flags |= EV_EOF;
		return p.revents & (POLLIN | POLLRDHUP | POLLHUP | POLLERR);
	}
#ifdef KQD_PIPE_SILENT
	if (err && kn->fifo)
		return false;
#endif
	out->data = 1; /* how much room there is, is not modelled */
	if (hup || (err && kn->fifo))
		out->flags |= EV_EOF;
	return p.revents & (POLLOUT | POLLHUP | POLLERR);
}

static int set_timer(struct knote *kn, const struct kevent *kev) {
	int64_t unit = 1000000, amount = kev->data < 1 ? 1 : kev->data;
	if (kev->fflags & NOTE_SECONDS)
		unit = 1000000000;
	else if (kev->fflags & NOTE_USECONDS)
		unit = 1000;
	else if (kev->fflags & NOTE_NSECONDS)
		unit = 1;
	if (amount > INT64_MAX / unit)
		return EINVAL;
	struct timespec ts = {amount * unit / 1000000000, amount * unit % 1000000000};
	struct itimerspec it = {.it_value = ts};
	if (!(kn->kev.flags & EV_ONESHOT))
		it.it_interval = ts;
	kn->expired = 0;
	return timerfd_settime(kn->timerfd, 0, &it, NULL) < 0 ? errno : 0;
}

static void user_fflags(struct knote *kn, const struct kevent *kev) {
	uint32_t bits = kev->fflags & NOTE_FFLAGSMASK;
	switch (kev->fflags & NOTE_FFCTRLMASK) {
	case NOTE_FFAND:
		kn->kev.fflags &= bits;
		break;
	case NOTE_FFOR:
		kn->kev.fflags |= bits;
		break;
	case NOTE_FFCOPY:
		kn->kev.fflags = bits;
		break;
	}
	kn->kev.data = kev->data;
	if (kev->fflags & NOTE_TRIGGER)
		kn->triggered = true;
}

static int attach_fd(struct queue *q, struct knote *kn) {
	int fd = (int)kn->kev.ident;
	struct stat st;
	if (fstat(fd, &st) < 0)
		return errno;
	kn->dev = st.st_dev;
	kn->ino = st.st_ino;
	kn->sock = S_ISSOCK(st.st_mode);
	kn->fifo = S_ISFIFO(st.st_mode);
#ifndef KQD_NETBSD
	if (kn->f == F_WRITE && kn->fifo) {
		/* FreeBSD and macOS make no such knote once the reader has gone. */
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		if (poll(&p, 1, 0) > 0 && p.revents & POLLERR)
			return EPIPE;
	}
#endif
	struct epoll_event ev = {
		.events = interest[kn->f],
		.data.u64 = (uint64_t)kn->gen << 32 | (uint32_t)fd,
	};
	if (epoll_ctl(q->sets[kn->f], EPOLL_CTL_ADD, fd, &ev) < 0) {
		if (errno == EPERM)
			kn->plain = true;
		else if (errno == EEXIST) /* an orphan of the same file: take it over */
			return epoll_ctl(q->sets[kn->f], EPOLL_CTL_MOD, fd, &ev) < 0 ? errno : 0;
		else
			return errno;
	}
	return 0;
}

static int attach_timer(struct queue *q, struct knote *kn, const struct kevent *kev) {
	kn->kev.flags |= EV_CLEAR;
	kn->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (kn->timerfd < 0)
		return errno;
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLET,
		.data.u64 = (uint64_t)kn->gen << 32 | (uint32_t)kn->timerfd,
	};
	int err = epoll_ctl(q->sets[F_READ], EPOLL_CTL_ADD, kn->timerfd, &ev) < 0 ? errno : set_timer(kn, kev);
	if (err != 0)
		close(kn->timerfd);
	return err;
}

static void reserve(struct queue *q, int f, size_t fd) {
	if (fd < q->nfds[f])
		return;
	size_t n = q->nfds[f] * 2 > fd ? q->nfds[f] * 2 : fd + 64;
	q->fds[f] = must(realloc(q->fds[f], n * sizeof *q->fds[f]));
	memset(q->fds[f] + q->nfds[f], 0, (n - q->nfds[f]) * sizeof *q->fds[f]);
	q->nfds[f] = n;
}

static int add_knote(struct queue *q, int f, const struct kevent *kev, struct knote **made) {
	struct knote *kn = must(calloc(1, sizeof *kn));
	int err = 0;
	kn->f = (uint8_t)f;
	kn->gen = ++q->gen;
	kn->kev = *kev;
	kn->kev.flags &= KEPT_FLAGS;
	if (f < F_FDS) {
		err = attach_fd(q, kn);
	} else if (f == F_TIMER) {
		err = attach_timer(q, kn, kev);
	} else {
		kn->kev.fflags = 0;
		user_fflags(kn, kev);
	}
	if (err != 0) {
		free(kn);
		return err;
	}
	if (f < F_FDS) {
		reserve(q, f, kev->ident);
		q->fds[f][kev->ident] = kn;
	} else {
		kn->sibling = q->others;
		q->others = kn;
	}
	*made = kn;
	return 0;
}

static int touch_knote(struct knote *kn, const struct kevent *kev) {
#ifdef KQD_KEEP_UDATA
	if (!(kev->flags & EV_ADD))
#endif
	kn->kev.udata = kev->udata;
	if (kn->f == F_USER)
		user_fflags(kn, kev);
	else if (kn->f == F_TIMER && kev->flags & EV_ADD)
		return set_timer(kn, kev);
	return 0;
}

static int apply(struct queue *q, const struct kevent *kev) {
	struct kevent ignored;
	int f = filter_index(kev);
	if (f == F_NONE)
		return EINVAL;
	if (f < F_FDS && (kev->ident > INT_MAX || fcntl((int)kev->ident, F_GETFD) < 0)) {
		if (kev->ident < q->nfds[f] && q->fds[f][kev->ident] != NULL)
			forget(q, q->fds[f][kev->ident]); /* its close is seen now */
		return EBADF;
	}
	struct knote *kn = find(q, f, kev);
	if (kn == NULL && !(kev->flags & EV_ADD))
		return ENOENT;
	if (kev->flags & EV_DELETE) {
		if (kn == NULL)
			return ENOENT;
		if (f < F_FDS && !kn->plain)
			epoll_ctl(q->sets[f], EPOLL_CTL_DEL, (int)kev->ident, NULL);
		forget(q, kn);
		return 0;
	}
	bool fresh = kn == NULL;
	int err = fresh ? add_knote(q, f, kev, &kn) : touch_knote(kn, kev);
	if (err != 0)
		return err;
	if (kev->flags & EV_DISABLE)
		kn->disabled = true;
	else if (kev->flags & EV_ENABLE)
		kn->disabled = false;
#ifdef KQD_ENABLE_SILENT
	if (!(kev->flags & EV_ADD) && f != F_USER)
		return 0;
#endif
	if (kn->disabled) {
		dequeue(q, kn);
	} else if (kn->active || check(kn, &ignored)) {
		activate(q, kn);
	}
	return 0;
}

/* ---- waiting ---- */

/* Turns what the epoll sets have seen into active knotes. */
static void gather(struct queue *q) {
	struct epoll_event got[128];
	for (int f = 0; f < F_FDS; f++) {
		int n;
		do {
			n = epoll_wait(q->sets[f], got, 128, 0);
			for (int i = 0; i < n; i++) {
				uint32_t fd = (uint32_t)got[i].data.u64, gen = (uint32_t)(got[i].data.u64 >> 32);
				struct knote *kn = fd < q->nfds[f] ? q->fds[f][fd] : NULL;
				if (kn == NULL || kn->gen != gen)
					for (kn = q->others; kn != NULL && kn->gen != gen; kn = kn->sibling)
						;
				if (kn != NULL)
					activate(q, kn);
			}
		} while (n == 128);
	}
}

static int scan(struct queue *q, struct kevent *events, int nevents) {
	int n = 0;
	for (size_t left = q->queued; left > 0 && n < nevents; left--) {
		struct knote *kn = q->head.next;
		dequeue(q, kn);
		if (kn->disabled)
			continue;
		if (!still_there(q, kn)) {
			forget(q, kn);
			continue;
		}
		if (!check(kn, &events[n])) {
			kn->active = false;
			continue;
		}
		n++;
		if (kn->kev.flags & EV_ONESHOT) {
			if (kn->f < F_FDS && !kn->plain)
				epoll_ctl(q->sets[kn->f], EPOLL_CTL_DEL, (int)kn->kev.ident, NULL);
			forget(q, kn);
			continue;
		}
		if (kn->kev.flags & EV_CLEAR) {
			kn->triggered = false;
			kn->expired = 0;
			if (kn->f == F_USER)
				kn->kev.fflags = 0, kn->kev.data = 0;
		}
		if (kn->kev.flags & EV_DISPATCH)
			kn->disabled = true;
		if (kn->kev.flags & (EV_CLEAR | EV_DISPATCH))
			kn->active = false;
		else
			enqueue(q, kn);
	}
	return n;
}

static struct timespec now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t;
}

/* What is left until end; false if nothing is. */
static bool remaining(const struct timespec *end, struct timespec *left) {
	struct timespec t = now();
	left->tv_sec = end->tv_sec - t.tv_sec;
	left->tv_nsec = end->tv_nsec - t.tv_nsec;
	if (left->tv_nsec < 0) {
		left->tv_nsec += 1000000000;
		left->tv_sec--;
	}
	return left->tv_sec >= 0 && (left->tv_sec > 0 || left->tv_nsec > 0);
}

static int wait_events(struct queue *q, struct kevent *events, int nevents, const struct timespec *timeout) {
	struct timespec end = now(), left;
	if (timeout != NULL) {
		if (__builtin_add_overflow(end.tv_sec, timeout->tv_sec, &end.tv_sec))
			timeout = NULL;
		end.tv_nsec += timeout != NULL ? timeout->tv_nsec : 0;
		if (end.tv_nsec >= 1000000000) {
			end.tv_nsec -= 1000000000;
			end.tv_sec++;
		}
	}
	for (;;) {
		gather(q);
		int n = scan(q, events, nevents);
		signal_pending(q);
		if (n > 0)
			return n;
		if (timeout != NULL && !remaining(&end, &left))
			return 0;
		pthread_mutex_unlock(&q->mu);
		struct pollfd p = {.fd = q->outer, .events = POLLIN};
		int r = ppoll(&p, 1, timeout != NULL ? &left : NULL, NULL);
		int err = errno;
		pthread_mutex_lock(&q->mu);
		if (r < 0) {
			errno = err;
			return -1;
		}
	}
}

/* ---- queues ---- */

static void free_queue(struct queue *q) {
	while (q->others != NULL)
		forget(q, q->others);
	for (int f = 0; f < F_FDS; f++) {
		for (size_t i = 0; i < q->nfds[f]; i++)
			free(q->fds[f][i]);
		free(q->fds[f]);
		if (q->sets[f] >= 0)
			close(q->sets[f]);
	}
	if (q->pending >= 0)
		close(q->pending);
	pthread_mutex_destroy(&q->mu);
	free(q);
}

static void drop(struct queue *q) {
	pthread_mutex_lock(&registry_mu);
	bool last = --q->refs == 0;
	pthread_mutex_unlock(&registry_mu);
	if (last)
		free_queue(q);
}

static struct queue *get(int fd) {
	struct queue *q = NULL;
	pthread_mutex_lock(&registry_mu);
	if (fd >= 0 && (size_t)fd < nregistry && (q = registry[fd]) != NULL)
		q->refs++;
	pthread_mutex_unlock(&registry_mu);
	return q;
}

/* Puts q, or nothing, at fd; what was there goes when its last user has left. */
static bool replace(int fd, struct queue *q) {
	pthread_mutex_lock(&registry_mu);
	if ((size_t)fd >= nregistry && q != NULL) {
		size_t n = (size_t)fd + 64;
		registry = must(realloc(registry, n * sizeof *registry));
		memset(registry + nregistry, 0, (n - nregistry) * sizeof *registry);
		nregistry = n;
	}
	struct queue *old = NULL;
	if ((size_t)fd < nregistry) {
		old = registry[fd];
		registry[fd] = q;
	}
	pthread_mutex_unlock(&registry_mu);
	if (old != NULL)
		drop(old);
	return old != NULL;
}

static int join(struct queue *q, int fd) {
	struct epoll_event ev = {.events = EPOLLIN};
	return fd < 0 ? -1 : epoll_ctl(q->outer, EPOLL_CTL_ADD, fd, &ev);
}

int kqueue(void) {
	struct queue *q = must(calloc(1, sizeof *q));
	q->refs = 1;
	q->head.prev = q->head.next = &q->head;
	pthread_mutex_init(&q->mu, NULL);
	q->outer = epoll_create1(EPOLL_CLOEXEC);
	q->pending = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int bad = q->outer < 0 || join(q, q->pending) < 0;
	for (int f = 0; f < F_FDS; f++) {
		q->sets[f] = epoll_create1(EPOLL_CLOEXEC);
		bad |= join(q, q->sets[f]) < 0;
	}
	if (bad) {
		int err = errno;
		if (q->outer >= 0)
			close(q->outer);
		free_queue(q);
		errno = err;
		return -1;
	}
	replace(q->outer, q);
	return q->outer;
}

int kqueue_double_close(int fd) {
	if (fd >= 0)
		replace(fd, NULL);
	return close(fd);
}

int kevent(int fd, const struct kevent *changes, kqd_count nchanges,
		   struct kevent *events, kqd_count nevents, const struct timespec *timeout) {
	if (timeout != NULL && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec > 999999999)) {
		errno = EINVAL;
		return -1;
	}
	struct queue *q = get(fd);
	if (q == NULL) {
		errno = EBADF;
		return -1;
	}
	int n = 0, result = 0, err = 0;
	pthread_mutex_lock(&q->mu);
	for (kqd_count i = 0; i < nchanges; i++) {
		struct kevent kev = changes[i]; /* events may be the same array */
		err = apply(q, &kev);
		if (err == 0 && !(kev.flags & EV_RECEIPT))
			continue;
		if ((kqd_count)n == nevents)
			break; /* no room for the answer: the rest is not done */
		kev.flags = EV_ERROR;
		kev.data = err;
		events[n++] = kev;
		err = 0;
	}
	signal_pending(q);
	if (n > 0 || (err == 0 && nevents == 0))
		result = n;
	else if (err != 0)
		result = -1;
	else {
		result = wait_events(q, events, (int)nevents, timeout);
		err = errno;
	}
	pthread_mutex_unlock(&q->mu);
	drop(q);
	errno = err;
	return result;
}
