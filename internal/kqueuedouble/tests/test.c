// Copyright 2026 The gopoll Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

/*
 * The double against the manual: one case for each sentence of kevent(2) that
 * the backend relies on, said in the case's name. Cases that begin with
 * "practice" hold what the manual leaves open and kernels do.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sys/event.h>

static const char *current;
static int kq, a, b; /* a fresh queue and a fresh socket pair for each case */

#define CHECK(cond)                                                                       \
	do {                                                                                  \
		if (!(cond)) {                                                                    \
			fprintf(stderr, "%s:%d: %s: %s (errno %s)\n", __FILE__, __LINE__, current,    \
					#cond, strerror(errno));                                              \
			exit(1);                                                                      \
		}                                                                                 \
	} while (0)

typedef struct kevent kev_t;
#define U(n) ((void *)(uintptr_t)(n))
#define IS(e, id, filt, tag) \
	((e).ident == (uintptr_t)(id) && (e).filter == (filt) && (e).udata == U(tag))

static kev_t ev(int ident, int filter, unsigned flags, int udata) {
	kev_t k;
	EV_SET(&k, ident, filter, flags, 0, 0, U(udata));
	return k;
}

static int change(int ident, int filter, unsigned flags, int udata) {
	kev_t k = ev(ident, filter, flags, udata);
	return kevent(kq, &k, 1, NULL, 0, NULL);
}

static const struct timespec zero = {0, 0}, second = {1, 0}, minute = {60, 0};

static int poll_queue(kev_t *out, int n) { return kevent(kq, NULL, 0, out, n, &zero); }
static int wait_queue(kev_t *out, int n) { return kevent(kq, NULL, 0, out, n, &minute); }

static void put(int fd, int n) {
	while (n-- > 0)
		CHECK(write(fd, "x", 1) == 1);
}

static void take(int fd, int n) {
	char c;
	while (n-- > 0)
		CHECK(read(fd, &c, 1) == 1);
}

static double seconds(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- adding, changing, deleting ---- */

static void readd_modifies_and_does_not_duplicate(void) {
	kev_t e[4];
	put(b, 1);
	CHECK(change(a, EVFILT_READ, EV_ADD, 1) == 0);
	CHECK(change(a, EVFILT_READ, EV_ADD, 2) == 0);
	CHECK(poll_queue(e, 4) == 1);
#ifdef KQD_KEEP_UDATA
	CHECK(IS(e[0], a, EVFILT_READ, 1));
#else
	CHECK(IS(e[0], a, EVFILT_READ, 2));
#endif
}

static void a_knote_is_known_by_ident_and_filter(void) {
	kev_t e[4];
	put(b, 1);
	CHECK(change(a, EVFILT_READ, EV_ADD, 1) == 0);
	CHECK(change(a, EVFILT_WRITE, EV_ADD, 2) == 0);
	CHECK(poll_queue(e, 4) == 2);
	CHECK((IS(e[0], a, EVFILT_READ, 1) && IS(e[1], a, EVFILT_WRITE, 2)) ||
		  (IS(e[1], a, EVFILT_READ, 1) && IS(e[0], a, EVFILT_WRITE, 2)));
	CHECK(change(a, EVFILT_READ, EV_DELETE, 0) == 0);
	CHECK(poll_queue(e, 4) == 1 && IS(e[0], a, EVFILT_WRITE, 2));
}

static void add_enables_unless_disable_is_given(void) {
	kev_t e[1];
	put(b, 1);
	CHECK(change(a, EVFILT_READ, EV_ADD | EV_DISABLE, 1) == 0);
	CHECK(poll_queue(e, 1) == 0);
	CHECK(change(a, EVFILT_READ, EV_ADD | EV_ENABLE, 1) == 0);
	CHECK(poll_queue(e, 1) == 1);
}

static void disable_holds_back_and_enable_permits(void) {
	kev_t e[1];
	CHECK(change(a, EVFILT_READ, EV_ADD, 1) == 0);
	CHECK(change(a, EVFILT_READ, EV_DISABLE, 1) == 0);
	put(b, 1);
	CHECK(poll_queue(e, 1) == 0);
	CHECK(change(a, EVFILT_READ, EV_ENABLE, 1) == 0);
#ifdef KQD_ENABLE_SILENT
	CHECK(poll_queue(e, 1) == 0);
	CHECK(change(a, EVFILT_READ, EV_ADD | EV_ENABLE, 1) == 0);
#endif
	CHECK(poll_queue(e, 1) == 1);
}

static void delete_removes(void) {
	kev_t e[1];
	put(b, 1);
	CHECK(change(a, EVFILT_READ, EV_ADD, 1) == 0);
	CHECK(change(a, EVFILT_READ, EV_DELETE, 0) == 0);
	CHECK(poll_queue(e, 1) == 0);
	CHECK(change(a, EVFILT_READ, EV_DELETE, 0) == -1 && errno == ENOENT);
}

static void only_add_makes_a_knote(void) {
	CHECK(change(a, EVFILT_READ, EV_ENABLE, 1) == -1 && errno == ENOENT);
	CHECK(change(a, EVFILT_READ, EV_DISABLE, 1) == -1 && errno == ENOENT);
	CHECK(change(a, EVFILT_READ, 0, 1) == -1 && errno == ENOENT);
}

static void a_bad_descriptor_is_ebadf(void) {
	CHECK(change(1 << 20, EVFILT_READ, EV_ADD, 1) == -1 && errno == EBADF);
	CHECK(change(-1, EVFILT_WRITE, EV_ADD, 1) == -1 && errno == EBADF);
	CHECK(kevent(a, NULL, 0, NULL, 0, NULL) == -1 && errno == EBADF);
}

static void an_unknown_filter_is_einval(void) {
	CHECK(change(a, 99, EV_ADD, 1) == -1 && errno == EINVAL);
}

/* ---- the call ---- */

static void changes_are_applied_before_events_are_read(void) {
	kev_t e[1], c = ev(a, EVFILT_WRITE, EV_ADD, 7);
	CHECK(kevent(kq, &c, 1, e, 1, &zero) == 1 && IS(e[0], a, EVFILT_WRITE, 7));
}

static void a_failed_change_is_an_error_event_if_there_is_room(void) {
	kev_t e[2], c[2] = {ev(a, EVFILT_READ, EV_DELETE, 5), ev(a, EVFILT_WRITE, EV_ADD, 6)};
	CHECK(kevent(kq, c, 2, e, 2, &zero) == 1);
	CHECK(IS(e[0], a, EVFILT_READ, 5) && e[0].flags & EV_ERROR && e[0].data == ENOENT);
	CHECK(poll_queue(e, 2) == 1 && IS(e[0], a, EVFILT_WRITE, 6));
}

static void a_failed_change_without_room_is_errno(void) {
	kev_t c[2] = {ev(a, EVFILT_READ, EV_DELETE, 5), ev(a, EVFILT_WRITE, EV_ADD, 6)};
	CHECK(kevent(kq, c, 2, NULL, 0, NULL) == -1 && errno == ENOENT);
	kev_t e[1];
	CHECK(poll_queue(e, 1) == 0);
}

static void receipt_answers_each_change_and_drains_nothing(void) {
	kev_t c[3] = {ev(a, EVFILT_READ, EV_ADD | EV_RECEIPT, 1),
				  ev(b, EVFILT_READ, EV_DELETE | EV_RECEIPT, 2),
				  ev(a, EVFILT_WRITE, EV_ADD | EV_RECEIPT, 3)};
	put(b, 1);
	CHECK(kevent(kq, c, 3, c, 3, NULL) == 3); /* the same array for both */
	for (int i = 0; i < 3; i++)
		CHECK(c[i].flags & EV_ERROR && c[i].udata == U(i + 1));
	CHECK(c[0].data == 0 && c[1].data == ENOENT && c[2].data == 0);
	kev_t e[4];
	CHECK(poll_queue(e, 4) == 2);
}

static void receipt_without_room_stops_the_changes(void) {
	kev_t e[1], c[3] = {ev(a, EVFILT_READ, EV_ADD | EV_RECEIPT, 1),
						ev(a, EVFILT_WRITE, EV_ADD | EV_RECEIPT, 2),
						ev(b, EVFILT_WRITE, EV_ADD | EV_RECEIPT, 3)};
	CHECK(kevent(kq, c, 3, e, 1, NULL) == 1 && IS(e[0], a, EVFILT_READ, 1));
	CHECK(change(b, EVFILT_WRITE, EV_DELETE, 0) == -1 && errno == ENOENT);
}

static void no_room_for_events_returns_at_once(void) {
	CHECK(kevent(kq, NULL, 0, NULL, 0, &minute) == 0);
}

static void a_zero_timeout_polls(void) {
	kev_t e[1];
	CHECK(poll_queue(e, 1) == 0);
}

static void a_timeout_is_the_longest_wait_in_nanoseconds(void) {
	kev_t e[1];
	struct timespec ts = {0, 1500000};
	double t = seconds();
	CHECK(kevent(kq, NULL, 0, e, 1, &ts) == 0);
	CHECK(seconds() - t >= 0.0015);
	struct timespec bad = {0, 1000000000};
	CHECK(kevent(kq, NULL, 0, e, 1, &bad) == -1 && errno == EINVAL);
	put(b, 1);
	CHECK(change(a, EVFILT_READ, EV_ADD, 1) == 0);
	struct timespec huge = {INT64_MAX, 0};
	CHECK(kevent(kq, NULL, 0, e, 1, &huge) == 1);
}

static void *write_when_told(void *arg) {
	char c;
	int *go = arg;
	CHECK(read(*go, &c, 1) == 1);
	put(b, 1);
	return NULL;
}

static void no_timeout_waits_until_an_event(void) {
	kev_t e[1];
	int p[2];
	pthread_t t;
	CHECK(pipe(p) == 0 && change(a, EVFILT_READ, EV_ADD, 1) == 0);
	CHECK(pthread_create(&t, NULL, write_when_told, &p[0]) == 0);
	put(p[1], 1);
	CHECK(kevent(kq, NULL, 0, e, 1, NULL) == 1);
	pthread_join(t, NULL);
	close(p[0]);
	close(p[1]);
}

static void on_signal(int sig) { (void)sig; }

static void a_signal_ends_the_wait_after_the_changes(void) {
	kev_t e[1], c = ev(a, EVFILT_READ, EV_ADD, 1);
	struct sigaction sa = {.sa_handler = on_signal}, old;
	struct itimerspec it = {.it_value = {0, 5000000}, .it_interval = {0, 5000000}};
	timer_t timer;
	CHECK(sigaction(SIGALRM, &sa, &old) == 0);
	CHECK(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0 && timer_settime(timer, 0, &it, NULL) == 0);
	CHECK(kevent(kq, &c, 1, e, 1, &minute) == -1 && errno == EINTR);
	timer_delete(timer);
	sigaction(SIGALRM, &old, NULL);
	put(b, 1);
	CHECK(poll_queue(e, 1) == 1 && IS(e[0], a, EVFILT_READ, 1));
}

/* ---- level, clear, oneshot, dispatch ---- */

static void without_clear_the_state_is_reported_while_it_holds(void) {
	kev_t e[1];
	put(b, 2);
	CHECK(change(a, EVFILT_READ, EV_ADD, 1) == 0);
	CHECK(poll_queue(e, 1) == 1 && e[0].data == 2);
	take(a, 1);
	CHECK(poll_queue(e, 1) == 1 && e[0].data == 1);
	take(a, 1);
	CHECK(poll_queue(e, 1) == 0);
	put(b, 1);
	CHECK(poll_queue(e, 1) == 1);
}

static void clear_resets_after_delivery(void) {
	kev_t e[1];
	put(b, 1);
	CHECK(change(a, EVFILT_READ, EV_ADD | EV_CLEAR, 1) == 0);
	CHECK(poll_queue(e, 1) == 1);
	CHECK(poll_queue(e, 1) == 0);
	put(b, 1);
	CHECK(poll_queue(e, 1) == 1 && e[0].data == 2);
	CHECK(poll_queue(e, 1) == 0);
	take(a, 2);
	CHECK(poll_queue(e, 1) == 0);
}

static void practice_a_filters_edge_is_its_own(void) {
	kev_t e[2];
	CHECK(change(a, EVFILT_READ, EV_ADD | EV_CLEAR, 1) == 0);
	CHECK(change(a, EVFILT_WRITE, EV_ADD | EV_CLEAR, 2) == 0);
	CHECK(poll_queue(e, 2) == 1 && e[0].filter == EVFILT_WRITE);
	put(b, 1);
	CHECK(poll_queue(e, 2) == 1 && e[0].filter == EVFILT_READ);
	char block[4096] = {0};
	while (send(a, block, sizeof block, MSG_DONTWAIT) > 0)
		;
	CHECK(poll_queue(e, 2) == 0);
	while (recv(b, block, sizeof block, MSG_DONTWAIT) > 0)
		;
	CHECK(poll_queue(e, 2) == 1 && e[0].filter == EVFILT_WRITE);
}

static void oneshot_reports_once_and_is_deleted(void) {
	kev_t e[1];
	put(b, 1);
	CHECK(change(a, EVFILT_READ, EV_ADD | EV_ONESHOT, 1) == 0);
	CHECK(poll_queue(e, 1) == 1);
	CHECK(poll_queue(e, 1) == 0);
	CHECK(change(a, EVFILT_READ, EV_ENABLE, 1) == -1 && errno == ENOENT);
	CHECK(change(a, EVFILT_READ, EV_ADD | EV_ONESHOT, 1) == 0);
	CHECK(poll_queue(e, 1) == 1);
}

static void dispatch_disables_after_delivery(void) {
	kev_t e[1];
	put(b, 1);
	CHECK(change(a, EVFILT_READ, EV_ADD | EV_DISPATCH, 1) == 0);
	CHECK(poll_queue(e, 1) == 1);
	put(b, 1);
	CHECK(poll_queue(e, 1) == 0);
	CHECK(change(a, EVFILT_READ, EV_ENABLE | EV_DISPATCH, 1) == 0);
#ifdef KQD_ENABLE_SILENT
	CHECK(poll_queue(e, 1) == 0);
#else
	CHECK(poll_queue(e, 1) == 1);
	CHECK(poll_queue(e, 1) == 0);
#endif
	CHECK(change(a, EVFILT_READ, EV_ADD | EV_ENABLE | EV_DISPATCH, 1) == 0);
	CHECK(poll_queue(e, 1) == 1);
	CHECK(poll_queue(e, 1) == 0);
}

static void dispatch_is_for_its_filter_alone(void) {
	kev_t e[2];
	CHECK(change(a, EVFILT_READ, EV_ADD | EV_DISPATCH, 1) == 0);
	CHECK(change(a, EVFILT_WRITE, EV_ADD | EV_DISPATCH, 2) == 0);
	CHECK(poll_queue(e, 2) == 1 && e[0].filter == EVFILT_WRITE);
	put(b, 1);
	CHECK(poll_queue(e, 2) == 1 && e[0].filter == EVFILT_READ);
}

static void delete_and_add_in_one_call_start_afresh(void) {
	kev_t e[1], c[2] = {ev(a, EVFILT_READ, EV_DELETE | EV_RECEIPT, 0),
						ev(a, EVFILT_READ, EV_ADD | EV_CLEAR | EV_RECEIPT, 9)};
	put(b, 1);
	CHECK(change(a, EVFILT_READ, EV_ADD | EV_DISPATCH, 1) == 0);
	CHECK(poll_queue(e, 1) == 1);
	CHECK(kevent(kq, c, 2, c, 2, NULL) == 2 && c[0].data == 0 && c[1].data == 0);
	CHECK(poll_queue(e, 1) == 1 && IS(e[0], a, EVFILT_READ, 9));
	put(b, 1);
	CHECK(poll_queue(e, 1) == 1); /* EV_CLEAR took the place of EV_DISPATCH */
}

static void practice_level_knotes_go_to_the_tail_so_none_starves(void) {
	enum { N = 50 };
	int s[N][2], seen[N] = {0};
	kev_t e[3];
	for (int i = 0; i < N; i++) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s[i]) == 0);
		CHECK(change(s[i][0], EVFILT_WRITE, EV_ADD, i) == 0);
	}
	for (int round = 0; round < 3 * N; round += 3) {
		CHECK(poll_queue(e, 3) == 3);
		for (int i = 0; i < 3; i++)
			seen[(uintptr_t)e[i].udata]++;
	}
	for (int i = 0; i < N; i++) {
		CHECK(seen[i] == 3);
		close(s[i][0]);
		close(s[i][1]);
	}
}

