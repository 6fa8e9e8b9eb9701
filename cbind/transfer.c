//go:build !windows

// Moves lent buffers: one non-blocking call each, any number a crossing.

#include "cbind.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

// macOS has no MSG_NOSIGNAL: there a socket says so once, with SO_NOSIGPIPE.
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

static ssize_t receive(gopoll_transfer *t, void *buffer)
{
	struct iovec vector = {.iov_base = buffer, .iov_len = t->len};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	ssize_t n = recvmsg(t->fd, &message, 0);
	t->cut = 0;
	if (n >= 0 && (message.msg_flags & MSG_TRUNC))
		t->cut |= GOPOLL_CUT_DATA;
	if (n >= 0 && (message.msg_flags & MSG_CTRUNC))
		t->cut |= GOPOLL_CUT_CONTROL;
	return n;
}

static ssize_t attempt(gopoll_transfer *t)
{
	void *buffer = (void *)(uintptr_t)t->addr;
	switch (t->op) {
	case GOPOLL_TRANSFER_READ:
		return read(t->fd, buffer, t->len);
	case GOPOLL_TRANSFER_WRITE:
		return write(t->fd, buffer, t->len);
	case GOPOLL_TRANSFER_RECEIVE:
		return receive(t, buffer);
	case GOPOLL_TRANSFER_SEND:
		return send(t->fd, buffer, t->len, MSG_NOSIGNAL);
	}
	errno = EINVAL;
	return -1;
}

void gopoll_transfer_all(gopoll_transfer *transfers, int count)
{
	for (int i = 0; i < count; i++) {
		gopoll_transfer *t = &transfers[i];
		ssize_t n;
		do
			n = attempt(t);
		while (n < 0 && errno == EINTR);
		t->n = n < 0 ? 0 : (int32_t)n;
		t->err = n < 0 ? errno : 0;
	}
}
