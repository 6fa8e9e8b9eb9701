package purebind

// evfiltUser is there since OpenBSD 7.8, and x/sys's headers are older. The
// poller probes for it: older kernels refuse the number.
const evfiltUser = -10
