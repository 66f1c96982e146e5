//! A small XML writer: elements and escaped text, which is all that the query protocols use.

/// XML under construction.
#[derive(Debug)]
pub(crate) struct Xml {
    text: String,
}

impl Xml {
    /// A new document with its declaration.
    pub(crate) fn document() -> Self {
        Self { text: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n") }
    }

    /// An element whose children `content` writes.
    pub(crate) fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.element_with(name, "", content);
    }

    /// As [`Self::element`], with attributes written as they stand.
    pub(crate) fn element_with(&mut self, name: &str, attributes: &str, content: impl FnOnce(&mut Self)) {
        self.text.push('<');
        self.text.push_str(name);
        if !attributes.is_empty() {
            self.text.push(' ');
            self.text.push_str(attributes);
        }
        self.text.push('>');
        content(self);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// An element that holds text.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.element(name, |xml| xml.push_escaped(value));
    }

    /// An element that holds text, or nothing at all where there is no value.
    pub(crate) fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// An element that holds `true` or `false`.
    pub(crate) fn boolean(&mut self, name: &str, value: bool) {
        self.text(name, if value { "true" } else { "false" });
    }

    /// A list of EC2: the wrapping element and one `<item>` per entry.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        entries: impl IntoIterator<Item = T>,
        write: impl FnMut(&mut Self, T),
    ) {
        self.entries(name, "item", entries, write);
    }

    /// A list of AWS query: the wrapping element and one `<member>` per entry.
    pub(crate) fn members<T>(
        &mut self,
        name: &str,
        entries: impl IntoIterator<Item = T>,
        write: impl FnMut(&mut Self, T),
    ) {
        self.entries(name, "member", entries, write);
    }

    fn entries<T>(
        &mut self,
        name: &str,
        entry_name: &str,
        entries: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.element(name, |xml| {
            for entry in entries {
                xml.element(entry_name, |xml| write(xml, entry));
            }
        });
    }

    /// A `tagSet`, absent when there are no tags, as EC2 does it.
    pub(crate) fn tags(&mut self, tags: &std::collections::BTreeMap<String, String>) {
        if !tags.is_empty() {
            self.list("tagSet", tags, |xml, (key, value)| {
                xml.text("key", key);
                xml.text("value", value);
            });
        }
    }

    /// The finished document.
    pub(crate) fn finish(self) -> String {
        self.text
    }

    /// Text by itself, such as an entry of a list of texts.
    pub(crate) fn push_text(&mut self, value: &str) {
        self.push_escaped(value);
    }

    fn push_escaped(&mut self, value: &str) {
        for character in value.chars() {
            match character {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\r' => self.text.push_str("&#xD;"),
                '\n' | '\t' => self.text.push(character),
                // XML 1.0 has no way to write the other control characters.
                control if control.is_control() => self.text.push('\u{FFFD}'),
                other => self.text.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Xml;

    #[test]
    fn text_is_escaped_and_lists_are_wrapped() {
        let mut xml = Xml::document();
        xml.list("set", ["a<b", "\"c\"&\u{1}"], |xml, value| {
            xml.text("v", value);
        });
        assert_eq!(
            xml.finish(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<set><item><v>a&lt;b</v></item>\
             <item><v>&quot;c&quot;&amp;\u{FFFD}</v></item></set>"
        );
    }
}
