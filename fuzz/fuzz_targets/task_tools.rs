#![no_main]
#[allow(dead_code, reason = "each target uses one door")]
#[path = "../doors.rs"]
mod doors;

libfuzzer_sys::fuzz_target!(|call: (u8, &str)| doors::task_tool(call.0, call.1));
