//go:build windows && cgo && !purego

#define WIN32_LEAN_AND_MEAN
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00
#endif
#include <winsock2.h>
#include <mswsock.h>
#include <windows.h>
#include <winternl.h>

#include "cbind.h"

// Not in every SDK's headers.
#ifndef SIO_BASE_HANDLE
#define SIO_BASE_HANDLE 0x48000022
#endif
#ifndef SIO_BSP_HANDLE
#define SIO_BSP_HANDLE 0x4800001B
#endif
#ifndef SIO_BSP_HANDLE_SELECT
#define SIO_BSP_HANDLE_SELECT 0x4800001C
#endif
#ifndef SIO_BSP_HANDLE_POLL
#define SIO_BSP_HANDLE_POLL 0x4800001D
#endif
#ifndef SIO_UDP_CONNRESET
#define SIO_UDP_CONNRESET 0x9800000C
#endif
#ifndef SIO_UDP_NETRESET
#define SIO_UDP_NETRESET 0x9800000F
#endif

#define IOCTL_AFD_POLL 0x00012024
#define FILE_MODE_INFORMATION_CLASS 16

#define STATUS_OK ((NTSTATUS)0x00000000)
#define STATUS_STILL_PENDING ((NTSTATUS)0x00000103)
#define STATUS_TIMED_OUT ((NTSTATUS)0x00000102)
#define STATUS_NONE_SUCH ((NTSTATUS)0xC0000225) // STATUS_NOT_FOUND

// Layers of providers stack; no sane system has more than a few.
#define MAX_LAYERS 16

// One GetQueuedCompletionStatusEx takes as many entries as fit the stack well.
#define MAX_ENTRIES 128

__declspec(dllimport) NTSTATUS NTAPI NtCancelIoFileEx(HANDLE file, IO_STATUS_BLOCK *request, IO_STATUS_BLOCK *result);

typedef struct {
	LARGE_INTEGER timeout;
	ULONG count;
	ULONG exclusive;
	HANDLE handle;
	ULONG events;
	NTSTATUS status;
} afd_poll_info;

// A block of the slabs, as abi.Block. Recv's flags and buffer share the room
// of the poll: a block serves one request at a time.
typedef struct {
	OVERLAPPED overlapped;
	union {
		afd_poll_info poll;
		struct {
			WSABUF buffer;
			DWORD flags;
		} transfer;
	};
} block;

_Static_assert(offsetof(block, overlapped) == 0, "abi.Block.Status");
_Static_assert(sizeof(OVERLAPPED) >= sizeof(IO_STATUS_BLOCK), "abi.Block.Information");
_Static_assert(offsetof(OVERLAPPED, InternalHigh) == offsetof(IO_STATUS_BLOCK, Information), "abi.Block.Information");
_Static_assert(offsetof(block, poll) % 8 == 0, "abi.Block.Poll");
#ifdef _WIN64
_Static_assert(sizeof(OVERLAPPED) == 32 && sizeof(afd_poll_info) == 32 && sizeof(block) == 64, "abi.Block");
_Static_assert(offsetof(block, poll) == 32, "abi.Block.Poll");
_Static_assert(offsetof(afd_poll_info, handle) == 16, "abi.AfdPoll.Handle");
_Static_assert(offsetof(afd_poll_info, events) == 24, "abi.AfdPoll.Events");
#endif

static uint32_t windows_code(NTSTATUS status) {
	return RtlNtStatusToDosError(status);
}

uint32_t gopoll_iocp_create(uintptr_t *port) {
	HANDLE h = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
	if (h == NULL)
		return GetLastError();
	*port = (uintptr_t)h;
	return 0;
}

uint32_t gopoll_iocp_associate(uintptr_t port, uintptr_t handle) {
	if (CreateIoCompletionPort((HANDLE)handle, (HANDLE)port, 0, 0) == NULL)
		return GetLastError();
	// Saves work: nobody looks at the handle's event. Where it can't be had,
	// under a layered provider, all is the same without.
	SetFileCompletionNotificationModes((HANDLE)handle, FILE_SKIP_SET_EVENT_ON_HANDLE);
	return 0;
}