static void practice_few_places_lose_no_edge(void) {
	enum { N = 40 };
	int s[N][2], seen[N] = {0};
	kev_t e[1];
	for (int i = 0; i < N; i++) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s[i]) == 0);
		CHECK(change(s[i][0], EVFILT_WRITE, EV_ADD | EV_CLEAR, i) == 0);
	}
	for (int i = 0; i < N; i++) {
		CHECK(poll_queue(e, 1) == 1);
		CHECK(seen[(uintptr_t)e[0].udata]++ == 0);
	}
	CHECK(poll_queue(e, 1) == 0);
	for (int i = 0; i < N; i++)
		close(s[i][0]), close(s[i][1]);
}

/* ---- EVFILT_READ, EVFILT_WRITE, EVFILT_EXCEPT ---- */

static void listen_socket(int *l, struct sockaddr_in *addr) {
	socklen_t len = sizeof *addr;
	*addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	*l = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(*l >= 0 && bind(*l, (void *)addr, sizeof *addr) == 0 && listen(*l, 8) == 0);
	CHECK(getsockname(*l, (void *)addr, &len) == 0);
}

static void tcp_pair(int *c, int *s) {
	int l;
	struct sockaddr_in addr;
	listen_socket(&l, &addr);
	*c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(*c, (void *)&addr, sizeof addr) == 0);
	*s = accept(l, NULL, NULL);
	CHECK(*s >= 0);
	close(l);
}

