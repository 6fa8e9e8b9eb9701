# What surrounds the library: workflows, images, vulnerabilities, vendoring.
ACTIONLINT  := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
DOCKER      ?= docker
FUZZTIME    ?= 1m

.PHONY: actionlint vulncheck docker docker-test test-vendor test-curl cgocost fuzz

actionlint: ## the workflows, and that every action is pinned
	$(GO) run $(ACTIONLINT)
	.github/check-pins.sh

vulncheck: ## known vulnerabilities in what is used (asks vuln.go.dev)
	$(GO) run $(GOVULNCHECK) ./...

docker: ## build the small image and run it
	$(DOCKER) build -t gopoll .
	$(DOCKER) run --rm gopoll cgocost -rounds 5 -pings 10
	$(DOCKER) run --rm gopoll echo -conns 100 -duration 1s

docker-test: ## run CI's suite in a container
	$(DOCKER) build --target test -t gopoll-test .

test-vendor: ## a program in another module that has gopoll vendored
	.github/test-vendor.sh

test-curl: ## examples/curl, which needs libcurl's headers
	$(CHECK) -tags curl ./examples/curl

cgocost: ## what cgo costs here: a table, and a page with charts in build/cgocost
	.github/cgocost.sh $(BUILD)/cgocost

fuzz: ## every fuzz target, each for FUZZTIME
	.github/fuzz.sh $(FUZZTIME)
