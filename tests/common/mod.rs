//! Tests that must hold on every runtime: natively, in Node and in a browser.
//! Suites that need files, threads or proptest belong in files of their own, for native only.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use opencode_orchestrator::time::Instant;

#[test]
fn time_never_runs_below_zero_or_over_the_top() {
    let (early, late) = (Instant(1_000), Instant(u64::MAX - 1));
    assert_eq!(late.since(early), u64::MAX - 1_001);
    assert_eq!(early.since(late), 0);
    assert_eq!(late.plus(1_000), Instant(u64::MAX));
}
