//! Sixteen bytes at a time: the vector instructions that the prefilter needs, and what they do where there are none.

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub use plain::Lanes;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use vector::Lanes;

/// Bytes of a vector.
pub const LANES: usize = 16;

/// Whether all of them are ASCII characters.
#[must_use]
pub fn is_ascii(bytes: &[u8]) -> bool {
    let (vectors, rest) = bytes.as_chunks::<LANES>();
    let any = vectors
        .iter()
        .fold(Lanes::all(0), |any, vector| any.or(Lanes::of(vector, 0)));
    any.upper_bits() == 0 && rest.is_ascii()
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod vector {
    use super::LANES;
    use std::arch::wasm32::{
        u8x16_bitmask, u8x16_eq, u8x16_splat, u8x16_swizzle, u16x8_shr, v128, v128_and,
        v128_any_true, v128_load, v128_or, v128_store,
    };

    #[derive(Clone, Copy)]
    pub struct Lanes(v128);

    impl Lanes {
        #[inline]
        #[allow(unsafe_code, reason = "the slice has the sixteen bytes")]
        pub fn of(bytes: &[u8], at: usize) -> Self {
            let bytes = &bytes[at..at + LANES];
            Self(unsafe { v128_load(bytes.as_ptr().cast()) })
        }

        #[inline]
        pub fn all(byte: u8) -> Self {
            Self(u8x16_splat(byte))
        }

        #[inline]
        pub fn and(self, other: Self) -> Self {
            Self(v128_and(self.0, other.0))
        }

        #[inline]
        pub fn or(self, other: Self) -> Self {
            Self(v128_or(self.0, other.0))
        }

        /// 255 where both have the same byte, else 0.
        #[inline]
        pub fn equal(self, other: Self) -> Self {
            Self(u8x16_eq(self.0, other.0))
        }

        /// This one's bytes at the places that the other says.
        #[inline]
        pub fn at(self, places: Self) -> Self {
            Self(u8x16_swizzle(self.0, places.0))
        }

        #[inline]
        pub fn low_halves(self) -> Self {
            Self(v128_and(self.0, u8x16_splat(15)))
        }

        #[inline]
        pub fn high_halves(self) -> Self {
            // by sixteen bits: x86 has no such instruction for bytes
            Self(v128_and(u16x8_shr(self.0, 4), u8x16_splat(15)))
        }

        /// Whether any byte is not 0.
        #[inline]
        pub fn any(self) -> bool {
            v128_any_true(self.0)
        }

        /// The upper bit of each byte, the first one's lowest.
        #[inline]
        pub fn upper_bits(self) -> u16 {
            u8x16_bitmask(self.0)
        }

        #[inline]
        #[allow(unsafe_code, reason = "the array has sixteen bytes")]
        pub fn bytes(self) -> [u8; LANES] {
            let mut bytes = [0; LANES];
            unsafe { v128_store(bytes.as_mut_ptr().cast(), self.0) };
            bytes
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod plain {
    use super::LANES;
    use std::array::from_fn;

    #[derive(Clone, Copy)]
    pub struct Lanes([u8; LANES]);

    impl Lanes {
        pub fn of(bytes: &[u8], at: usize) -> Self {
            Self(from_fn(|i| bytes[at + i]))
        }

        pub fn all(byte: u8) -> Self {
            Self([byte; LANES])
        }

        pub fn and(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i] & other.0[i]))
        }

        pub fn or(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i] | other.0[i]))
        }

        /// 255 where both have the same byte, else 0.
        pub fn equal(self, other: Self) -> Self {
            Self(from_fn(
                |i| {
                    if self.0[i] == other.0[i] { u8::MAX } else { 0 }
                },
            ))
        }

        /// This one's bytes at the places that the other says.
        pub fn at(self, places: Self) -> Self {
            Self(places.0.map(|place| self.0[usize::from(place)]))
        }

        pub fn low_halves(self) -> Self {
            Self(self.0.map(|byte| byte & 15))
        }

        pub fn high_halves(self) -> Self {
            Self(self.0.map(|byte| byte >> 4))
        }

        /// Whether any byte is not 0.
        pub fn any(self) -> bool {
            self.0 != [0; LANES]
        }

        /// The upper bit of each byte, the first one's lowest.
        pub fn upper_bits(self) -> u16 {
            let bits = self.0.iter().rev();
            bits.fold(0, |bits, byte| bits << 1 | u16::from(byte >> 7))
        }

        pub fn bytes(self) -> [u8; LANES] {
            self.0
        }
    }
}
