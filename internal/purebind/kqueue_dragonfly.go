package purebind

import "golang.org/x/sys/unix"

const evfiltUser = unix.EVFILT_USER
