# The two commands of the README: `make demo` and `make test`. Both install what is missing first.
.PHONY: demo test lint loadtest tools

# --- what a person types ------------------------------------------------------------------------------------------

demo: tools ## everything from nothing: servers, tables, data, keys, a running API on port 3000
	cargo build --release --locked
	./target/release/tickerd demo

test: tools ## every test, against a real Postgres and a real Redis that the tests start
	cargo test --locked

lint: tools ## formatting and lints, warnings denied
	cargo fmt --check
	cargo clippy --all-targets --locked -- --deny warnings

loadtest: tools ## requests a second over loopback; installs oha if missing
	loadtest/run

# --- what is needed -----------------------------------------------------------------------------------------------

tools:
	@deploy/install-tools
