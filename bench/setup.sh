#!/bin/sh
# Installs what the race needs beside Go, on Debian and its like. Rust is not
# installed: Debian 12's is too old for mio and polling. They are raced where a
# cargo of 1.78 or newer is on the PATH, and skipped, with the reason, elsewhere.
set -eu
apt-get update -qq
apt-get install -y -qq --no-install-recommends \
	gcc libc6-dev util-linux libevent-dev libev-dev libuv1-dev
