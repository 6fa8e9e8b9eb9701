/*
 * The driver of libevent's chain benchmark, for loops written in C.
 *
 * N socket pairs have a read interest each. A byte is written to ACTIVE of
 * them, spaced evenly; whoever reads a byte writes one to the next pair, until
 * WRITES more bytes have been written. Every run has fresh pairs and a fresh
 * loop; registration (with one turn that doesn't block, since some libraries
 * queue their registrations until then) and dispatch are timed apart.
 *
 * A contender includes this file and defines the four loop_ functions.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void loop_open(int n);           /* a new loop for n descriptors */
static void loop_add(int i, int fd);    /* watch fd, known as i, for reading */
static void loop_turn(int block);       /* wait once, chain_readable(i) for each that is ready */
static void loop_close(void);           /* forget everything */

struct chain_pair { int in, out; };

static struct {
    struct chain_pair *pair;
    int n, writes_left;
    long sent, received;
} chain;

static void chain_fail(const char *what)
{
    fprintf(stderr, "chain: %s: %s\n", what, errno ? strerror(errno) : "wrong");
    exit(1);
}

static int64_t chain_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Each byte says which pair it was meant for, so that a mixed-up event is found out. */
static inline void chain_send(int i)
{
    unsigned char b = (unsigned char)i;
    if (write(chain.pair[i].out, &b, 1) != 1)
        chain_fail("write");
    chain.sent++;
}

static inline void chain_readable(int i)
{
    unsigned char b;
    if (read(chain.pair[i].in, &b, 1) != 1)
        chain_fail("read");
    if (b != (unsigned char)i) {
        errno = 0;
        chain_fail("a byte of another pair");
    }
    chain.received++;
    if (chain.writes_left > 0) {
        chain.writes_left--;
        chain_send(i + 1 == chain.n ? 0 : i + 1);
    }
}

static void chain_run(int run, int active, int writes)
{
    int64_t begin, registered, fired, done;

    for (int i = 0; i < chain.n; i++) {
        int fds[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
            chain_fail("socketpair");
        chain.pair[i] = (struct chain_pair){fds[0], fds[1]};
    }
    chain.sent = chain.received = 0;
    chain.writes_left = writes;
    loop_open(chain.n);

    begin = chain_now();
    for (int i = 0; i < chain.n; i++)
        loop_add(i, chain.pair[i].in);
    loop_turn(0);
    registered = chain_now();

    for (int i = 0; i < active; i++)
        chain_send((int)((long)i * chain.n / active));
    fired = chain_now();
    while (chain.received < chain.sent)
        loop_turn(1);
    done = chain_now();

    errno = 0;
    if (chain.received != (long)active + writes)
        chain_fail("the number of bytes");
    printf("{\"run\":%d,\"register_ns\":%lld,\"dispatch_ns\":%lld,\"events\":%ld}\n", run,
           (long long)(registered - begin), (long long)(done - fired), chain.received);
    fflush(stdout);

    loop_close();
    for (int i = 0; i < chain.n; i++) {
        close(chain.pair[i].in);
        close(chain.pair[i].out);
    }
}

int main(int argc, char **argv)
{
    int opt, active = 1, writes = 10000, runs = 1;

    chain.n = 100;
    while ((opt = getopt(argc, argv, "n:a:w:r:")) != -1) {
        switch (opt) {
        case 'n': chain.n = atoi(optarg); break;
        case 'a': active = atoi(optarg); break;
        case 'w': writes = atoi(optarg); break;
        case 'r': runs = atoi(optarg); break;
        default: return 2;
        }
    }
    chain.pair = calloc((size_t)chain.n, sizeof *chain.pair);
    if (chain.pair == NULL)
        chain_fail("memory");
    for (int run = 0; run < runs; run++)
        chain_run(run, active, writes);
    free(chain.pair);
    return 0;
}
