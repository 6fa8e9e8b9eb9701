# Everything that CI and the workflows do is a target here. `make` lists them.
GO     ?= go
BUILD  := $(CURDIR)/build
CHECK  := $(GO) test -timeout 300s
CFLAGS_TEST := -O2 -g -fstack-protector-strong
CFLAGS_LINT := -O2 -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wconversion -Werror

.DEFAULT_GOAL := help
.PHONY: help test test-pure test-race test-386 lint cover bench

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | sed 's/:.*## /\t/' | expand -t 18

test: ## the README's test command, with guards on C's stacks
	CGO_CFLAGS="$(CFLAGS_TEST)" $(CHECK) ./...

test-pure: ## the same without a C compiler, and with the tag purego
	CGO_ENABLED=0 $(CHECK) ./...
	$(CHECK) -tags purego ./gopoll/...

test-race: ## under the race detector, shuffled, three times
	$(CHECK) -race -count=3 -shuffle=on ./...

test-386: ## 32 bits, without C
	GOARCH=386 CGO_ENABLED=0 $(CHECK) ./...

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

lint: actionlint ## gofmt, vet, staticcheck, C warnings as errors, workflows
	@files=$$(gofmt -l .); [ -z "$$files" ] || { echo "gofmt would change: $$files"; exit 1; }
	$(GO) vet ./...
	CGO_ENABLED=0 $(GO) vet ./...
	$(GO) vet -tags gopoll_invariants ./...
	for c in epoll transfer; do $(CC) $(CFLAGS_LINT) -c -o /dev/null cbind/$$c.c || exit 1; done
	$(GO) run $(STATICCHECK) ./...
	$(GO) mod tidy -diff

cover: ## coverage of package gopoll and of the shims, and each line of C that no test reaches
	.ci/cover

bench: ## the parts, ten times each: feed two outputs to benchstat
	$(GO) test -run '^$$' -bench . -count 10 -benchtime 20ms ./gopoll

include mk/zig.mk $(filter-out mk/zig.mk,$(wildcard mk/*.mk))
