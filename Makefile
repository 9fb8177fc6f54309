# The two commands of the README: `make demo` and `make test`. Both install what is missing first.
.PHONY: help demo test test-scale test-openapi test-faults soak fuzz lint deny loadtest deploy rollback tools tools-test tools-scale tools-openapi tools-faults tools-deny

# --- what a person types ------------------------------------------------------------------------------------------

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / && !/^tools/ { printf "%-13s %s\n", $$1, $$2 }' Makefile

demo: tools ## everything from nothing: servers, tables, data, keys, a running API on port 3000
	@[ -x target/demo/tickerd ] || echo "Building tickerd for the demo: about 4 minutes on two cores the first time, seconds later." >&2
	cargo build --profile demo --no-default-features --locked
	./target/demo/tickerd demo

test: tools-test ## every test, against a real Postgres and a real Redis that the tests start
	timeout 3600 cargo test --workspace --locked

test-scale: tools-scale ## several instances behind nginx on a Redis Cluster, PgBouncer and a replica; a minute
	PATH="$$PATH:/usr/sbin" timeout 600 cargo test --locked --test api scale:: -- --include-ignored

test-openapi: tools-openapi ## asks the server whatever its reference allows, and what it does not; a minute
	python3 -m venv target/schemathesis
	target/schemathesis/bin/pip install --quiet --requirement tests/openapi/requirements.txt
	timeout 900 cargo test --workspace --locked --test api reference:: -- --include-ignored

test-faults: tools-faults tools-scale ## every fault that docs/reliability.md tells of, made to happen to a release binary; writes what was seen there
	cargo build --release --locked
	FIGURES=1 TICKERD_BINARY="$(CURDIR)/target/release/tickerd" PATH="$$PATH:/usr/sbin" timeout 3600 \
		cargo test --locked --test api -- faults:: scale:: --include-ignored --test-threads 1
	FIGURES=1 timeout 900 cargo test --locked --lib simulation -- --include-ignored --nocapture

fuzz: tools ## what is random to the parsers of tokens, queries, cursors and CSV, a minute each (FUZZ_S=60); needs a nightly toolchain
	fuzz/run

soak: tools ## half an hour of everything at once, or MINUTES=5: nothing may grow; writes what was seen into docs/reliability.md
	cargo build --release --locked
	FIGURES=1 SOAK_MINUTES="$(or $(MINUTES),30)" TICKERD_BINARY="$(CURDIR)/target/release/tickerd" \
		timeout "$$(($(or $(MINUTES),30) * 60 + 1800))" cargo test --locked --test api soak:: -- --ignored --nocapture

lint: tools ## formatting and lints of the whole workspace, warnings denied
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings

deny: tools-deny ## licences, sources, bans and, where GitHub can be reached, advisories of all dependencies: deny.toml
	target/tools/bin/cargo-deny --locked check $(CHECKS)

loadtest: tools ## what it does under load, beside what the machine can do; some 11 minutes
	loadtest/run

deploy: ## puts this binary on a machine that is set up as in deploy/README.md: make deploy HOST=root@api.example.com
	@: $(if $(HOST),,$(error no machine: call it as make deploy HOST=root@api.example.com))
	cargo build --release --locked
	deploy/push "$(HOST)"

rollback: ## the binary before that one: make rollback HOST=root@api.example.com
	deploy/push "$(HOST)" --back

# --- what is needed -----------------------------------------------------------------------------------------------

tools:
	@deploy/install-tools

tools-test:
	@deploy/install-tools test

tools-openapi:
	@deploy/install-tools openapi

tools-scale:
	@deploy/install-tools scale

tools-faults:
	@deploy/install-tools faults

CARGO_DENY = 0.20.2
tools-deny: tools ## some minutes, once
	@[ "$$(target/tools/bin/cargo-deny --version 2>/dev/null)" = "cargo-deny $(CARGO_DENY)" ] || \
		cargo install cargo-deny --locked --version $(CARGO_DENY) --root target/tools
