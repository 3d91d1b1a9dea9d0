//! The `path` of a call. Nothing outside of the tree is looked at: not by an absolute path, not by `..`, not through a link.

use super::super::files::{FileError, Files, Kind};

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Folder(Vec<u8>),
    File(Vec<u8>),
}

impl Place {
    /// The whole tree.
    pub const ROOT: Self = Self::Folder(Vec::new());
}

/// The file or folder that a caller's path names.
///
/// # Errors
/// In words for the caller: there is nothing, or it is outside, or no file.
pub fn resolve(files: &impl Files, path: Option<&str>) -> Result<Place, String> {
    let Some(given) = path else {
        return Ok(Place::ROOT);
    };
    let inside = confine(files, given)?;
    if inside.is_empty() {
        return Ok(Place::ROOT);
    }
    let missing = |error: FileError| match error {
        FileError::Missing | FileError::Kind => format!("There is no `{given}`."),
        other => format!("`{given}`: {other}."),
    };
    let Some(real) = files.real(&inside).map_err(missing)? else {
        return Err(format!(
            "`{given}` leads out of the project by a symbolic link; only files inside are searched."
        ));
    };
    if real.is_empty() {
        return Ok(Place::ROOT);
    }
    match files.stat(&real).map_err(missing)?.kind {
        Kind::Folder => Ok(Place::Folder(real)),
        Kind::File => Ok(Place::File(real)),
        Kind::Link | Kind::Other => Err(format!(
            "`{given}` is neither a file nor a folder (a device, FIFO or socket)."
        )),
    }
}

/// A path relative to the root, without `.` and `..`.
fn confine(files: &impl Files, given: &str) -> Result<Vec<u8>, String> {
    let root = files.root();
    let outside = || {
        let root = String::from_utf8_lossy(&root);
        format!(
            "`{given}` is outside of the project{}; give a path inside it.",
            if root.is_empty() {
                String::new()
            } else {
                format!(" ({root})")
            }
        )
    };
    if given.contains('\0') {
        return Err("`path` has a NUL in it.".to_owned());
    }
    let bytes = given.as_bytes();
    let relative = if bytes.first() == Some(&b'/') {
        let below = bytes
            .strip_prefix(root.as_slice())
            .filter(|_| !root.is_empty());
        match below {
            Some(rest) if rest.is_empty() || rest[0] == b'/' || root.ends_with(b"/") => rest,
            _ => return Err(outside()),
        }
    } else {
        bytes
    };
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in relative.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop().ok_or_else(outside)?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::super::super::files::memory::MemoryFiles;
    use super::*;

    #[test]
    fn a_path_stays_inside() {
        let files = MemoryFiles::new();
        files.write("src/a/b.rs", "x");
        files.put(b"src/link", Kind::Link, b"/etc".to_vec());
        files.put(b"src/pipe", Kind::Other, Vec::new());
        let at = |path: &str| resolve(&files, Some(path));
        assert_eq!(
            at("src//./a/../a/b.rs"),
            Ok(Place::File(b"src/a/b.rs".to_vec()))
        );
        assert_eq!(at("./src/"), Ok(Place::Folder(b"src".to_vec())));
        assert_eq!(at("."), Ok(Place::ROOT));
        for outside in ["..", "src/../..", "/etc/passwd", "../etc", "/"] {
            assert!(
                at(outside).is_err_and(|e| e.contains("outside")),
                "{outside}"
            );
        }
        assert!(at("src/link").is_err_and(|e| e.contains("link")));
        assert!(at("src/pipe").is_err_and(|e| e.contains("FIFO")));
        assert!(at("src/none").is_err_and(|e| e.contains("no `src/none`")));
    }
}
