/*
 * The baseline: an echo server on epoll by hand, level-triggered, one read and
 * one write for each event, one buffer for all. What the kernel doesn't take is
 * kept by the connection until it does. The command line and the orders are
 * those of internal/server.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct conn {
    int fd;
    size_t left, at; /* what waits to be written, in kept */
    char *kept;
};

static int ep, burners;
static char buf[64 << 10];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void *spin(void *arg)
{
    volatile uint64_t x = (uintptr_t)arg;
    for (;;)
        x = x * 6364136223846793005u + 1442695040888963407u;
    return NULL;
}

static void *obey(void *arg)
{
    char order[32];
    (void)arg;
    while (fgets(order, sizeof order, stdin) != NULL) {
        pthread_t t;
        if (strcmp(order, "burn\n") == 0)
            for (int i = 0; i < burners; i++)
                pthread_create(&t, NULL, spin, NULL);
        if (strcmp(order, "settle\n") == 0)
            malloc_trim(0);
        fputs(order, stdout);
        fflush(stdout);
    }
    exit(0); /* the harness is gone */
}

static int listen_on(char *address)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    char *colon = strrchr(address, ':');
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (colon == NULL)
        fail("no port");
    *colon = 0;
    sa.sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, address, &sa.sin_addr) != 1)
        fail("the address");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(fd, SOMAXCONN) < 0)
        fail("listen");
    return fd;
}

static void watch(int op, struct conn *c, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = c};
    if (epoll_ctl(ep, op, c->fd, &ev) < 0)
        fail("epoll_ctl");
}

static void accept_all(int listener)
{
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c = calloc(1, sizeof *c);
        if (c == NULL)
            fail("memory");
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(EPOLL_CTL_ADD, c, EPOLLIN);
    }
}

static void drop(struct conn *c)
{
    close(c->fd);
    free(c->kept);
    free(c);
}

static void flush(struct conn *c)
{
    ssize_t n = write(c->fd, c->kept + c->at, c->left);
    if (n < 0) {
        if (errno != EAGAIN)
            drop(c);
        return;
    }
    c->at += (size_t)n;
    c->left -= (size_t)n;
    if (c->left == 0) {
        free(c->kept);
        c->kept = NULL;
        watch(EPOLL_CTL_MOD, c, EPOLLIN);
    }
}

static void echo(struct conn *c)
{
    ssize_t done, n = read(c->fd, buf, sizeof buf);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            drop(c);
        return;
    }
    done = write(c->fd, buf, (size_t)n);
    if (done == n)
        return;
    if (done < 0 && errno != EAGAIN) {
        drop(c);
        return;
    }
    if (done < 0)
        done = 0;
    c->at = 0;
    c->left = (size_t)(n - done);
    c->kept = malloc(c->left);
    if (c->kept == NULL)
        fail("memory");
    memcpy(c->kept, buf + done, c->left);
    watch(EPOLL_CTL_MOD, c, EPOLLOUT);
}

int main(int argc, char **argv)
{
    static struct epoll_event events[1024];
    char *address = NULL;
    pthread_t t;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "-addr") == 0)
            address = argv[i + 1];
        if (strcmp(argv[i], "-burn") == 0)
            burners = atoi(argv[i + 1]);
    }
    if (address == NULL)
        return 2;
    ep = epoll_create1(EPOLL_CLOEXEC);
    struct conn listener = {.fd = listen_on(address)};
    watch(EPOLL_CTL_ADD, &listener, EPOLLIN);
    pthread_create(&t, NULL, obey, NULL);

    for (;;) {
        int n = epoll_wait(ep, events, 1024, -1);
        if (n < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            if (c == &listener)
                accept_all(c->fd);
            else if (c->left > 0)
                flush(c);
            else
                echo(c);
        }
    }
}