// A helper is an endpoint of the socket driver that is no socket: polls are
// sent through it, so that they complete on its port and not on the socket's.
// Without a port it is a synchronous one: its calls return when they are done.
uint32_t gopoll_iocp_helper(uintptr_t port, uintptr_t *helper) {
	static WCHAR path[] = L"\\Device\\Afd\\Gopoll";
	UNICODE_STRING name = {sizeof(path) - sizeof(WCHAR), sizeof(path), path};
	OBJECT_ATTRIBUTES attributes;
	IO_STATUS_BLOCK result;
	HANDLE h;

	InitializeObjectAttributes(&attributes, &name, 0, NULL, NULL);
	NTSTATUS status = NtCreateFile(&h, SYNCHRONIZE, &attributes, &result, NULL, 0,
		FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN, port == 0 ? FILE_SYNCHRONOUS_IO_NONALERT : 0, NULL, 0);
	if (status != STATUS_OK)
		return windows_code(status);

	uint32_t err = port == 0 ? 0 : gopoll_iocp_associate(port, (uintptr_t)h);
	if (err != 0) {
		CloseHandle(h);
		return err;
	}
	*helper = (uintptr_t)h;
	return 0;
}

static int lower_handle(SOCKET s, DWORD code, SOCKET *lower) {
	DWORD bytes;
	return WSAIoctl(s, code, NULL, 0, lower, sizeof(*lower), &bytes, NULL, NULL) == 0;
}

// Some layered providers answer SIO_BASE_HANDLE with an error although they
// must not touch it. The handle they use for select is one layer further down.
static uint32_t base_socket(SOCKET s, SOCKET *base) {
	static const DWORD below[] = {SIO_BSP_HANDLE_SELECT, SIO_BSP_HANDLE_POLL, SIO_BSP_HANDLE};

	for (int layer = 0; layer < MAX_LAYERS; layer++) {
		if (lower_handle(s, SIO_BASE_HANDLE, base))
			return 0;
		uint32_t err = WSAGetLastError();
		SOCKET next = s;
		for (size_t i = 0; i < sizeof(below) / sizeof(below[0]) && next == s; i++)
			if (!lower_handle(s, below[i], &next))
				next = s;
		if (next == s)
			return err;
		s = next;
	}
	return WSAENOTSOCK;
}

void gopoll_iocp_inspect(uintptr_t handle, gopoll_handle *answer) {
	int type = 0, size = sizeof(type);

	*answer = (gopoll_handle){0};
	if (getsockopt(handle, SOL_SOCKET, SO_TYPE, (char *)&type, &size) == 0) {
		SOCKET base = 0;
		answer->err = base_socket(handle, &base);
		answer->base = base;
		answer->type = type;
		return;
	}

	SetLastError(0);
	answer->file = GetFileType((HANDLE)handle);
	if (answer->file == FILE_TYPE_UNKNOWN && GetLastError() != 0) {
		answer->err = GetLastError();
		return;
	}
	IO_STATUS_BLOCK result;
	ULONG mode = 0;
	NTSTATUS status = NtQueryInformationFile((HANDLE)handle, &result, &mode, sizeof(mode), FILE_MODE_INFORMATION_CLASS);
	answer->mode = mode;
	answer->err = status == STATUS_OK ? 0 : windows_code(status);
}

// A datagram that nobody took comes back as an ICMP message, and would fail
// the sender's next receive.
uint32_t gopoll_iocp_quiet(uintptr_t socket) {
	static const DWORD codes[] = {SIO_UDP_CONNRESET, SIO_UDP_NETRESET};
	BOOL report = FALSE;
	DWORD bytes;
	uint32_t err = 0;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (WSAIoctl(socket, codes[i], &report, sizeof(report), NULL, 0, &bytes, NULL, NULL) != 0 && err == 0)
			err = WSAGetLastError();
	return err;
}

static NTSTATUS poll_afd(const gopoll_request *r, block *b, int64_t timeout) {
	// Not exclusive: an exclusive poll ends those of every other process.
	b->poll = (afd_poll_info){
		.timeout.QuadPart = timeout,
		.count = 1,
		.handle = (HANDLE)(uintptr_t)r->addr,
		.events = r->len,
	};
	return NtDeviceIoControlFile((HANDLE)(uintptr_t)r->handle, NULL, NULL, &b->overlapped,
		(IO_STATUS_BLOCK *)&b->overlapped, IOCTL_AFD_POLL, &b->poll, sizeof(b->poll), &b->poll, sizeof(b->poll));
}

static uint32_t poll_socket(const gopoll_request *r, block *b) {
	NTSTATUS status = poll_afd(r, b, INT64_MAX);
	return status == STATUS_OK || status == STATUS_STILL_PENDING ? 0 : windows_code(status);
}

