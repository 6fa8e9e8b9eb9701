/*
 * libevent: one persistent read event each, laid out by the caller with
 * event_assign, on a base without locks, as its book advises for one thread.
 */
#include "chain.h"
#include <event2/event.h>
#include <event2/event_struct.h>

static struct event_base *base;
static struct event *watch;

static void readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    chain_readable((int)(intptr_t)arg);
}

static void loop_open(int n)
{
    struct event_config *cfg = event_config_new();
    event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
    base = event_base_new_with_config(cfg);
    event_config_free(cfg);
    watch = calloc((size_t)n, sizeof *watch);
    if (base == NULL || watch == NULL)
        chain_fail("event_base_new_with_config");
}

static void loop_add(int i, int fd)
{
    event_assign(&watch[i], base, fd, EV_READ | EV_PERSIST, readable, (void *)(intptr_t)i);
    if (event_add(&watch[i], NULL) < 0)
        chain_fail("event_add");
}

static void loop_turn(int block)
{
    if (event_base_loop(base, EVLOOP_ONCE | (block ? 0 : EVLOOP_NONBLOCK)) < 0)
        chain_fail("event_base_loop");
}

static void loop_close(void)
{
    for (int i = 0; i < chain.n; i++)
        event_del(&watch[i]);
    event_base_free(base);
    free(watch);
}
