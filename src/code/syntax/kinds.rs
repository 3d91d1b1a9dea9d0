//! Sets of node kinds.

/// A set of node kinds, by number.
#[derive(Default)]
pub struct Kinds(Vec<bool>);

impl Kinds {
    #[must_use]
    pub fn contains(&self, kind: u16) -> bool {
        self.0.get(usize::from(kind)).copied().unwrap_or(false)
    }

    /// Their numbers.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        let all = self.0.iter().enumerate();
        all.filter_map(|(kind, is_in)| is_in.then_some(kind))
    }
}

/// By number, whether it is among them.
impl AsRef<[bool]> for Kinds {
    fn as_ref(&self) -> &[bool] {
        &self.0
    }
}

impl FromIterator<usize> for Kinds {
    fn from_iter<T: IntoIterator<Item = usize>>(kinds: T) -> Self {
        let mut all = Vec::new();
        for kind in kinds {
            if all.len() <= kind {
                all.resize(kind + 1, false);
            }
            all[kind] = true;
        }
        Self(all)
    }
}