static uint32_t probe_socket(gopoll_request *r, block *b) {
	NTSTATUS status = poll_afd(r, b, 0);
	if (status != STATUS_OK && status != STATUS_TIMED_OUT)
		return windows_code(status);
	r->len = status == STATUS_OK && b->poll.count != 0 ? b->poll.events : 0;
	return 0;
}

static uint32_t cancel(const gopoll_request *r, block *b) {
	IO_STATUS_BLOCK result;
	NTSTATUS status = NtCancelIoFileEx((HANDLE)(uintptr_t)r->handle, (IO_STATUS_BLOCK *)&b->overlapped, &result);
	// None such: it has completed already, and its packet waits on the port.
	return status == STATUS_OK || status == STATUS_NONE_SUCH ? 0 : windows_code(status);
}

// started: whether a packet will come. It comes for successes and warnings,
// and a message cut to the buffer's length is a warning.
static uint32_t started(int ok, uint32_t err) {
	if (ok || err == ERROR_IO_PENDING || err == WSAEMSGSIZE || err == ERROR_MORE_DATA)
		return 0;
	return err;
}

static uint32_t receive(const gopoll_request *r, block *b) {
	b->transfer.buffer = (WSABUF){r->len, (char *)(uintptr_t)r->addr};
	b->transfer.flags = 0;
	int ok = WSARecv(r->handle, &b->transfer.buffer, 1, NULL, &b->transfer.flags, &b->overlapped, NULL) == 0;
	return started(ok, WSAGetLastError());
}

static uint32_t send_all(const gopoll_request *r, block *b) {
	b->transfer.buffer = (WSABUF){r->len, (char *)(uintptr_t)r->addr};
	int ok = WSASend(r->handle, &b->transfer.buffer, 1, NULL, 0, &b->overlapped, NULL) == 0;
	return started(ok, WSAGetLastError());
}

static uint32_t read_pipe(const gopoll_request *r, block *b) {
	int ok = ReadFile((HANDLE)(uintptr_t)r->handle, (void *)(uintptr_t)r->addr, r->len, NULL, &b->overlapped);
	return started(ok, GetLastError());
}

static uint32_t write_pipe(const gopoll_request *r, block *b) {
	int ok = WriteFile((HANDLE)(uintptr_t)r->handle, (const void *)(uintptr_t)r->addr, r->len, NULL, &b->overlapped);
	return started(ok, GetLastError());
}

static uint32_t submit(gopoll_request *r) {
	block *b = (block *)(uintptr_t)r->block;

	if (r->op == GOPOLL_REQUEST_CANCEL)
		return cancel(r, b);
	b->overlapped = (OVERLAPPED){.Internal = STATUS_STILL_PENDING};
	switch (r->op) {
	case GOPOLL_REQUEST_POLL:
		return poll_socket(r, b);
	case GOPOLL_REQUEST_PROBE:
		return probe_socket(r, b);
	case GOPOLL_REQUEST_RECEIVE:
		return receive(r, b);
	case GOPOLL_REQUEST_SEND:
		return send_all(r, b);
	case GOPOLL_REQUEST_READ:
		return read_pipe(r, b);
	case GOPOLL_REQUEST_WRITE:
		return write_pipe(r, b);
	}
	return ERROR_INVALID_PARAMETER;
}

void gopoll_iocp_submit(gopoll_request *requests, int count) {
	for (int i = 0; i < count; i++)
		requests[i].err = submit(&requests[i]);
}

uint32_t gopoll_iocp_dequeue(uintptr_t port, gopoll_fact *facts, uint32_t *count, uint32_t timeout_ms) {
	OVERLAPPED_ENTRY entries[MAX_ENTRIES];
	ULONG room = *count < MAX_ENTRIES ? *count : MAX_ENTRIES;
	ULONG n = 0;

	*count = 0;
	if (!GetQueuedCompletionStatusEx((HANDLE)port, entries, room, &n, timeout_ms, FALSE)) {
		uint32_t err = GetLastError();
		return err == WAIT_TIMEOUT ? 0 : err;
	}
	for (ULONG i = 0; i < n; i++) {
		facts[i].data = (uintptr_t)entries[i].lpOverlapped;
		facts[i].bits = entries[i].dwNumberOfBytesTransferred;
		facts[i].aux = (int32_t)entries[i].lpCompletionKey;
	}
	*count = n;
	return 0;
}

uint32_t gopoll_iocp_post(uintptr_t port, uintptr_t key) {
	return PostQueuedCompletionStatus((HANDLE)port, 0, key, NULL) ? 0 : GetLastError();
}
