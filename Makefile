# Everything a change must pass is a target here; CI runs the same ones. `make` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules --no-print-directory

GO       ?= go
FUZZTIME ?= 30s
COVER_MIN ?= 90
VERSION  ?=
NODES    ?= 2
IMAGE    ?=
ARGS     ?= get nodes,pods -A -o wide

# Pinned, and rebuilt when the pin or the Go version changes: a linter built by an older Go refuses newer code.
GOLANGCI_VERSION := v2.15.0
GOLANGCI := $(CURDIR)/.cache/tools/golangci-lint-$(GOLANGCI_VERSION)-$(shell $(GO) env GOVERSION)/golangci-lint

export GO GOLANGCI FUZZTIME COVER_MIN

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: check
check: $(GOLANGCI) ## Format, vet, lint and go.mod tidiness, in every module; vet for other systems.
	internal/ci/check.sh
	internal/ci/cross.sh gate

.PHONY: test
test: ## All tests with the race detector, the coverage floor, the newest client-go, and the quickstart's proof.
	internal/ci/test.sh
	internal/ci/cover.sh
	internal/ci/versions.sh gate
	if [ -d examples/quickstart ]; then $(GO) run ./examples/quickstart -fast; fi

.PHONY: cover
cover: ## What the tests of the last `make test` did not reach, and an HTML report.
	cp .cache/cover/root.out .cache/cover/hotseat.txt
	tail -n +2 .cache/cover/guards.out >> .cache/cover/hotseat.txt
	$(GO) tool cover -func .cache/cover/hotseat.txt | awk '$$NF != "100.0%"'
	for m in fencing/grpcfence fencing/pgxfence fencing/redisfence singleton/grpcserving; do \
	  (cd $$m && $(GO) tool cover -func $(CURDIR)/.cache/cover/$$(basename $$m).out | awk '$$NF != "100.0%"'); done
	$(GO) tool cover -html .cache/cover/hotseat.txt -o .cache/cover/hotseat.html
	@echo "report, but for the nested modules: .cache/cover/hotseat.html"

.PHONY: fuzz
fuzz: ## Each fuzz target for FUZZTIME (default 30s).
	internal/ci/fuzz.sh

.PHONY: bench
bench: ## Benchmarks, and the side-by-side runs of internal/bench: writes its RESULTS.md. 25 minutes, on a quiet machine.
	internal/ci/bench.sh

.PHONY: sim
sim: ## 20000 simulated fault schedules, and client-go beside us in one table (SIM_SEEDS=, SIM_FROM=).
	internal/ci/sim.sh

.PHONY: beside
beside: sim bench frameworks ## Hotseat beside client-go in the same faults: all that the guide's page "Two leaders, measured" quotes. 2 hours.

.PHONY: mutants
mutants: ## Deliberate bugs in lease, singleton and the guards: tests and simulator must catch each (MUTANTS= names, MUTANTS_BY=suite|sim|both).
	internal/ci/mutants.sh

.PHONY: e2e
e2e: ## All fault runs on real control planes, with real processes: writes internal/e2e/RESULTS.md (HOTSEAT_KUBERNETES= minor, KUBECONFIG=, KUBEBUILDER_ASSETS= folder).
	internal/ci/e2e.sh

.PHONY: monitoring
monitoring: ## The alerts and the dashboard on a real Prometheus, while replicas are broken: writes internal/monitoring/RESULTS.md. 15 minutes.
	cd internal/monitoring && $(GO) run ./show

.PHONY: frameworks
frameworks: ## Hotseat in a real controller-runtime manager, beside client-go's election, on a real API server: writes its RESULTS.md. 25 minutes.
	internal/ci/frameworks.sh

.PHONY: node
node: ## All fault runs on real nodes: kubelet, containerd, runc. Needs root and cgroups. Writes internal/node/RESULTS.md.
	internal/ci/node.sh

.PHONY: node-up node-down node-kubectl
node-up: ## A cluster with real nodes, until Ctrl-C or `make node-down` (NODES=2, IMAGE=name:tag=package of this checkout).
	cd internal/node && $(GO) run ./node up -proxy -nodes $(NODES) $(if $(IMAGE),-image $(IMAGE))
node-down: ## End it, and clean up after one that was killed.
	cd internal/node && $(GO) run ./node down
node-kubectl: ## kubectl in it (ARGS="get pods -A").
	@cd internal/node && $(GO) run ./node kubectl $(ARGS)

.PHONY: guards
guards: ## The guards' tests at length, on real servers: PostgreSQL, MariaDB, SQLite, Redis, gRPC, S3, Kafka, Kubernetes.
	HOTSEAT_HAMMER=30s $(GO) test -count=1 -v -run 'Guard|Memory|Durable|File|Hammer|Linear|Parked' ./fencing/...
	for m in internal/guards fencing/pgxfence fencing/redisfence fencing/grpcfence examples/objectstore examples/kafka examples/postgres examples/orms; do \
	  (cd $$m && HOTSEAT_HAMMER=30s $(GO) test -count=1 -v -timeout 30m ./...); done
	$(GO) run ./internal/controlplane/cluster -build
	cd internal/e2e && HOTSEAT_HAMMER=30s $(GO) test -count=1 -v -timeout 30m -run 'Kubefence|Policy' .

.PHONY: cluster
cluster: ## A real API server and etcd on loopback, until Ctrl-C.
	$(GO) run ./internal/controlplane/cluster

.PHONY: model
model: ## The exhaustive model of the protocol: every state within its bounds; then `make spec`.
	$(GO) run ./internal/model
	internal/ci/spec.sh

.PHONY: spec
spec: ## The specification in Promela, checked by spin: it holds, and each wrong rule fails (SPEC_ONLY= regular expression).
	internal/ci/spec.sh

.PHONY: versions
versions: ## The quick tests with the oldest and the newest of each client-go minor, and with Go 1.27 (VERSIONS= names). 20 CPU minutes.
	internal/ci/versions.sh all

.PHONY: cross
cross: ## go vet for macOS and Windows. 12 CPU minutes the first time.
	internal/ci/cross.sh all

.PHONY: release-check
release-check: ## Whether this commit can be released as VERSION, and what that takes. Tags nothing.
	cd internal/release && $(GO) run . -go "$(GO)" -version "$(VERSION)"

.PHONY: clean
clean: ## Remove what these targets built.
	rm -rf .cache

$(GOLANGCI):
	GOBIN="$(@D)" $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
