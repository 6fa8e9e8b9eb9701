/* libev: one ev_io each on the epoll backend, a loop of its own per run. */
#include "chain.h"
#include <ev.h>

static struct ev_loop *loop;
static ev_io *watch;

static void readable(struct ev_loop *l, ev_io *w, int what)
{
    (void)l, (void)what;
    chain_readable((int)(w - watch));
}

static void loop_open(int n)
{
    loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    watch = calloc((size_t)n, sizeof *watch);
    if (loop == NULL || watch == NULL)
        chain_fail("ev_loop_new");
}

static void loop_add(int i, int fd)
{
    ev_io_init(&watch[i], readable, fd, EV_READ);
    ev_io_start(loop, &watch[i]);
}

static void loop_turn(int block)
{
    ev_run(loop, block ? EVRUN_ONCE : EVRUN_NOWAIT);
}

static void loop_close(void)
{
    for (int i = 0; i < chain.n; i++)
        ev_io_stop(loop, &watch[i]);
    ev_loop_destroy(loop);
    free(watch);
}
