# The race against gopoll's peers; see bench/README.md.

.PHONY: peers test-bench

peers: ## Race the peers (15 minutes) and write bench/README.md; PEERS_FLAGS are passed on
	cd bench && go run ./cmd/peers $(PEERS_FLAGS)

test-bench: ## Run every contender of the race for a moment
	cd bench && go vet ./... && go test ./... && go run ./cmd/peers -quick
