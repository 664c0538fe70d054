# `make help` says what there is.
.DEFAULT_GOAL := help
.PHONY: help run test build check differential fuzz hostile smoke bench clean

# A strict build has other flags, so it gets a folder of its own; but whoever has KANMON_STRICT set
# builds strictly anyway, and then once is enough.
strict_build := $(if $(KANMON_STRICT),.build,.build-strict)
scripts := .ci/run $(wildcard deploy/dev/*.sh Tests/*/*.sh)

help: ## Lists these targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Installs what is missing, builds, and serves on https://localhost:9443.
	@deploy/dev/run.sh

test: ## Runs all tests, against a real Pushgateway too.
	@deploy/dev/install.sh test
	swift test --parallel --disable-xctest

build: ## Builds the release: .build/release/kanmon
	@deploy/dev/install.sh build
	swift build --configuration release --product kanmon

check: ## Format, warnings as errors, the rules of style that are tests, shell scripts.
	@deploy/dev/install.sh build
	swift format lint --strict --recursive Package.swift Sources Tests
	KANMON_STRICT=1 swift build --build-tests --scratch-path $(strict_build)
	KANMON_STRICT=1 swift test --skip-build --scratch-path $(strict_build) --disable-xctest --filter TidyTests
	@if command -v shellcheck >/dev/null; then set -x; shellcheck $(scripts); \
	else echo "shellcheck is not installed; the shell scripts were not looked at"; fi

differential: ## Verdicts beside the Pushgateway's own parser, on a million made-up bodies.
	@deploy/dev/install.sh differential
	KANMON_DIFFERENTIAL_BODIES=$(or $(KANMON_DIFFERENTIAL_BODIES),1000000) swift test --disable-xctest \
		--configuration release --package-path Tests/Differential --scratch-path .build-differential

fuzz: ## Looks for a body that breaks a promise: text, protobuf, gzip; FUZZ_SECONDS=60 each.
	@deploy/dev/install.sh build
	Tests/Fuzz/fuzz.sh

hostile: build ## A hundred thousand hostile requests through the gate: what is accepted is what is there.
	@deploy/dev/install.sh test
	KANMON_PROGRAM=$(CURDIR)/.build/release/kanmon \
	KANMON_HOSTILE_REQUESTS=$(or $(KANMON_HOSTILE_REQUESTS),100000) \
		swift test --disable-xctest --filter HostileTests

smoke: ## Pushes through the running gate and reads it back from the Pushgateway.
	@deploy/dev/install.sh smoke
	@deploy/dev/smoke.sh

bench: build ## The validator beside the Pushgateway's parser, CPU per push beside nginx; 3 minutes.
	@deploy/dev/install.sh bench
	Tests/Benchmarks/exposition.sh
	Tests/Benchmarks/keepalive.sh

clean: ## Removes what was built; keeps certificates, keys, passwords, and what fuzzing found.
	rm -rf .build .build-strict .build-differential .build-benchmark .build-fuzz/build
