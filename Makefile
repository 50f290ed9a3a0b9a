# make run     build, and start a server with demo data on port 8080
# make build   target/release/hallpass
# make check   before every commit: format, lints, unit tests, crate boundaries
# make test    everything, as CI does
# make soak    the long forms: 50 kills, minutes of fuzzing a target
# make bench   Hallpass beside its peers, one table
# make gen     docs/openapi.json and docs/hallpass.sample.toml from the code
# make pictures   docs/pictures from the pages, by a headless Chromium

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PORT ?= 8080
TARGET := $(or $(CARGO_TARGET_DIR),target)
HALLPASS_BIN := $(abspath $(TARGET))/debug/hallpass
export HALLPASS_BIN
NPM_CI := npm ci --no-audit --no-fund --loglevel=error

.PHONY: help run build check test soak bench gen pictures clean
.PHONY: binary lint rust-tests postgres-tests fuzz gen-is-clean sdk-tests python-tests openapi-tests oidc-rust-tests example-tests

help:
	@sed -n '/^$$/q; s/^# //p' Makefile

run:
	@scripts/needs.sh cc
	@echo "Building; the first time takes a few minutes." >&2
	cargo build --locked -p hallpass
	@echo "Open http://127.0.0.1:$(PORT)/ in a browser: it says what is there and what to paste. Ctrl-C stops." >&2
	@exec $(HALLPASS_BIN) dev --port $(PORT)

build:
	@scripts/needs.sh cc
	cargo build --locked --release -p hallpass
	@ls -l $(TARGET)/release/hallpass

check: lint
	cargo test --locked --workspace --lib --bins
	cargo test --locked -p hallpass --test boundaries --test documents

lint:
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo fmt --manifest-path e2e/openidconnect/Cargo.toml --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

# One after the other: two cores are soon full, and tests of time should not starve.
test:
	@scripts/needs.sh cc postgresql venv node curl chromium
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory rust-tests
	@$(MAKE) --no-print-directory postgres-tests
	@$(MAKE) --no-print-directory binary
	@$(MAKE) --no-print-directory gen-is-clean
	@$(MAKE) --no-print-directory sdk-tests
	@$(MAKE) --no-print-directory python-tests
	@$(MAKE) --no-print-directory openapi-tests
	@$(MAKE) --no-print-directory oidc-rust-tests
	@$(MAKE) --no-print-directory example-tests
	@$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=10

# The whole workspace, so that it shares its dependencies with the tests.
binary:
	cargo build --locked --workspace

rust-tests:
	cargo test --locked --workspace

# The suites that run on one engine at a time, on the other one; the rest take both by themselves.
postgres-tests:
	HALLPASS_TEST_ENGINE=postgres cargo test --locked --workspace --test api --test chat --test webhooks --test people

FUZZ_SECONDS ?= 10
fuzz:
	fuzz/run.sh $(FUZZ_SECONDS)

gen-is-clean: binary
	$(HALLPASS_BIN) openapi | diff -u docs/openapi.json - || { echo "docs/openapi.json is out of date: make gen" >&2; exit 1; }
	$(HALLPASS_BIN) config sample | diff -u docs/hallpass.sample.toml - || { echo "docs/hallpass.sample.toml is out of date: make gen" >&2; exit 1; }

# The official SDK, clients of OpenID Connect, and a browser.
sdk-tests: binary
	@scripts/needs.sh node chromium
	cd web && $(NPM_CI) && npm run --silent check && npm test --silent

python-tests: binary
	cd e2e/python && python3 -m venv .venv && .venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt && .venv/bin/pytest -q

openapi-tests: binary
	cd e2e/openapi && python3 -m venv .venv && .venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt && .venv/bin/pytest -q

oidc-rust-tests: binary
	cargo test --locked --manifest-path e2e/openidconnect/Cargo.toml

example-tests: binary
	@scripts/needs.sh node curl venv chromium
	python3 scripts/pasted.py
	python3 examples/test.py

soak:
	@scripts/needs.sh cc postgresql
	HALLPASS_SOAK=1 cargo test --locked --workspace --test process
	fuzz/run.sh 300
	$(MAKE) --no-print-directory openapi-tests HALLPASS_OPENAPI_EXAMPLES=500

bench: build
	@scripts/needs.sh postgresql node
	bench/run.py

gen: binary
	$(HALLPASS_BIN) openapi > docs/openapi.json.new && mv docs/openapi.json.new docs/openapi.json
	$(HALLPASS_BIN) config sample > docs/hallpass.sample.toml.new && mv docs/hallpass.sample.toml.new docs/hallpass.sample.toml

pictures: binary
	@scripts/needs.sh chromium
	python3 scripts/pictures.py docs/pictures

clean:
	cargo clean
	rm -rf web/node_modules examples/*/node_modules examples/nextjs/.next examples/python/.venv e2e/*/.venv bench/target bench/out e2e/openidconnect/target examples/oauth-spa/public/oauth4webapi.js
