# Windows, from Linux: tests under Wine, and builds of what can't be run here.

.PHONY: test-windows cross-windows

test-windows: ## the whole suite under Wine, with and without cgo, race detector, echo
	.ci/test-windows

WINDOWS_ZIG_VERSION := 0.15.2
WINDOWS_ZIG := $(BUILD)/zig-$(WINDOWS_ZIG_VERSION)/bin/python -m ziglang

cross-windows: ## windows/arm64 with zig cc and without C, windows/386 without
	@test -x $(BUILD)/zig-$(WINDOWS_ZIG_VERSION)/bin/zig-ready || { \
		python3 -m venv $(BUILD)/zig-$(WINDOWS_ZIG_VERSION) && \
		timeout 300 $(BUILD)/zig-$(WINDOWS_ZIG_VERSION)/bin/pip install --quiet --disable-pip-version-check ziglang==$(WINDOWS_ZIG_VERSION) && \
		printf '#!/bin/sh\n' >$(BUILD)/zig-$(WINDOWS_ZIG_VERSION)/bin/zig-ready && chmod +x $(BUILD)/zig-$(WINDOWS_ZIG_VERSION)/bin/zig-ready; }
	@for arch in amd64 arm64 386; do echo "vet windows/$$arch, without C"; \
		GOOS=windows GOARCH=$$arch CGO_ENABLED=0 $(GO) vet ./... || exit; \
		GOOS=windows GOARCH=$$arch CGO_ENABLED=0 $(GO) test -c -o $(BUILD)/cross-windows/ ./gopoll || exit; \
	done
	@echo "cc and link windows/arm64, with zig's headers"
	@ZIG_GLOBAL_CACHE_DIR=$(BUILD)/zig-cache ZIG_LOCAL_CACHE_DIR=$(BUILD)/zig-cache \
		$(WINDOWS_ZIG) cc -target aarch64-windows-gnu -O2 -std=c11 -D_WIN32_WINNT=0x0A00 -Wall -Wextra -Werror \
		-c cbind/iocp.c -o $(BUILD)/cross-windows/iocp.o
	@ZIG_GLOBAL_CACHE_DIR=$(BUILD)/zig-cache ZIG_LOCAL_CACHE_DIR=$(BUILD)/zig-cache \
		GOOS=windows GOARCH=arm64 CGO_ENABLED=1 CC="$(WINDOWS_ZIG) cc -target aarch64-windows-gnu" \
		$(GO) test -c -o $(BUILD)/cross-windows/ ./gopoll
	@rm -rf $(BUILD)/cross-windows
