// The one interface between Go and the shims: flat structs of fixed-width
// integers, and functions that make native calls and know no meaning.
// Results come back as values: a count, or a negative errno.
#ifndef GOPOLL_CBIND_H
#define GOPOLL_CBIND_H

#include <stddef.h>
#include <stdint.h>

// One native event, as abi.Fact.
typedef struct {
	uint64_t data;
	uint32_t bits;
	int32_t aux;
} gopoll_fact;

_Static_assert(sizeof(gopoll_fact) == 16, "abi.Fact");
_Static_assert(offsetof(gopoll_fact, bits) == 8, "abi.Fact.Bits");
_Static_assert(offsetof(gopoll_fact, aux) == 12, "abi.Fact.Aux");

// One epoll_ctl(2), as abi.EpollChange.
typedef struct {
	uint64_t data;
	int32_t fd;
	int32_t op;
	uint32_t events;
	int32_t err;
} gopoll_epoll_change;

_Static_assert(sizeof(gopoll_epoll_change) == 24, "abi.EpollChange");
_Static_assert(offsetof(gopoll_epoll_change, fd) == 8, "abi.EpollChange.Fd");
_Static_assert(offsetof(gopoll_epoll_change, err) == 20, "abi.EpollChange.Err");

// One change of a kevent(2) call, as abi.KqueueChange.
typedef struct {
	uint64_t data;
	int32_t fd;
	int32_t err;
	uint16_t filter;
	uint16_t flags;
	uint32_t fflags;
	uint32_t refuse;
	uint32_t type;
} gopoll_kqueue_change;

_Static_assert(sizeof(gopoll_kqueue_change) == 32, "abi.KqueueChange");
_Static_assert(offsetof(gopoll_kqueue_change, filter) == 16, "abi.KqueueChange.Filter");
_Static_assert(offsetof(gopoll_kqueue_change, fflags) == 20, "abi.KqueueChange.Fflags");
_Static_assert(offsetof(gopoll_kqueue_change, type) == 28, "abi.KqueueChange.Type");

enum {
	GOPOLL_KQUEUE_READ = 0,
	GOPOLL_KQUEUE_WRITE = 1,
	GOPOLL_KQUEUE_EXCEPT = 2,
	GOPOLL_KQUEUE_USER = 3,
};

// As abi.KqueueBatch.
#define GOPOLL_KQUEUE_BATCH 256

// One read or write of a lent buffer, as abi.Transfer. addr is an integer:
// the buffer is pinned by its lend, and this struct owns nothing.
typedef struct {
	uint64_t addr;
	uint32_t len;
	int32_t fd;
	uint16_t op;
	uint16_t cut;
	int32_t n;
	int32_t err;
	int32_t unused;
} gopoll_transfer;

_Static_assert(sizeof(gopoll_transfer) == 32, "abi.Transfer");
_Static_assert(offsetof(gopoll_transfer, op) == 16, "abi.Transfer.Op");
_Static_assert(offsetof(gopoll_transfer, n) == 20, "abi.Transfer.N");

enum {
	GOPOLL_CUT_DATA = 1,
	GOPOLL_CUT_CONTROL = 2,
};

enum {
	GOPOLL_TRANSFER_READ = 0,
	GOPOLL_TRANSFER_WRITE = 1,
	GOPOLL_TRANSFER_RECEIVE = 2,
	GOPOLL_TRANSFER_SEND = 3,
};

// epoll.c
int gopoll_epoll_create(void);
int gopoll_epoll_has_pwait2(int epfd);
void gopoll_epoll_control(int epfd, gopoll_epoll_change *changes, int count);
int gopoll_epoll_wait(int epfd, gopoll_fact *facts, int count, int64_t timeout_ns);
int gopoll_epoll_wait_ms(int epfd, gopoll_fact *facts, int count, int timeout_ms);
int gopoll_eventfd_create(void);
int gopoll_eventfd_signal(int fd);

// kqueue.c
int gopoll_kqueue_create(void);
int gopoll_kqueue_close(int kq);
void gopoll_kqueue_change_all(int kq, gopoll_kqueue_change *changes, int count);
int gopoll_kqueue_trigger(int kq);
int gopoll_kqueue_wait(int kq, gopoll_fact *facts, int count, int64_t timeout_ns);
int gopoll_kqueue_except(void);
int gopoll_pipe_create(int fds[2]);
int gopoll_pipe_signal(int fd);
int gopoll_pipe_drain(int fd);

// transfer.c
void gopoll_transfer_all(gopoll_transfer *transfers, int count);

#ifdef _WIN32
// iocp.c: results are Windows codes, 0 for success. Handles are integers:
// small values typed as pointers would stop Go's stack scan.

// One operation to start or cancel, as abi.Request.
typedef struct {
	uint64_t handle;
	uint64_t block;
	uint64_t addr;
	uint32_t len;
	uint32_t op;
	uint32_t err;
	uint32_t unused;
} gopoll_request;

_Static_assert(sizeof(gopoll_request) == 40, "abi.Request");
_Static_assert(offsetof(gopoll_request, addr) == 16, "abi.Request.Addr");
_Static_assert(offsetof(gopoll_request, len) == 24, "abi.Request.Len");
_Static_assert(offsetof(gopoll_request, op) == 28, "abi.Request.Op");
_Static_assert(offsetof(gopoll_request, err) == 32, "abi.Request.Err");

enum {
	GOPOLL_REQUEST_POLL = 0,
	GOPOLL_REQUEST_CANCEL = 1,
	GOPOLL_REQUEST_RECEIVE = 2,
	GOPOLL_REQUEST_SEND = 3,
	GOPOLL_REQUEST_READ = 4,
	GOPOLL_REQUEST_WRITE = 5,
	GOPOLL_REQUEST_PROBE = 6,
};

// What the system tells about a handle, as abi.Handle.
typedef struct {
	uint64_t base;
	uint32_t type;
	uint32_t file;
	uint32_t mode;
	uint32_t err;
} gopoll_handle;

_Static_assert(sizeof(gopoll_handle) == 24, "abi.Handle");
_Static_assert(offsetof(gopoll_handle, err) == 20, "abi.Handle.Err");

uint32_t gopoll_iocp_create(uintptr_t *port);
uint32_t gopoll_iocp_helper(uintptr_t port, uintptr_t *helper);
uint32_t gopoll_iocp_associate(uintptr_t port, uintptr_t handle);
void gopoll_iocp_inspect(uintptr_t handle, gopoll_handle *answer);
uint32_t gopoll_iocp_quiet(uintptr_t socket);
void gopoll_iocp_submit(gopoll_request *requests, int count);
uint32_t gopoll_iocp_dequeue(uintptr_t port, gopoll_fact *facts, uint32_t *count, uint32_t timeout_ms);
uint32_t gopoll_iocp_post(uintptr_t port, uintptr_t key);
#endif

#endif