static void read_on_a_listener_tells_of_a_pending_connection(void) {
	int l, c;
	struct sockaddr_in addr;
	kev_t e[1];
	listen_socket(&l, &addr);
	CHECK(change(l, EVFILT_READ, EV_ADD, 1) == 0 && poll_queue(e, 1) == 0);
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(c, (void *)&addr, sizeof addr) == 0);
	CHECK(wait_queue(e, 1) == 1 && IS(e[0], l, EVFILT_READ, 1));
	close(c);
	close(l);
}

static void read_sets_eof_when_the_peer_has_shut_down_with_data_pending(void) {
	kev_t e[2];
	put(b, 3);
	CHECK(shutdown(b, SHUT_WR) == 0);
	CHECK(change(a, EVFILT_READ, EV_ADD, 1) == 0);
	CHECK(poll_queue(e, 2) == 1 && e[0].flags & EV_EOF && e[0].data == 3);
	take(a, 3);
	CHECK(poll_queue(e, 2) == 1 && e[0].flags & EV_EOF && e[0].data == 0);
}

static void half_close_is_no_eof_for_write(void) {
	int c, s;
	kev_t e[2];
	tcp_pair(&c, &s);
	CHECK(shutdown(c, SHUT_WR) == 0);
	CHECK(change(s, EVFILT_READ, EV_ADD, 1) == 0 && wait_queue(e, 2) == 1 && e[0].flags & EV_EOF);
	CHECK(change(s, EVFILT_READ, EV_DELETE, 1) == 0);
	CHECK(change(s, EVFILT_WRITE, EV_ADD, 1) == 0);
	CHECK(poll_queue(e, 2) == 1 && !(e[0].flags & EV_EOF));
	close(c);
	close(s);
}

