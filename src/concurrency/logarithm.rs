//! Logarithms to base 2 that every machine computes alike, and the buckets of how many are in flight.

/// Levels up to 32 have a bucket each, above it there are 16 an octave.
pub(super) fn bucket_of(level: u32) -> usize {
    if level < 32 {
        return level as usize;
    }
    let octave = level.ilog2();
    (octave * 16 - 48 + ((level - (1 << octave)) >> (octave - 4))) as usize
}

/// The lowest level of a bucket.
pub(super) fn level_of(bucket: usize) -> u32 {
    let bucket = bucket as u32;
    if bucket < 32 {
        return bucket;
    }
    let octave = (bucket + 48) / 16;
    (1 << octave) + (((bucket + 48) % 16) << (octave - 4))
}

/// The logarithm to base 2, from the four basic operations alone: they are exact by IEEE 754, so that every machine
/// gets the same bits, which a mathematics library doesn't promise.
pub(super) fn log2(ms: u64) -> f64 {
    let value = ms.max(1);
    let exponent = value.ilog2();
    let mantissa = value as f64 / (1u64 << exponent) as f64;
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = 1.0
        + square
            * (1.0 / 3.0
                + square
                    * (1.0 / 5.0 + square * (1.0 / 7.0 + square * (1.0 / 9.0 + square / 11.0))));
    f64::from(exponent) + 2.0 * s * series * std::f64::consts::LOG2_E
}

/// 2^-x: what is `2^x` times slower needs this share of the load. Halvings, and a chord between them.
pub(super) fn inverse(x: f64) -> f64 {
    let mut share = 1.0;
    let mut left = x.clamp(0.0, 60.0);
    while left >= 1.0 {
        share /= 2.0;
        left -= 1.0;
    }
    share * (1.0 - left / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_one() {
        for ms in [1u64, 2, 3, 5, 7, 1000, 1023, 1025, 123_456_789] {
            assert!((log2(ms) - (ms as f64).log2()).abs() < 1e-6, "{ms}");
        }
        assert!(log2(0).abs() < 1e-12);
    }

    #[test]
    fn buckets_and_their_levels() {
        for level in 1..2000 {
            let bucket = bucket_of(level);
            assert!(
                level_of(bucket) <= level && level < level_of(bucket + 1),
                "{level}"
            );
        }
    }

    #[test]
    fn a_share_is_halved_by_each_doubling() {
        for (x, share) in [(0.0, 1.0), (1.0, 0.5), (1.5, 0.375), (10.0, 1.0 / 1024.0)] {
            assert!((inverse(x) - share).abs() < 1e-12, "{x}");
        }
    }
}
