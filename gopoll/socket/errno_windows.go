package socket

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// names lists what package syscall calls a Winsock error. On Windows those names
// are numbers of Go's own invention, which no system call returns.
func names(e syscall.Errno) []syscall.Errno {
	if n, ok := winsock[e]; ok {
		return n
	}
	return []syscall.Errno{e}
}

var winsock = map[syscall.Errno][]syscall.Errno{
	windows.ERROR_INVALID_HANDLE: {syscall.EBADF},
	windows.WSAEINTR:             {syscall.EINTR},
	windows.WSAEBADF:             {syscall.EBADF},
	windows.WSAEACCES:            {syscall.EACCES},
	windows.WSAEFAULT:            {syscall.EFAULT},
	windows.WSAEINVAL:            {syscall.EINVAL},
	windows.WSAEMFILE:            {syscall.EMFILE},
	windows.WSAEWOULDBLOCK:       {syscall.EAGAIN, syscall.EWOULDBLOCK},
	windows.WSAEINPROGRESS:       {syscall.EINPROGRESS},
	windows.WSAEALREADY:          {syscall.EALREADY},
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