static void a_reset_is_eof_for_both_with_an_error_in_fflags(void) {
	int c, s;
	kev_t e[2];
	struct linger hard = {1, 0};
	tcp_pair(&c, &s);
	CHECK(change(s, EVFILT_READ, EV_ADD, 1) == 0);
	CHECK(setsockopt(c, SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == 0 && close(c) == 0);
	CHECK(wait_queue(e, 2) == 1 && e[0].flags & EV_EOF && e[0].fflags != 0);
	CHECK(change(s, EVFILT_WRITE, EV_ADD, 1) == 0);
	CHECK(poll_queue(e, 2) == 2 && e[0].flags & e[1].flags & EV_EOF);
	int err = 0;
	socklen_t len = sizeof err;
	CHECK(getsockopt(s, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == ECONNRESET);
	close(s);
}

static void practice_a_socket_that_was_never_connected_is_silent(void) {
	kev_t e[2];
	int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), l;
	struct sockaddr_in addr;
	CHECK(change(s, EVFILT_READ, EV_ADD, 1) == 0 && change(s, EVFILT_WRITE, EV_ADD, 2) == 0);
	CHECK(poll_queue(e, 2) == 0);
	listen_socket(&l, &addr);
	CHECK(connect(s, (void *)&addr, sizeof addr) == 0 || errno == EINPROGRESS);
	CHECK(wait_queue(e, 2) == 1 && e[0].filter == EVFILT_WRITE);
	close(l);
	close(s);
}

static void write_tells_of_room_and_is_silent_without(void) {
	kev_t e[1];
	char block[4096] = {0};
	CHECK(change(a, EVFILT_WRITE, EV_ADD, 1) == 0);
	CHECK(poll_queue(e, 1) == 1);
	while (send(a, block, sizeof block, MSG_DONTWAIT) > 0)
		;
	CHECK(poll_queue(e, 1) == 0);
	while (recv(b, block, sizeof block, MSG_DONTWAIT) > 0)
		;
	CHECK(poll_queue(e, 1) == 1);
}

static void read_on_a_pipe_counts_and_sets_eof_when_the_writer_goes(void) {
	int p[2];
	kev_t e[1];
	CHECK(pipe(p) == 0 && change(p[0], EVFILT_READ, EV_ADD, 1) == 0);
	CHECK(poll_queue(e, 1) == 0);
	put(p[1], 4);
	CHECK(poll_queue(e, 1) == 1 && e[0].data == 4 && !(e[0].flags & EV_EOF));
	close(p[1]);
	CHECK(poll_queue(e, 1) == 1 && e[0].flags & EV_EOF);
	close(p[0]);
}

static void write_on_a_pipe_sets_eof_when_the_reader_goes(void) {
	int p[2];
	kev_t e[1];
	CHECK(pipe(p) == 0 && change(p[1], EVFILT_WRITE, EV_ADD, 1) == 0);
	CHECK(poll_queue(e, 1) == 1 && !(e[0].flags & EV_EOF));
	close(p[0]);
#ifdef KQD_PIPE_SILENT
	CHECK(poll_queue(e, 1) == 0 && change(p[1], EVFILT_READ, EV_ADD, 1) == 0);
#endif
	CHECK(poll_queue(e, 1) == 1 && e[0].flags & EV_EOF);
	close(p[1]);
}

static void practice_write_on_a_pipe_without_reader_is_epipe(void) {
#ifndef KQD_NETBSD
	int p[2];
	kev_t e[1];
	CHECK(pipe(p) == 0 && close(p[0]) == 0);
	CHECK(change(p[1], EVFILT_WRITE, EV_ADD, 1) == -1 && errno == EPIPE);
	CHECK(poll_queue(e, 1) == 0);
	CHECK(change(p[1], EVFILT_READ, EV_ADD, 1) == 0);
	CHECK(poll_queue(e, 1) == 1 && e[0].flags & EV_EOF);
	close(p[1]);
#endif
}

static void practice_files_are_accepted_and_ready(void) {
	kev_t e[1];
	int f = open("/dev/null", O_RDONLY);
	CHECK(f >= 0 && change(f, EVFILT_READ, EV_ADD, 1) == 0);
	CHECK(poll_queue(e, 1) == 1);
	CHECK(change(f, EVFILT_READ, EV_DELETE, 1) == 0 && poll_queue(e, 1) == 0);
	close(f);
}

static void except_tells_of_out_of_band_data(void) {
#ifdef EVFILT_EXCEPT
	int c, s;
	kev_t e[2], k;
	tcp_pair(&c, &s);
	EV_SET(&k, s, EVFILT_EXCEPT, EV_ADD, NOTE_OOB, 0, U(3));
	CHECK(kevent(kq, &k, 1, NULL, 0, NULL) == 0);
	put(c, 1);
	CHECK(change(s, EVFILT_READ, EV_ADD, 1) == 0 && wait_queue(e, 2) == 1 && e[0].filter == EVFILT_READ);
	CHECK(change(s, EVFILT_READ, EV_DELETE, 1) == 0);
	CHECK(send(c, "!", 1, MSG_OOB) == 1);
	CHECK(wait_queue(e, 2) == 1 && IS(e[0], s, EVFILT_EXCEPT, 3) && e[0].fflags & NOTE_OOB);
	close(c);
	close(s);
#endif
}

/* ---- EVFILT_USER, EVFILT_TIMER ---- */

static void user_fires_on_trigger(void) {
	kev_t e[1], k;
#ifdef KQD_NO_USER
	CHECK(change(0, EVFILT_USER, EV_ADD | EV_CLEAR, 1) == -1 && errno == EINVAL);
	(void)e;
	(void)k;
#else
	CHECK(change(0, EVFILT_USER, EV_ADD | EV_CLEAR, 1) == 0);
	CHECK(poll_queue(e, 1) == 0);
	for (int i = 0; i < 3; i++) {
		EV_SET(&k, 0, EVFILT_USER, 0, NOTE_TRIGGER, 0, U(1));
		CHECK(kevent(kq, &k, 1, NULL, 0, NULL) == 0);
	}
	CHECK(poll_queue(e, 1) == 1 && IS(e[0], 0, EVFILT_USER, 1));
	CHECK(poll_queue(e, 1) == 0);
	EV_SET(&k, 0, EVFILT_USER, 0, NOTE_TRIGGER | NOTE_FFCOPY | 0x33, 0, U(8));
	CHECK(kevent(kq, &k, 1, NULL, 0, NULL) == 0);
	CHECK(poll_queue(e, 1) == 1 && e[0].fflags == 0x33);
	CHECK(e[0].udata == U(8)); /* a trigger brings its own udata */
#endif
}

static void timer_counts_expiries(void) {
	kev_t e[1], k;
	EV_SET(&k, 4, EVFILT_TIMER, EV_ADD, NOTE_USECONDS, 500, U(1));
	CHECK(kevent(kq, &k, 1, NULL, 0, NULL) == 0);
	int64_t n = 0;
	while (n < 5) {
		CHECK(kevent(kq, NULL, 0, e, 1, &second) == 1 && IS(e[0], 4, EVFILT_TIMER, 1) && e[0].data > 0);
		n += e[0].data;
	}
	CHECK(change(4, EVFILT_TIMER, EV_DELETE, 0) == 0);
	EV_SET(&k, 4, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_USECONDS, 500, U(1));
	CHECK(kevent(kq, &k, 1, e, 1, &minute) == 1 && e[0].data == 1);
	CHECK(change(4, EVFILT_TIMER, EV_DELETE, 0) == -1 && errno == ENOENT);
}

/* ---- closing ---- */

static void closing_a_descriptor_removes_its_knotes(void) {
	kev_t e[2];
	put(b, 1);
	CHECK(change(a, EVFILT_READ, EV_ADD, 1) == 0 && change(a, EVFILT_WRITE, EV_ADD, 1) == 0);
	int keep = dup(a); /* the open file lives on, the number does not */
	close(a);
	CHECK(poll_queue(e, 2) == 0);
	CHECK(change(a, EVFILT_READ, EV_DELETE, 1) == -1 && errno == EBADF);
	put(b, 1);
	CHECK(poll_queue(e, 2) == 0);
	CHECK(dup2(keep, a) == a); /* the same open file under the number: no knote comes back */
	CHECK(poll_queue(e, 2) == 0);
	CHECK(change(a, EVFILT_READ, EV_ADD, 2) == 0);
	CHECK(poll_queue(e, 2) == 1 && IS(e[0], a, EVFILT_READ, 2));
	close(keep);
}

static void a_reused_number_does_not_inherit_knotes(void) {
	kev_t e[2];
	int p[2];
	CHECK(change(a, EVFILT_READ, EV_ADD, 1) == 0);
	CHECK(pipe(p) == 0 && dup2(p[0], a) == a); /* closes a and takes its number */
	put(p[1], 1);
	CHECK(poll_queue(e, 2) == 0);
	CHECK(change(a, EVFILT_READ, EV_ENABLE, 1) == -1 && errno == ENOENT);
	CHECK(change(a, EVFILT_READ, EV_ADD, 2) == 0);
	CHECK(poll_queue(e, 2) == 1 && IS(e[0], a, EVFILT_READ, 2) && e[0].data == 1);
	close(p[0]);
	close(p[1]);
}

static void closing_the_queue_ends_it(void) {
	kev_t e[1];
	CHECK(change(a, EVFILT_READ, EV_ADD, 1) == 0);
	CHECK(close(kq) == 0);
	CHECK(kevent(kq, NULL, 0, e, 1, &zero) == -1 && errno == EBADF);
	kq = kqueue();
	CHECK(kq >= 0 && poll_queue(e, 1) == 0);
}

static int count_fds(void) {
	int n = 0;
	for (int i = 0; i < 1024; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

static void practice_nothing_outlives_the_queue(void) {
	int before = count_fds();
	for (int i = 0; i < 20; i++) {
		int q = kqueue();
		kev_t k;
		EV_SET(&k, 1, EVFILT_TIMER, EV_ADD, 0, 1000, NULL);
		CHECK(q >= 0 && kevent(q, &k, 1, NULL, 0, NULL) == 0);
		close(q);
	}
	CHECK(count_fds() == before);
}

/* ---- the queue's own descriptor, threads ---- */

static void the_queue_can_itself_be_watched(void) {
	kev_t e[1], k;
	int outer = kqueue();
	struct pollfd p = {.fd = kq, .events = POLLIN};
	CHECK(change(a, EVFILT_READ, EV_ADD, 1) == 0);
	EV_SET(&k, kq, EVFILT_READ, EV_ADD, 0, 0, U(6));
	CHECK(kevent(outer, &k, 1, e, 1, &zero) == 0 && poll(&p, 1, 0) == 0);
	put(b, 1);
	CHECK(kevent(outer, NULL, 0, e, 1, &minute) == 1 && IS(e[0], kq, EVFILT_READ, 6));
	CHECK(poll_queue(e, 1) == 1);
	CHECK(poll(&p, 1, 0) == 1); /* level: still queued */
	take(a, 1);
	CHECK(poll_queue(e, 1) == 0 && poll(&p, 1, 0) == 0);
	close(outer);
}

enum { PAIRS = 32, ROUNDS = 300, WAITERS = 3 };
static int pairs[PAIRS][2];
static atomic_int got, stop;

static void *waiter(void *arg) {
	kev_t e[4];
	(void)arg;
	while (!atomic_load(&stop)) {
		int n = kevent(kq, NULL, 0, e, 4, &minute);
		CHECK(n >= 0);
		for (int i = 0; i < n; i++) {
			if (e[i].filter != EVFILT_READ || e[i].udata == U(99))
				continue;
			take((int)e[i].ident, 1);
			atomic_fetch_add(&got, 1);
			kev_t k = ev((int)e[i].ident, EVFILT_READ, EV_ADD | EV_ENABLE | EV_DISPATCH, 1);
			CHECK(kevent(kq, &k, 1, NULL, 0, NULL) == 0);
		}
	}
	return NULL;
}

static void *adder(void *arg) {
	for (int i = 0; i < ROUNDS; i++)
		for (int j = (int)(intptr_t)arg; j < PAIRS; j += 2)
			put(pairs[j][1], 1);
	return NULL;
}

static void practice_threads_wait_and_add_at_once(void) {
	pthread_t w[WAITERS], p[2];
	atomic_store(&got, 0);
	atomic_store(&stop, 0);
	for (int i = 0; i < WAITERS; i++)
		CHECK(pthread_create(&w[i], NULL, waiter, NULL) == 0);
	for (int i = 0; i < PAIRS; i++) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]) == 0);
		kev_t k = ev(pairs[i][0], EVFILT_READ, EV_ADD | EV_DISPATCH, 1);
		CHECK(kevent(kq, &k, 1, NULL, 0, NULL) == 0);
	}
	for (intptr_t i = 0; i < 2; i++)
		CHECK(pthread_create(&p[i], NULL, adder, (void *)i) == 0);
	for (int i = 0; i < 2; i++)
		pthread_join(p[i], NULL);
	while (atomic_load(&got) < PAIRS * ROUNDS)
		sched_yield();
	CHECK(atomic_load(&got) == PAIRS * ROUNDS); /* each byte once */
	atomic_store(&stop, 1);
	put(b, 1);
	CHECK(change(a, EVFILT_READ, EV_ADD, 99) == 0); /* level: wakes them all in turn */
	for (int i = 0; i < WAITERS; i++)
		pthread_join(w[i], NULL);
	for (int i = 0; i < PAIRS; i++)
		close(pairs[i][0]), close(pairs[i][1]);
}

