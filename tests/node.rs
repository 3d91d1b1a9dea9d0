//! The shared tests, natively (`cargo test`) and on wasm in Node (`wasm-pack test --node`).
mod common;
