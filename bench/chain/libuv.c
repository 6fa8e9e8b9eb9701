/* libuv: one uv_poll_t each. It queues its epoll_ctl calls until the next turn. */
#include "chain.h"
#include <uv.h>

static uv_loop_t loop;
static uv_poll_t *watch;

static void readable(uv_poll_t *w, int status, int what)
{
    (void)what;
    if (status < 0)
        chain_fail("uv_poll");
    chain_readable((int)(w - watch));
}

static void loop_open(int n)
{
    watch = calloc((size_t)n, sizeof *watch);
    if (watch == NULL || uv_loop_init(&loop) < 0)
        chain_fail("uv_loop_init");
}

static void loop_add(int i, int fd)
{
    if (uv_poll_init(&loop, &watch[i], fd) < 0 || uv_poll_start(&watch[i], UV_READABLE, readable) < 0)
        chain_fail("uv_poll_start");
}

static void loop_turn(int block)
{
    uv_run(&loop, block ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

static void loop_close(void)
{
    for (int i = 0; i < chain.n; i++)
        uv_close((uv_handle_t *)&watch[i], NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop) < 0)
        chain_fail("uv_loop_close");
    free(watch);
}
