package abi

import (
	"slices"
	"syscall"

	"golang.org/x/sys/windows"
)

// Errno is a Windows or Winsock code as an error that is also what package
// syscall calls it.
type Errno struct{ syscall.Errno }

// Is is true of the syscall names of the code, and of what the code itself is.
func (e Errno) Is(target error) bool {
	name, ok := target.(syscall.Errno)
	if !ok {
		return e.Errno.Is(target)
	}
	if name == e.Errno {
		return true
	}
	return slices.Contains(errnoNames[e.Errno], name)
}

// Unwrap is the bare code.
func (e Errno) Unwrap() error { return e.Errno }

// ErrnoNames lists what package syscall calls a code. On Windows those names are
// numbers of Go's own invention, which no system call returns.
func ErrnoNames(e syscall.Errno) []syscall.Errno {
	if names, ok := errnoNames[e]; ok {
		return names
	}
	return []syscall.Errno{e}
}

var errnoNames = map[syscall.Errno][]syscall.Errno{
	windows.ERROR_ACCESS_DENIED:       {syscall.EACCES, syscall.EPERM},
	windows.ERROR_BROKEN_PIPE:         {syscall.EPIPE},
	windows.ERROR_INVALID_HANDLE:      {syscall.EBADF},
	windows.ERROR_NO_DATA:             {syscall.EPIPE},
	windows.ERROR_NOT_ENOUGH_MEMORY:   {syscall.ENOMEM},
	windows.ERROR_OPERATION_ABORTED:   {syscall.ECANCELED},
	windows.ERROR_TOO_MANY_OPEN_FILES: {syscall.EMFILE},
	windows.WSAEINTR:                  {syscall.EINTR},
	windows.WSAEBADF:                  {syscall.EBADF},
	windows.WSAEACCES:                 {syscall.EACCES},
	windows.WSAEFAULT:                 {syscall.EFAULT},
	windows.WSAEINVAL:                 {syscall.EINVAL},
	windows.WSAEMFILE:                 {syscall.EMFILE},
	windows.WSAEWOULDBLOCK:            {syscall.EAGAIN, syscall.EWOULDBLOCK},
	windows.WSAEINPROGRESS:            {syscall.EINPROGRESS},
	windows.WSAEALREADY:               {syscall.EALREADY},
	// Also what a closed socket gets: Winsock keeps no table that could tell.
	windows.WSAENOTSOCK:        {syscall.ENOTSOCK, syscall.EBADF},
	windows.WSAEDESTADDRREQ:    {syscall.EDESTADDRREQ},
	windows.WSAEMSGSIZE:        {syscall.EMSGSIZE},
	windows.WSAEPROTOTYPE:      {syscall.EPROTOTYPE},
	windows.WSAENOPROTOOPT:     {syscall.ENOPROTOOPT},
	windows.WSAEPROTONOSUPPORT: {syscall.EPROTONOSUPPORT},
	windows.WSAESOCKTNOSUPPORT: {syscall.ESOCKTNOSUPPORT},
	windows.WSAEOPNOTSUPP:      {syscall.EOPNOTSUPP},
	windows.WSAEPFNOSUPPORT:    {syscall.EPFNOSUPPORT},
	windows.WSAEAFNOSUPPORT:    {syscall.EAFNOSUPPORT},
	windows.WSAEADDRINUSE:      {syscall.EADDRINUSE},
	windows.WSAEADDRNOTAVAIL:   {syscall.EADDRNOTAVAIL},
	windows.WSAENETDOWN:        {syscall.ENETDOWN},
	windows.WSAENETUNREACH:     {syscall.ENETUNREACH},
	windows.WSAENETRESET:       {syscall.ENETRESET},
	windows.WSAECONNABORTED:    {syscall.ECONNABORTED},
	windows.WSAECONNRESET:      {syscall.ECONNRESET},
	windows.WSAENOBUFS:         {syscall.ENOBUFS},
	windows.WSAEISCONN:         {syscall.EISCONN},
	windows.WSAENOTCONN:        {syscall.ENOTCONN},
	windows.WSAESHUTDOWN:       {syscall.EPIPE, syscall.ESHUTDOWN},
	windows.WSAETIMEDOUT:       {syscall.ETIMEDOUT},
	windows.WSAECONNREFUSED:    {syscall.ECONNREFUSED},
	windows.WSAEHOSTDOWN:       {syscall.EHOSTDOWN},
	windows.WSAEHOSTUNREACH:    {syscall.EHOSTUNREACH},
}

// socketStatus are statuses of the socket driver whose general translation
// says less than Winsock's.
var socketStatus = map[windows.NTStatus]syscall.Errno{
	windows.STATUS_BUFFER_OVERFLOW:         windows.WSAEMSGSIZE,
	windows.STATUS_CANCELLED:               windows.ERROR_OPERATION_ABORTED,
	windows.STATUS_CONNECTION_ABORTED:      windows.WSAECONNABORTED,
	windows.STATUS_CONNECTION_DISCONNECTED: windows.WSAECONNRESET,
	windows.STATUS_CONNECTION_REFUSED:      windows.WSAECONNREFUSED,
	windows.STATUS_CONNECTION_RESET:        windows.WSAECONNRESET,
	windows.STATUS_HOST_UNREACHABLE:        windows.WSAEHOSTUNREACH,
	windows.STATUS_IO_TIMEOUT:              windows.WSAETIMEDOUT,
	windows.STATUS_LOCAL_DISCONNECT:        windows.WSAECONNABORTED,
	windows.STATUS_NETWORK_UNREACHABLE:     windows.WSAENETUNREACH,
	windows.STATUS_PORT_UNREACHABLE:        windows.WSAECONNRESET,
	windows.STATUS_REMOTE_DISCONNECT:       windows.WSAECONNRESET,
	windows.STATUS_TRANSACTION_ABORTED:     windows.WSAECONNABORTED,
}

// SocketCode is the Winsock code of a status that a socket's operation ended
// with, 0 for success.
func SocketCode(status uint32) syscall.Errno {
	if status == 0 {
		return 0
	}
	if code, ok := socketStatus[windows.NTStatus(status)]; ok {
		return code
	}
	return windows.NTStatus(status).Errno()
}

// FileCode is the Windows code of a status that another operation ended with.
func FileCode(status uint32) syscall.Errno {
	if status == 0 {
		return 0
	}
	return windows.NTStatus(status).Errno()
}