static void practice_thousands_of_knotes(void) {
	enum { N = 2000 };
	static int s[N][2];
	static kev_t e[N];
	struct rlimit rl;
	CHECK(getrlimit(RLIMIT_NOFILE, &rl) == 0);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	int n = rl.rlim_cur < 2 * N + 64 ? (int)(rl.rlim_cur - 64) / 2 : N;
	for (int i = 0; i < n; i++) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s[i]) == 0);
		e[i] = ev(s[i][0], EVFILT_READ, EV_ADD | EV_RECEIPT, i);
	}
	CHECK(kevent(kq, e, (kqd_count)n, e, (kqd_count)n, NULL) == n);
	for (int i = 0; i < n; i++) {
		CHECK(e[i].data == 0);
		put(s[i][1], 1);
	}
	CHECK(poll_queue(e, n) == n);
	for (int i = 0; i < n; i++)
		close(s[i][0]), close(s[i][1]);
	CHECK(poll_queue(e, n) == 0);
}

#define CASE(f) {#f, f}
static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	CASE(readd_modifies_and_does_not_duplicate),
	CASE(a_knote_is_known_by_ident_and_filter),
	CASE(add_enables_unless_disable_is_given),
	CASE(disable_holds_back_and_enable_permits),
	CASE(delete_removes),
	CASE(only_add_makes_a_knote),
	CASE(a_bad_descriptor_is_ebadf),
	CASE(an_unknown_filter_is_einval),
	CASE(changes_are_applied_before_events_are_read),
	CASE(a_failed_change_is_an_error_event_if_there_is_room),
	CASE(a_failed_change_without_room_is_errno),
	CASE(receipt_answers_each_change_and_drains_nothing),
	CASE(receipt_without_room_stops_the_changes),
	CASE(no_room_for_events_returns_at_once),
	CASE(a_zero_timeout_polls),
	CASE(a_timeout_is_the_longest_wait_in_nanoseconds),
	CASE(no_timeout_waits_until_an_event),
	CASE(a_signal_ends_the_wait_after_the_changes),
	CASE(without_clear_the_state_is_reported_while_it_holds),
	CASE(clear_resets_after_delivery),
	CASE(practice_a_filters_edge_is_its_own),
	CASE(oneshot_reports_once_and_is_deleted),
	CASE(dispatch_disables_after_delivery),
	CASE(dispatch_is_for_its_filter_alone),
	CASE(delete_and_add_in_one_call_start_afresh),
	CASE(practice_level_knotes_go_to_the_tail_so_none_starves),
	CASE(practice_few_places_lose_no_edge),
	CASE(read_on_a_listener_tells_of_a_pending_connection),
	CASE(read_sets_eof_when_the_peer_has_shut_down_with_data_pending),
	CASE(half_close_is_no_eof_for_write),
	CASE(a_reset_is_eof_for_both_with_an_error_in_fflags),
	CASE(practice_a_socket_that_was_never_connected_is_silent),
	CASE(write_tells_of_room_and_is_silent_without),
	CASE(read_on_a_pipe_counts_and_sets_eof_when_the_writer_goes),
	CASE(write_on_a_pipe_sets_eof_when_the_reader_goes),
	CASE(practice_write_on_a_pipe_without_reader_is_epipe),
	CASE(practice_files_are_accepted_and_ready),
	CASE(except_tells_of_out_of_band_data),
	CASE(user_fires_on_trigger),
	CASE(timer_counts_expiries),
	CASE(closing_a_descriptor_removes_its_knotes),
	CASE(a_reused_number_does_not_inherit_knotes),
	CASE(closing_the_queue_ends_it),
	CASE(practice_nothing_outlives_the_queue),
	CASE(the_queue_can_itself_be_watched),
	CASE(practice_threads_wait_and_add_at_once),
	CASE(practice_thousands_of_knotes),
};

int main(void) {
	size_t n = sizeof cases / sizeof *cases;
	signal(SIGPIPE, SIG_IGN);
	alarm(60); /* a lost wake-up must not hang whoever runs this */
	for (size_t i = 0; i < n; i++) {
		int s[2];
		current = cases[i].name;
		kq = kqueue();
		CHECK(kq >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
		a = s[0];
		b = s[1];
		cases[i].run();
		close(a);
		close(b);
		close(kq);
	}
	printf("kqueue double: %zu cases passed\n", n);
	return 0;
}
