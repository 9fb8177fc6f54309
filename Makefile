# The two commands of the README: `make demo` and `make test`. Both install what is missing first.
.PHONY: demo test lint loadtest tools

# --- what a person types ------------------------------------------------------------------------------------------

demo: tools ## everything from nothing: servers, tables, data, keys, a running API on port 3000
	cargo build --release --locked
	./target/release/tickerd demo

test: tools ## every test, against a real Postgres and a real Redis that the tests start
	cargo test --workspace --locked

lint: tools ## formatting and lints of the whole workspace, warnings denied
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings

loadtest: tools ## what it does under load, beside what the machine can do; some 7 minutes
	loadtest/run

# --- what is needed -----------------------------------------------------------------------------------------------

tools:
	@deploy/install-tools
