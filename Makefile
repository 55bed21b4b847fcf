# Cobble. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO          ?= go
BIN         := bin/cobble
FUZZTIME    ?= 100000x
SEEDS       ?=
BENCH_ARGS  ?=
DEMO_ARGS   ?=
# A CPU profile of the server under redis-benchmark, from which the compiler inlines.
PGO         ?= $(CURDIR)/tools/bench/cobble.pgo
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# Suites read their size from COBBLE_SEEDS; unset means each suite's own default slice.
seeds = $(if $(SEEDS),COBBLE_SEEDS=$(SEEDS),)

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/cobble, one static binary
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -pgo=$(PGO) -trimpath -ldflags "-s -w -X main.build=$(VERSION)" -o $(BIN) ./cmd/cobble

.PHONY: need
need: ## install what the tests need and this machine lacks (redis-server, redis-cli, node, hiredis, redis-py)
	@.ci/need redis-server redis-cli node npm gcc libhiredis-dev python3-redis

.PHONY: test
test: need ## every test in its fast mode
	$(GO) vet ./...
	$(GO) test -timeout 25m ./...

.PHONY: race
race: need ## the tests under the race detector
	CGO_ENABLED=1 $(GO) test -race -short -timeout 45m ./...

.PHONY: lint
lint: ## gofmt, vet, staticcheck, the tidy test
	@files=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$files" ]; then echo "not gofmt'ed:"; echo "$$files"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test -count=1 -run '^TestTidy' ./tests
	@rm -rf bin/docs && mkdir -p bin/docs && $(GO) run ./cmd/cobble docs bin/docs
	@for f in commands config; do cmp -s bin/docs/$$f.md docs/$$f.md || { echo "docs/$$f.md is stale: make docs"; exit 1; }; done

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME inputs (100000x), or a time
	@.ci/fuzz $(FUZZTIME)

.PHONY: sim
sim: ## the cluster simulator, SEEDS=n
	$(seeds) $(GO) test -count=1 -timeout 60m -skip Mutant ./cluster/sim

.PHONY: sim-mutants
sim-mutants: ## planted bugs: the simulator, the crash harnesses, the rules of Redis replicas and the bad-input suite must catch each one
	COBBLE_MUTANTS=1 $(GO) test -count=1 -timeout 60m -run Mutant ./cluster/... ./storage/... ./server/psync ./tests/badinput

.PHONY: crash
crash: ## power cuts at every step of log, store and stream, SEEDS=n
	$(seeds) $(GO) test -count=1 -timeout 60m -run 'Crash|Model' -skip Mutant ./storage ./storage/log ./cluster/stream

.PHONY: diff
diff: need ## replies compared with a real redis-server, SEEDS=n COMMANDS=n
	$(seeds) $(if $(COMMANDS),COBBLE_COMMANDS=$(COMMANDS),) $(GO) test -count=1 -timeout 30m ./tests/differential/...

.PHONY: processes
processes: need ## tests with real server processes: clusters, faults, clients
	COBBLE_PROCESSES=full $(GO) test -count=1 -timeout 30m $$($(GO) list ./tests/... | grep -E '/(proc|cluster|pubsub|psync|faults|clients|clientstate|connections|migrate|metamorphic)$$')

.PHONY: soak
soak: ## full-speed writes beyond the memory budget: nothing may grow; MINUTES=n (25 s)
	COBBLE_SOAK_SECONDS=$(if $(MINUTES),$(shell expr $(MINUTES) \* 60),25) $(GO) test -count=1 -v -timeout $(if $(MINUTES),$(shell expr $(MINUTES) + 8),8)m ./tests/soak

.PHONY: bench
bench: build need ## redis-benchmark against cobble and redis-server, interleaved
	$(GO) run ./tools/bench -cobble $(BIN) $(BENCH_ARGS)

.PHONY: bench-page
bench-page: build need ## write docs/benchmarks.md anew (half an hour; BENCH_ARGS adds to it)
	$(GO) run ./tools/bench -cobble $(BIN) -memory-keys 1000000 -out docs/benchmarks.md $(BENCH_ARGS)

.PHONY: pgo
pgo: need ## record the profile that build optimises by
	CGO_ENABLED=0 $(GO) build -tags profile -trimpath -o /tmp/cobble-profile ./cmd/cobble
	$(GO) run ./tools/bench -cobble /tmp/cobble-profile -profile $(PGO) -keyspace 300000

.PHONY: demo
demo: build ## a 3+3 cluster on ports 7000-7005; Ctrl-C stops it
	$(BIN) demo $(DEMO_ARGS)

.PHONY: docs
docs: build ## generate docs/commands.md and docs/config.md from the tables
	$(BIN) docs docs

.PHONY: ci
ci: ## what CI runs
	.ci/run

.PHONY: clean
clean: ## remove what was built and the demo's data
	rm -rf bin demo-data
