# Windows, from Linux: tests under Wine, and builds of what can't be run here.

.PHONY: test-windows cross-windows

test-windows: ## the whole suite under Wine, with and without cgo, race detector, echo
	.ci/test-windows

cross-windows: $(ZIG_DIR)/installed ## vet and link windows/amd64, arm64 and 386
	@mkdir -p $(BUILD)/cross-windows
	@set -e; export GOOS=windows $(ZIG_ENV); \
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
