# Every target is what a contributor types; `make help` lists them.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
TOOL     := go tool -modfile=hack/tools.mod
IMAGE    ?= ghcr.io/understudy-dev/sidecar
FUZZTIME ?= 10s
PKGS     := ./...

##@ General

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*##/ {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Run it

.PHONY: run
run: build ## Serve http://localhost:8089 from a ProviderChain file, with simulated providers unless API keys are set.
	./bin/sidecar demo

.PHONY: build
build: ## Build the sidecar into bin/.
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/sidecar ./cmd/sidecar

.PHONY: image
image: ## Build the container image for amd64 and arm64 as dist/image.tar, without a Docker daemon.
	mkdir -p dist
	KO_DOCKER_REPO=$(IMAGE) VERSION=$(VERSION) go tool -modfile=hack/image.mod ko build --bare --platform linux/amd64,linux/arm64 --push=false --oci-layout-path dist/image ./cmd/sidecar

##@ Develop

.PHONY: generate
generate: ## Generate the deep-copy code of the API types.
	$(TOOL) controller-gen object paths=./api/...

.PHONY: manifests
manifests: ## Generate the CRD from the API types.
	$(TOOL) controller-gen crd:allowDangerousTypes=false paths=./api/... output:crd:artifacts:config=config/crd

.PHONY: fmt
fmt: ## Format the code.
	$(TOOL) golangci-lint fmt

.PHONY: vet
vet: ## Run go vet.
	go vet $(PKGS)

.PHONY: lint
lint: ## Run the linters, import directions included.
	$(TOOL) golangci-lint run --allow-serial-runners

.PHONY: verify
verify: generate manifests ## Fail if generated files are not up to date.
	@git diff --exit-code -- api config || { echo "generated files are out of date; commit the result of 'make generate manifests'"; exit 1; }

##@ Test

.PHONY: test
test: ## Run all tests, with a real kube-apiserver for the controller and the CRD.
	KUBEBUILDER_ASSETS="$$(hack/envtest/assets.sh)" go test -race -shuffle=on $(PKGS)
	go test -run '^TestOutages' ./internal/failover

.PHONY: test-e2e
test-e2e: build ## Run the built sidecar with the official SDKs against simulated providers.
	cd test/e2e && KUBEBUILDER_ASSETS="$$(../../hack/envtest/assets.sh)" SIDECAR="$(CURDIR)/bin/sidecar" go test -race -count=1 ./...

.PHONY: bench
bench: build ## Compare the sidecar with a plain reverse proxy, with nginx where it is installed, and with no proxy at all.
	KUBEBUILDER_ASSETS="$$(hack/envtest/assets.sh)" go run ./hack/bench -sidecar bin/sidecar

.PHONY: fuzz
fuzz: ## Fuzz every parser for FUZZTIME each.
	@for pkg in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for target in $$(grep -rhoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' $$pkg/*_test.go | sed 's/func //' | sort -u); do \
			echo "fuzz $$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

##@ Kubernetes

.PHONY: install
install: ## Install the CRD into the current cluster.
	kubectl apply --server-side -f config/crd/understudy.dev_providerchains.yaml

.PHONY: uninstall
uninstall: ## Remove the CRD, and with it all ProviderChains, from the current cluster.
	kubectl delete --ignore-not-found -f config/crd/understudy.dev_providerchains.yaml

.PHONY: precommit
precommit: ## What CI runs.
	.ci/run
