#!/bin/sh
# Runs in a virtual machine with FreeBSD, NetBSD or OpenBSD: installs Go and
# tests both builds.
set -eu
cd "$(dirname "$0")/.."

# Only root may install; the images have a user who may use sudo.
case $(uname) in
FreeBSD) sudo pkg install -y go ;;
NetBSD)
	sudo pkgin -y install go
	PATH=$PATH:$(echo /usr/pkg/go*/bin | tr ' ' ':')
	;;
OpenBSD) sudo pkg_add go ;;
esac
# The package may be older than the module needs; it fetches what it lacks.
export PATH GOTOOLCHAIN=auto

.github/test.sh cgo
.github/test.sh pure
