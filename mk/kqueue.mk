# The kqueue backend where there is no kqueue: against a test double on Linux,
# and compiled for the systems that have one. Neither runs a kernel that has
# a kqueue: the workflow's macOS and BSD machines do.
.PHONY: test-kqueue test-kqueue-double cross cross-pure cross-cgo

KQD      := internal/kqueuedouble
KQD_HASH := $(shell cat $(KQD)/*.c $(KQD)/tests/*.c $(KQD)/include/sys/*.h mk/kqueue.mk 2>/dev/null | sha256sum | cut -c1-12)
# Go's cache does not look into C headers and libraries outside its packages,
# so their path says what is in them.
KQD_OUT  := $(BUILD)/kqueuedouble/$(KQD_HASH)

# Variants of the double, after what kernels do differently.
KQD_VARIANTS := plain strict netbsd
KQD_plain  :=
KQD_strict := -DKQD_NO_USER -DKQD_ENABLE_SILENT -DKQD_KEEP_UDATA -DKQD_PIPE_SILENT
KQD_netbsd := -DKQD_NETBSD
KQD_TAGS_plain  := kqueue_double
KQD_TAGS_strict := kqueue_double
KQD_TAGS_netbsd := kqueue_double,kqueue_double_netbsd

KQD_CFLAGS := -std=gnu11 -Wall -Wextra -Werror -O2 -g -pthread -I$(KQD)/include
# runtime/cgo has parameters that it does not use.
KQD_CGO_CFLAGS := -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter

define kqd_rules
$(KQD_OUT)/$(1)/libkqueuedouble.a:
	@mkdir -p $$(@D)/include/sys
	cp $(KQD)/include/sys/event.h $$(@D)/include/sys/
	$$(CC) $(KQD_CFLAGS) $(KQD_$(1)) -c $(KQD)/kqueue.c -o $$(@D)/kqueue.o
	$$(AR) rcs $$@.tmp $$(@D)/kqueue.o
	mv $$@.tmp $$@

# With each sanitizer, and without one.
.PHONY: test-kqueue-double-$(1)
test-kqueue-double-$(1):
	@mkdir -p $(KQD_OUT)/$(1)
	for s in -Wall -fsanitize=address,undefined -fsanitize=thread; do \
		$$(CC) $(KQD_CFLAGS) $(KQD_$(1)) $$$$s $(KQD)/kqueue.c $(KQD)/tests/test.c -o $(KQD_OUT)/$(1)/test && \
		timeout 120 $(KQD_OUT)/$(1)/test || exit 1; done

.PHONY: test-kqueue-$(1)
test-kqueue-$(1): $(KQD_OUT)/$(1)/libkqueuedouble.a
	$(call kqd_go,$(1)) vet -tags $(KQD_TAGS_$(1)) ./gopoll/... ./cbind ./internal/...
	$(call kqd_go,$(1)) test -timeout 300s -tags $(KQD_TAGS_$(1)) $$(KQD_TESTFLAGS) ./gopoll/... ./cbind
endef
kqd_go = CGO_ENABLED=1 CGO_CFLAGS="$(KQD_CGO_CFLAGS) -I$(KQD_OUT)/$(1)/include $(KQD_$(1))" \
	CGO_LDFLAGS="-L$(KQD_OUT)/$(1) -lkqueuedouble -pthread" $(GO)

$(foreach v,$(KQD_VARIANTS),$(eval $(call kqd_rules,$(v))))

test-kqueue-double: $(KQD_VARIANTS:%=test-kqueue-double-%)

test-kqueue: test-kqueue-double ## the kqueue backend on a test double (a reading of the manual, no kernel)
	$(MAKE) test-kqueue-plain
	$(MAKE) $(KQD_VARIANTS:%=test-kqueue-%) KQD_TESTFLAGS=-race

# ---- the real systems, as far as a compiler goes ----

CROSS := darwin/amd64 darwin/arm64 dragonfly/amd64 freebsd/386 freebsd/amd64 freebsd/arm64 \
	netbsd/amd64 openbsd/amd64
# Where only the layout of structs is another.
CROSS_LAYOUT := freebsd/arm netbsd/386 netbsd/arm openbsd/386 openbsd/arm

cross: cross-pure cross-cgo ## compile for macOS and the BSDs, without C and with their headers

cross-pure:
	@mkdir -p $(BUILD)/cross
	@set -e; for t in $(CROSS); do \
		os=$${t%/*} arch=$${t#*/}; echo "vet and test -c $$os/$$arch, without cgo"; \
		GOOS=$$os GOARCH=$$arch CGO_ENABLED=0 $(GO) vet ./...; \
		GOOS=$$os GOARCH=$$arch CGO_ENABLED=0 $(GO) test -c -o $(BUILD)/cross/ ./gopoll; \
	done; for t in $(CROSS_LAYOUT); do \
		os=$${t%/*} arch=$${t#*/}; echo "vet $$os/$$arch, without cgo"; \
		GOOS=$$os GOARCH=$$arch CGO_ENABLED=0 $(GO) vet ./internal/purebind ./internal/abi; \
	done; rm -rf $(BUILD)/cross

# GOOS/GOARCH/zig's target. zig has no libresolv for macOS and NetBSD, which
# Go's package net links there, and Go wants GNU ld for FreeBSD on arm64: so
# only one test binary is linked.
CROSS_CGO := darwin/amd64/x86_64-macos darwin/arm64/aarch64-macos \
	freebsd/amd64/x86_64-freebsd freebsd/arm64/aarch64-freebsd \
	netbsd/amd64/x86_64-netbsd netbsd/arm64/aarch64-netbsd

cross-cgo: $(ZIG_DIR)/installed
	@mkdir -p $(BUILD)/cross
	@set -e; export $(ZIG_ENV); \
	for t in $(CROSS_CGO); do \
		target=$${t##*/} rest=$${t%/*}; os=$${rest%/*} arch=$${rest#*/}; \
		echo "cc and vet $$os/$$arch, with the system's headers"; \
		for f in kqueue transfer; do \
			$(ZIG) cc -target $$target -O2 -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -c cbind/$$f.c -o $(BUILD)/cross/$$f.o; \
		done; \
		GOOS=$$os GOARCH=$$arch CGO_ENABLED=1 CC="$(ZIG) cc -target $$target" $(GO) vet ./cbind ./gopoll; \
		if [ $$os/$$arch = freebsd/amd64 ]; then \
			GOOS=$$os GOARCH=$$arch CGO_ENABLED=1 CC="$(ZIG) cc -target $$target" $(GO) test -c -o $(BUILD)/cross/ ./gopoll; \
		fi; \
	done; rm -rf $(BUILD)/cross
