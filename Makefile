# `make help` says what there is.
.DEFAULT_GOAL := help
.PHONY: help run test e2e alert-test deploy pictures build static check differential fuzz sanitize hostile attacks faults confined smoke bench \
	rotate-drill secrets release-smoke release-check test-watchdog-mock test-watchdog \
	install-watchdog enable-watchdog watchdog-status watchdog-run-once watchdog-kick install deb \
	package-test clean

# A strict build has other flags, so it gets a folder of its own; but whoever has KANMON_STRICT set
# builds strictly anyway, and then once is enough.
strict_build := $(if $(KANMON_STRICT),.build,.build-strict)
scripts := .ci/run $(wildcard deploy/*.sh deploy/*/*.sh deploy/compose/*/*.sh Tests/*/*.sh) \
	$(addprefix deploy/package/,postinst prerm postrm)

help: ## Lists these targets.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-18s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Installs what is missing, builds, and serves on https://localhost:9443.
	@deploy/dev/run.sh

test: ## Runs all tests, against a real Pushgateway too.
	@deploy/dev/install.sh test
	swift test --parallel --disable-xctest

build: ## Builds the release: .build/release/kanmon
	@deploy/dev/install.sh build
	swift build --configuration release --product kanmon
	swift build --configuration release --product kanmon-ops

static: ## The release for installing, which needs no Swift: .build-static/release/kanmon
	@deploy/dev/install.sh build
	swift build --configuration release --static-swift-stdlib --product kanmon \
		--scratch-path .build-static
	swift build --configuration release --static-swift-stdlib --product kanmon-ops \
		--scratch-path .build-static

check: ## Format, warnings as errors, the rules of style that are tests, shell scripts.
	@deploy/dev/install.sh build
	swift format lint --strict --recursive Package.swift Sources Tests
	KANMON_STRICT=1 swift build --build-tests --scratch-path $(strict_build)
	KANMON_STRICT=1 swift test --skip-build --scratch-path $(strict_build) --disable-xctest --filter "TidyTests|VersionTests|RunbookTests"
	@if command -v shellcheck >/dev/null; then set -x; shellcheck -x $(scripts); \
	else echo "shellcheck is not installed; the shell scripts were not looked at"; fi

differential: ## Verdicts beside the Pushgateway's own parser, on a million made-up bodies.
	@deploy/dev/install.sh differential
	KANMON_DIFFERENTIAL_BODIES=$(or $(KANMON_DIFFERENTIAL_BODIES),1000000) swift test --disable-xctest \
		--configuration release --package-path Tests/Differential --scratch-path .build-differential

fuzz: ## Looks for an input that breaks a promise; FUZZ_SECONDS=60 each, FUZZ=path for one.
	@deploy/dev/install.sh build
	Tests/Fuzz/fuzz.sh $(FUZZ)

sanitize: ## The tests with the address sanitizer in them and in their gates, then the thread sanitizer.
	@deploy/dev/install.sh test
	Tests/Sanitize/sanitize.sh address $(FILTER)
	Tests/Sanitize/sanitize.sh thread $(FILTER)

hostile: build ## A hundred thousand hostile requests through the gate: what is accepted is what is there.
	@deploy/dev/install.sh test
	KANMON_PROGRAM=$(CURDIR)/.build/release/kanmon \
	KANMON_HOSTILE_REQUESTS=$(or $(KANMON_HOSTILE_REQUESTS),100000) \
		swift test --disable-xctest --filter HostileTests

attacks: ## The catalogue of attacks, row by row, on a running gate; 2 minutes.
	@deploy/dev/install.sh attacks
	swift build --product kanmon
	Tests/Attacks/run.py

faults: build ## System calls that fail, hundreds of ways, while pushes go through; 5 minutes.
	@deploy/dev/install.sh test
	KANMON_PROGRAM=$(CURDIR)/.build/release/kanmon KANMON_FAULT_CELLS=all \
		swift test --disable-xctest --filter FaultTests

e2e: ## From cron to alert and from nginx to the gate, with everything real; needs root, 6 minutes.
	@deploy/dev/install.sh e2e
	$(if $(KANMON),,swift build --product kanmon)
	$(if $(KANMON),,swift build --product kanmon-ops)
	Tests/EndToEnd/run.sh

pictures: build ## The pictures of the README, drawn of what happens.
	@deploy/dev/install.sh e2e
	KANMON=$(CURDIR)/.build/release/kanmon Tests/EndToEnd/refused.py deploy/pictures/refused.svg
	KANMON=$(CURDIR)/.build/release/kanmon Tests/EndToEnd/cron_to_alert.py deploy/pictures/way.svg

