# What is tested harder than by `make test`: the same tests in other builds,
# and more of them.
.PHONY: test-asan test-cgocheck test-invariants test-memory test-faults oracle soak

DURATION ?= 60s

test-asan: ## under the address sanitizer, C included
	CGO_CFLAGS="$(CFLAGS_TEST)" $(CHECK) -asan ./...

test-cgocheck: ## with every pointer that is handed to C checked
	GOEXPERIMENT=cgocheck2 $(CHECK) ./gopoll/... ./cbind/...

test-invariants: ## with lent bytes poisoned and misuse found out, also under the race detector
	$(CHECK) -tags gopoll_invariants ./gopoll/...
	$(CHECK) -tags gopoll_invariants -race ./gopoll/...

MEMORY := Lend|Lent|Large|Pins|Arena|Ranges

test-memory: ## lent buffers through thousands of collections, in every build that looks for wrong bytes
	GOPOLL_TEST_SCALE=10 $(GO) test -timeout 900s -run '$(MEMORY)' ./gopoll
	GOPOLL_TEST_SCALE=10 $(GO) test -timeout 900s -run '$(MEMORY)' -tags gopoll_invariants ./gopoll
	GOPOLL_TEST_SCALE=10 $(GO) test -timeout 900s -run '$(MEMORY)' -race ./gopoll
	GOPOLL_TEST_SCALE=10 $(GO) test -timeout 900s -run '$(MEMORY)' -asan ./gopoll
	GOPOLL_TEST_SCALE=10 GOEXPERIMENT=cgocheck2 $(GO) test -timeout 900s -run '$(MEMORY)' ./gopoll

FAULTS := RunOut|Storm|Without|HugeTimeouts|ManyPollers|ManyRegistrations|AsMany|Refuses|CloseRaces

test-faults: ## 100,000 pollers, a million registrations, signals, no descriptors, no memory, old kernels
	GOPOLL_TEST_SCALE=10 $(GO) test -timeout 900s -v -run '$(FAULTS)' ./gopoll

oracle: ## 12,000 random programs against poll(2) and a model of the modes; `make fuzz` writes others
	GOPOLL_TEST_SCALE=20 $(GO) test -timeout 900s -v -run 'TestOracle$$' ./gopoll

soak: ## mixed load with faults, every byte checked, for DURATION
	$(GO) run -race ./internal/soak -duration $(DURATION)
