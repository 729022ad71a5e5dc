#!/usr/bin/env bash
# Compile and lint the driver and the example of docs/languages, in .build: a macro in them generates the client from the
# contract.
set -euo pipefail
cd "$(dirname "$0")"
exec >&2
mkdir -p .build/src/bin
cp Cargo.toml rustfmt.toml ../../../openapi.yaml .build
cp src/main.rs .build/src
sed -n '/^```rust$/,/^```$/{/^```/!p}' ../../../docs/languages/rust.md > .build/src/bin/example.rs
cd .build
cargo fmt --check
# As `cargo clippy` does it, but with code: a check and a build would compile every dependency twice.
RUSTC_WORKSPACE_WRAPPER=clippy-driver cargo build --quiet
