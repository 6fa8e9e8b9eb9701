#define _GNU_SOURCE
#include "loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 1024, SPREAD = 1 << 16, READ_MAX = 256 << 10 };

struct conn {
    int fd;
    bool busy, choked;    /* a message is under way; and waits for room to be sent */
    int sent, got;        /* bytes of it */
    const uint8_t *bytes; /* the message: a stretch of the pool */
    int64_t begun;        /* when it was sent, or due */
    int64_t turn;         /* paced: how many this connection has had answered */
};

struct client {
    int ep, n, size;
    bool paced, stopped;
    int64_t now, busy;
    int64_t begun, total, next, answered; /* paced */
    double period;
    uint64_t random;
    uint8_t *pool, *in;
    struct conn conn[];
};

static int64_t clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t next_random(struct client *c)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return c->random;
}

static int watch(struct client *c, int op, int i, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.u32 = (uint32_t)i};
    return epoll_ctl(c->ep, op, c->conn[i].fd, &ev) < 0 ? -errno : 0;
}

struct client *client_new(const int *fds, int n, int size)
{
    struct client *c = calloc(1, sizeof *c + (size_t)n * sizeof c->conn[0]);
    if (c == NULL)
        return NULL;
    *c = (struct client){.ep = epoll_create1(EPOLL_CLOEXEC), .n = n, .size = size, .random = 88172645463325252u};
    c->pool = malloc(SPREAD + (size_t)size);
    c->in = malloc(READ_MAX);
    if (c->ep < 0 || c->pool == NULL || c->in == NULL) {
        client_free(c);
        return NULL;
    }
    for (int i = 0; i < SPREAD + size; i++)
        c->pool[i] = (uint8_t)(next_random(c) >> 32);
    for (int i = 0; i < n; i++) {
        c->conn[i].fd = fds[i];
        if (watch(c, EPOLL_CTL_ADD, i, EPOLLIN) < 0) {
            client_free(c);
            return NULL;
        }
    }
    return c;
}

void client_free(struct client *c)
{
    if (c->ep >= 0)
        close(c->ep);
    free(c->pool);
    free(c->in);
    free(c);
}

static int push(struct client *c, int i)
{
    struct conn *k = &c->conn[i];
    ssize_t n = send(k->fd, k->bytes + k->sent, (size_t)(c->size - k->sent), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN)
        return -errno;
    if (n > 0)
        k->sent += (int)n;
    if ((k->sent < c->size) != k->choked) {
        k->choked = !k->choked;
        return watch(c, EPOLL_CTL_MOD, i, k->choked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    return 0;
}

static int begin(struct client *c, int i, int64_t when)
{
    struct conn *k = &c->conn[i];
    k->bytes = c->pool + next_random(c) % SPREAD;
    k->sent = k->got = 0;
    k->begun = when;
    k->busy = true;
    c->busy++;
    return push(c, i);
}

static int64_t due(const struct client *c, int64_t m)
{
    return c->begun + (int64_t)((double)m * c->period);
}

int client_closed(struct client *c, int from, int to)
{
    c->paced = c->stopped = false;
    for (int i = from; i < to; i++) {
        c->now = clock_now();
        int err = begin(c, i, c->now);
        if (err < 0)
            return err;
    }
    return 0;
}

void client_stop(struct client *c)
{
    c->stopped = true;
}

void client_paced(struct client *c, double period, int64_t total)
{
    c->paced = true;
    c->begun = c->now = clock_now();
    c->period = period;
    c->total = total;
    c->next = c->answered = 0;
    for (int i = 0; i < c->n; i++)
        c->conn[i].turn = 0;
}

/* Sends what is due on connections that are idle; a busy one sends its own at its reply. */
static int send_due(struct client *c)
{
    for (; c->next < c->total && due(c, c->next) <= c->now; c->next++) {
        int i = (int)(c->next % c->n);
        if (!c->conn[i].busy && c->conn[i].turn == c->next / c->n) {
            int err = begin(c, i, due(c, c->next));
            if (err < 0)
                return err;
        }
    }
    return 0;
}

/* After a reply: what this connection does next. */
static int follow(struct client *c, int i)
{
    struct conn *k = &c->conn[i];
    int64_t m;

    k->busy = false;
    c->busy--;
    if (!c->paced)
        return c->stopped ? 0 : begin(c, i, c->now);
    c->answered++;
    m = ++k->turn * c->n + i;
    return m < c->total && due(c, m) <= c->now ? begin(c, i, due(c, m)) : 0;
}

/* Returns 1 when the reply is whole, 0 when not yet. */
static int pull(struct client *c, struct conn *k)
{
    size_t room = (size_t)(c->size - k->got);
    ssize_t n;

    /* One byte too many is asked for, so that a byte nobody sent is seen. */
    n = recv(k->fd, c->in, room < READ_MAX ? room + 1 : READ_MAX, 0);
    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    if (n == 0)
        return -ECONNRESET;
    if (!k->busy || (size_t)n > room || memcmp(c->in, k->bytes + k->got, (size_t)n) != 0)
        return -EBADMSG;
    k->got += (int)n;
    return k->got == c->size;
}

int client_turn(struct client *c, int64_t *latency, int cap)
{
    struct epoll_event events[BATCH];
    int n, err, count = 0;

    if (c->paced) {
        c->now = clock_now();
        if ((err = send_due(c)) < 0)
            return err;
    }
    /* Paced, it spins: it has a CPU of its own, and a sleep would be late. */
    n = epoll_wait(c->ep, events, cap < BATCH ? cap : BATCH, c->paced ? 0 : 100);
    if (n < 0 && errno != EINTR)
        return -errno;
    c->now = clock_now();
    for (int e = 0; e < n; e++) {
        int i = (int)events[e].data.u32;
        struct conn *k = &c->conn[i];
        if (k->choked && (err = push(c, i)) < 0)
            return err;
        if ((events[e].events & ~(uint32_t)EPOLLOUT) == 0)
            continue;
        if ((err = pull(c, k)) < 0)
            return err;
        if (err == 0)
            continue;
        c->now = clock_now();
        latency[count++] = c->now - k->begun;
        if ((err = follow(c, i)) < 0)
            return err;
    }
    return count;
}

int64_t client_now(const struct client *c)
{
    return c->now;
}

int64_t client_waiting(const struct client *c)
{
    return c->paced ? c->total - c->answered : c->busy;
}

int client_abandon(struct client *c, int64_t *latency, int cap)
{
    int count = 0;
    for (int i = 0; i < c->n; i++)
        for (int64_t m = c->conn[i].turn * c->n + i; m < c->total && count < cap; m += c->n)
            latency[count++] = c->now - due(c, m);
    return count;
}