alert-test: ## Sends one alert through the running Alertmanager, and its end.
	@deploy/alertmanager/alert-test.sh

deploy: ## An environment's configuration onto this machine, as root: ENV=staging or ENV=production.
	@deploy/deploy.sh '$(ENV)'

confined: ## The end-to-end tests with the gate under the system-call filter of its unit.
	@deploy/dev/install.sh confined
	swift build --build-tests
	systemd-analyze --no-pager syscall-filter >.build/debug/kanmon.calls
	KANMON_CONFINED=$(CURDIR)/.build/debug/kanmon \
	KANMON_PROGRAM=$(CURDIR)/Tests/Packaging/under-filter.py \
		swift test --skip-build --disable-xctest --filter JourneyTests

smoke: ## Pushes through the running gate and reads it back from the Pushgateway.
	@deploy/dev/install.sh smoke
	@deploy/dev/smoke.sh

rotate-drill: ## Rehearses the change of password and certificate, with a gate of its own; 10 seconds.
	@deploy/dev/install.sh run
	$(if $(KANMON),,swift build --configuration release --product kanmon)
	@deploy/drill/rotate.sh

secrets: ## Looks for secrets in the tree and in all of the git history.
	@deploy/release/find_secrets.py

release-smoke: static ## Smoke and drill with the program that is shipped, on gates of their own.
	KANMON=$(CURDIR)/.build-static/release/kanmon Tests/Release/with_gate.py $(MAKE) --no-print-directory smoke
	KANMON=$(CURDIR)/.build-static/release/kanmon deploy/drill/rotate.sh

release-check: ## All that has to hold before a release, hours; STAGE=fuzz for one, FROM=fuzz to go on.
	@STAGE='$(STAGE)' FROM='$(FROM)' deploy/release/check.sh

bench: build ## Beside nginx, HAProxy and the Pushgateway's parser, 15 minutes; BENCH='--quick keepalive'.
	@deploy/dev/install.sh bench
	Tests/Benchmarks/bench.py $(BENCH)
	$(if $(BENCH),,Tests/Benchmarks/exposition.sh)

test-watchdog-mock: ## What the watchdog decides, sentence by sentence, with stand-ins around it; a minute.
	@deploy/dev/install.sh watchdog
	swift build --product kanmon-ops
	Tests/Watchdog/mock.py

test-watchdog: ## The watchdog over a real gate and Pushgateway with real faults, and its snapshot; 5 minutes.
	@deploy/dev/install.sh watchdog
	swift build --product kanmon
	swift build --product kanmon-ops
	Tests/Watchdog/snapshot.py
	Tests/Watchdog/faults.py

install-watchdog: ## Configuration, token and units of the watchdog, as root; UNITS=user for your own.
	@UNITS='$(UNITS)' deploy/watchdog/watchdog.sh install

enable-watchdog: ## A run of the watchdog every minute from now on; UNITS=user.
	@UNITS='$(UNITS)' deploy/watchdog/watchdog.sh enable

watchdog-status: ## When the watchdog ran, what it knows, what it did last; UNITS=user.
	@UNITS='$(UNITS)' deploy/watchdog/watchdog.sh status

watchdog-run-once: ## One run of the watchdog, here and now; UNITS=user.
	@UNITS='$(UNITS)' deploy/watchdog/watchdog.sh run-once

watchdog-kick: ## Asks the watchdog for something: ACTION=check SOURCE=me TOKEN_FILE=file.
	@UNITS='$(UNITS)' deploy/watchdog/watchdog.sh kick '$(ACTION)' '$(SOURCE)' '$(TOKEN_FILE)'

install: ## After make static, as root: program, units, manuals; PREFIX=/usr/local, DESTDIR.
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' deploy/package/install.sh

deb: static ## A Debian package in .build-static/
	@deploy/dev/install.sh package
	@deploy/package/deb.sh

package-test: deb ## The package from installation to purge, and the watchdog, under systemd; needs root.
	@deploy/dev/install.sh package-test
	Tests/Packaging/machine.sh Tests/Packaging/package.sh $(CURDIR)/.build-static/kanmon.deb
	Tests/Packaging/machine.sh Tests/Watchdog/machine.sh $(CURDIR)/.build-static/release

clean: ## Removes what was built; keeps certificates, keys, passwords, and what fuzzing found.
	rm -rf .build .build-static .build-strict .build-differential .build-benchmark .build-fuzz/build \
		.build-address .build-thread
