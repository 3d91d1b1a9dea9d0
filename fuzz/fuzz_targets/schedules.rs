#![no_main]
#[allow(dead_code, reason = "each target uses one door")]
#[path = "../doors.rs"]
mod doors;

#[derive(Debug, arbitrary::Arbitrary)]
struct Schedule {
    seed: u64,
    disturbances: Vec<(u8, u16)>,
    acts: Vec<(u32, u8)>,
}

libfuzzer_sys::fuzz_target!(|it: Schedule| doors::schedule(it.seed, &it.disturbances, &it.acts));
