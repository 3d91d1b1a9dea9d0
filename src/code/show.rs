//! Words that answers share.

use std::fmt::Write as _;

/// `1 file`, `2,345 files`.
#[must_use]
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        digits(number),
        if number == 1 { one } else { many }
    )
}

/// A number with its thousands apart.
#[must_use]
pub fn digits(number: u64) -> String {
    let plain = number.to_string();
    let mut text = String::new();
    for (i, digit) in plain.chars().enumerate() {
        if i > 0 && (plain.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A path for a model: as it is, or in quotes with `\xff` for what is no text.
#[must_use]
pub fn path(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => {
            let mut text = String::from("\"");
            for chunk in bytes.utf8_chunks() {
                for c in chunk.valid().chars() {
                    match c {
                        '\n' => text.push_str("\\n"),
                        '\t' => text.push_str("\\t"),
                        '"' | '\\' => text.extend(['\\', c]),
                        c if c.is_control() => {
                            let _ = write!(text, "\\x{:02x}", u32::from(c));
                        }
                        c => text.push(c),
                    }
                }
                for byte in chunk.invalid() {
                    let _ = write!(text, "\\x{byte:02x}");
                }
            }
            text.push('"');
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_paths_read_well() {
        assert_eq!(count(1, "file", "files"), "1 file");
        assert_eq!(count(1_234_567, "file", "files"), "1,234,567 files");
        assert_eq!(digits(999), "999");
        assert_eq!(path("src/ä b.rs".as_bytes()), "src/ä b.rs");
        assert_eq!(path(b"bad\xFFname\n\"x"), "\"bad\\xffname\\n\\\"x\"");
    }
}

/// Bytes in a worker's part: as text, a character for each, which takes a quarter of what a list of numbers does.
pub mod bytes {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        serializer.serialize_str(&text)
    }

    /// # Errors
    /// When it is no such text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
        bytes.map_err(|_| D::Error::custom("a character is no byte"))
    }
}
