# Each target finds or installs what the build needs first (tools/setup.sh), so that the first one on a fresh
# machine does all the set-up. Building HDF5 takes a CMake that Debian 12 doesn't have: the cmake crate
# takes the one that $CMAKE names.

cargo := CMAKE=$$(tools/setup.sh) && export CMAKE && cargo

# Tests, in data/tests and tests, of what is other without HDF5. Training and the graph know nothing of it.
files_and_commands := bad_input cluster evaluate_and_info export formats ids pseudo_label stream votes writers

.PHONY: help demo test install lint fmt clippy docs without-hdf5 deny python python-package spark wheel setup

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

demo: ## build, and cluster the embedded handwritten digits into runs/digits-<n>
	$(cargo) build --release --locked && \
	    cargo run --release --locked --quiet -- cluster digits

test: ## every test
	$(cargo) test --workspace --locked

install: ## the program on your path
	$(cargo) install --path . --locked

lint: fmt clippy docs ## formatting, clippy and docs, with warnings denied

fmt: ## formatting (`cargo fmt --all` mends it)
	cargo fmt --all --check

clippy: ## clippy with warnings denied
	$(cargo) clippy --workspace --all-targets --locked -- -D warnings

docs: ## docs of all crates with warnings denied
	export RUSTDOCFLAGS='-D warnings' && $(cargo) doc --workspace --no-deps --locked

without-hdf5: ## everything compiled without HDF5, and the tests that files, commands and run folders have; and without any format
	cargo check --workspace --no-default-features --locked
	cargo test --workspace --no-default-features --features images,parquet --locked $(addprefix --test ,$(files_and_commands))

deny: ## licences and sources of all dependencies
	$$(tools/cargo_deny.sh) --log-level error check bans licenses sources

python: ## the tests of the scripts in benches/
	@tools/python_tests.sh

python-package: ## the Python package: its wheel, built and tested in an environment of its own
	@tools/python_package.sh

spark: ## consilience.spark and consilience.ray, on clusters of processes on this machine; installs a Java runtime, Spark and Ray
	@tools/spark_tests.sh

wheel: ## the Python package's wheel for users, into target/wheels
	@tools/wheel.sh

setup: ## only find or install what the build needs
	@tools/setup.sh
