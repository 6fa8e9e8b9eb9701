/* The baseline: epoll by hand, level-triggered, one epoll_ctl each. */
#include "chain.h"
#include <sys/epoll.h>

static int ep;

static void loop_open(int n)
{
    (void)n;
    ep = epoll_create1(EPOLL_CLOEXEC);
    if (ep < 0)
        chain_fail("epoll_create1");
}

static void loop_add(int i, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
        chain_fail("epoll_ctl");
}

static void loop_turn(int block)
{
    static struct epoll_event events[1024];
    int n = epoll_wait(ep, events, 1024, block ? -1 : 0);
    if (n < 0)
        chain_fail("epoll_wait");
    for (int k = 0; k < n; k++)
        chain_readable((int)events[k].data.u32);
}

static void loop_close(void)
{
    close(ep);
}
