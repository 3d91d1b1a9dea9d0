//! A small XML writer: tags come from code, everything inserted is escaped.

/// Builds one element with its children, a line each.
#[derive(Debug, Default)]
pub struct Xml {
    text: String,
    open: Vec<&'static str>,
}

impl Xml {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens an element.
    #[must_use]
    pub fn open(mut self, tag: &'static str, attributes: &[(&'static str, &str)]) -> Self {
        self.start(tag, attributes);
        self.text.push('\n');
        self.open.push(tag);
        self
    }

    /// An element that holds only text.
    #[must_use]
    pub fn element(
        mut self,
        tag: &'static str,
        attributes: &[(&'static str, &str)],
        text: &str,
    ) -> Self {
        self.start(tag, attributes);
        escape(text, &mut self.text);
        self.end(tag);
        self
    }

    /// A line of our own words.
    #[must_use]
    pub fn line(mut self, text: &str) -> Self {
        escape(text, &mut self.text);
        self.text.push('\n');
        self
    }

    /// XML that was built before.
    #[must_use]
    pub fn xml(mut self, built: &str) -> Self {
        self.text.push_str(built);
        self.text.push('\n');
        self
    }

    /// Closes the innermost open element.
    #[must_use]
    pub fn close(mut self) -> Self {
        if let Some(tag) = self.open.pop() {
            self.end(tag);
        }
        self
    }

    /// The text, with everything closed.
    #[must_use]
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self = self.close();
        }
        self.text.truncate(self.text.trim_end().len());
        self.text
    }

    fn start(&mut self, tag: &str, attributes: &[(&'static str, &str)]) {
        self.text.push('<');
        self.text.push_str(tag);
        for (name, value) in attributes {
            self.text.push(' ');
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(value, &mut self.text);
            self.text.push('"');
        }
        self.text.push('>');
    }

    fn end(&mut self, tag: &str) {
        self.text.push_str("</");
        self.text.push_str(tag);
        self.text.push_str(">\n");
    }
}

/// Escapes markup and drops the control characters that XML 1.0 forbids.
fn escape(text: &str, out: &mut String) {
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        let instead = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            '\n' | '\t' => continue,
            c if c.is_control() => "",
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        out.push_str(instead);
        plain = at + c.len_utf8();
    }
    out.push_str(&text[plain..]);
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_inserted_makes_a_tag(text in any::<String>()) {
            let xml = Xml::new().open("a", &[("k", &text)]).element("b", &[], &text).line(&text).finish();
            prop_assert_eq!(xml.matches('<').count(), 4);
            prop_assert_eq!(xml.matches('>').count(), 4);
            prop_assert_eq!(xml.matches('"').count(), 2);
        }
    }
}
