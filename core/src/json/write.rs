//! [`Writer`]: JSON as text, without white space.

use super::{Node, ToJson};

/// Where values are written.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    text: String,
    /// How many objects are begun.
    depth: usize,
}

/// So deep a sample goes into a type that holds itself.
const SAMPLE_DEPTH_MAX: usize = 8;

impl Writer {
    /// What is written.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    /// A value that is JSON already: one without strings, or whose strings are escaped.
    pub fn raw(&mut self, json: &str) {
        self.text.push_str(json);
    }

    /// Any JSON, again.
    pub fn node(&mut self, node: &Node<'_>) {
        match node {
            Node::Null => self.raw("null"),
            Node::Bool(value) => value.write(self),
            Node::Number(number) => self.raw(number),
            Node::Text(text) => self.text(text),
            Node::List(list) => {
                self.begin_list();
                for node in list {
                    self.separate('[');
                    self.node(node);
                }
                self.end_list();
            }
            Node::Object(members) => {
                self.begin_object();
                for (name, node) in members {
                    self.name(name);
                    self.node(node);
                }
                self.end_object();
            }
        }
    }

    /// A string.
    pub fn text(&mut self, text: &str) {
        write_string(text, &mut |piece| self.text.push_str(piece));
    }

    /// Begins a list: items follow, and its end.
    pub fn begin_list(&mut self) {
        self.text.push('[');
    }

    /// An item of a list.
    pub fn item(&mut self, item: &dyn ToJson) {
        self.separate('[');
        item.write(self);
    }

    /// Ends a list.
    pub fn end_list(&mut self) {
        self.text.push(']');
    }

    /// Begins an object: members follow, and its end.
    pub fn begin_object(&mut self) {
        self.depth += 1;
        self.text.push('{');
    }

    /// A member's name: its value follows.
    pub fn name(&mut self, name: &str) {
        self.separate('{');
        self.text(name);
        self.text.push(':');
    }

    /// A member.
    pub fn member(&mut self, name: &str, value: &dyn ToJson) {
        self.name(name);
        value.write(self);
    }

    /// A member that is left out where there is no value.
    pub fn member_or_none<T: ToJson>(&mut self, name: &str, value: &Option<T>) {
        if let Some(value) = value {
            self.member(name, value);
        }
    }

    /// Ends an object.
    pub fn end_object(&mut self) {
        self.depth -= 1;
        self.text.push('}');
    }

    /// Whether a sample shows no more of what need not be there: a type may hold itself.
    pub(super) fn is_deep(&self) -> bool {
        self.depth > SAMPLE_DEPTH_MAX
    }

    /// Whatever is not the first has a comma before it.
    fn separate(&mut self, bracket: char) {
        if !self.text.ends_with(bracket) {
            self.text.push(',');
        }
    }
}

/// A text as JSON, quotes included, piece by piece.
pub(crate) fn write_string(text: &str, push: &mut dyn FnMut(&str)) {
    push("\"");
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        push(&text[from..at]);
        from = at + 1;
        match byte {
            b'"' => push("\\\""),
            b'\\' => push("\\\\"),
            0x08 => push("\\b"),
            0x0c => push("\\f"),
            b'\n' => push("\\n"),
            b'\r' => push("\\r"),
            b'\t' => push("\\t"),
            _ => {
                push(if byte < 0x10 { "\\u000" } else { "\\u001" });
                let digit = usize::from(byte & 15);
                push(&"0123456789abcdef"[digit..=digit]);
            }
        }
    }
    push(&text[from..]);
    push("\"");
}
