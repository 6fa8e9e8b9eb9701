# Windows, from Linux: tests under Wine, and builds of what can't be run here.

.PHONY: test-windows cross-windows

test-windows: ## the whole suite under Wine, with and without cgo, race detector, echo
	.ci/test-windows

# zig brings Windows's headers for arm64 along.
ifndef ZIG
ZIG_VERSION := 0.15.2
ZIG := $(BUILD)/zig-$(ZIG_VERSION)/bin/python -m ziglang

$(BUILD)/zig-$(ZIG_VERSION)/installed:
	python3 -m venv $(@D)
	timeout 300 $(@D)/bin/pip install --quiet --disable-pip-version-check ziglang==$(ZIG_VERSION)
	touch $@
endif

cross-windows: $(BUILD)/zig-$(ZIG_VERSION)/installed ## vet and link windows/amd64, arm64 and 386
	@mkdir -p $(BUILD)/cross-windows
	@set -e; export GOOS=windows ZIG_GLOBAL_CACHE_DIR=$(BUILD)/zig-cache ZIG_LOCAL_CACHE_DIR=$(BUILD)/zig-cache; \
	for arch in amd64 arm64 386; do \
		echo "vet and link windows/$$arch, without cgo"; \
		GOARCH=$$arch CGO_ENABLED=0 $(GO) vet ./...; \
		GOARCH=$$arch CGO_ENABLED=0 $(GO) test -c -o $(BUILD)/cross-windows/ ./gopoll; \
	done; \
	echo "cc, vet and link windows/arm64, with zig cc"; \
	$(ZIG) cc -target aarch64-windows-gnu -O2 -std=c11 -Wall -Wextra -Werror \
		-c cbind/iocp.c -o $(BUILD)/cross-windows/iocp.o; \
	export GOARCH=arm64 CGO_ENABLED=1 CC="$(ZIG) cc -target aarch64-windows-gnu"; \
	$(GO) vet ./cbind ./gopoll; \
	$(GO) test -c -o $(BUILD)/cross-windows/ ./gopoll; \
	rm -rf $(BUILD)/cross-windows
