//! Text becomes a [`Node`], or pieces of it are told apart, after [RFC 8259](https://www.rfc-editor.org/rfc/rfc8259).

use std::borrow::Cow;

use super::{Error, Node};
use crate::find::find_special;

/// How deep values may be nested.
const DEPTH_MAX: usize = 128;

pub(super) fn parse(text: &str) -> Result<Node<'_>, Error> {
    Parser::new(text, DEPTH_MAX).whole(Parser::value)
}

/// The members of an object as they stand, the names without escapes. A name may be there twice.
///
/// # Errors
/// Where the text is no JSON, or no object.
pub fn members(text: &str) -> Result<Vec<(Cow<'_, str>, &str)>, Error> {
    let mut members = Vec::new();
    Parser::new(text, DEPTH_MAX).whole(|parser| {
        let mut is_more = parser.open(b'{', b'}')?;
        while is_more {
            members.push((parser.name()?, parser.raw()?));
            is_more = parser.goes_on(b'}')?;
        }
        Ok(())
    })?;
    Ok(members)
}

/// The items of a list as they stand.
///
/// # Errors
/// Where the text is no JSON, or no list.
pub fn items(text: &str) -> Result<Vec<&str>, Error> {
    let mut items = Vec::new();
    Parser::new(text, DEPTH_MAX).whole(|parser| {
        let mut is_more = parser.open(b'[', b']')?;
        while is_more {
            items.push(parser.raw()?);
            is_more = parser.goes_on(b']')?;
        }
        Ok(())
    })?;
    Ok(items)
}

/// Holds that the text is JSON and not deeper than that. The answer is whether it has no white space.
pub(super) fn is_compact(text: &str, depth_max: usize) -> Result<bool, Error> {
    let mut parser = Parser::new(text, depth_max);
    parser.whole(Parser::skip)?;
    Ok(!parser.has_space)
}

struct Parser<'a> {
    text: &'a str,
    /// The place of the next byte. It is never inside of a character where something is cut.
    at: usize,
    /// Whether white space was passed.
    has_space: bool,
    /// How many brackets are open, and how many may be.
    depth: usize,
    depth_max: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, depth_max: usize) -> Self {
        Self { text, at: 0, has_space: false, depth: 0, depth_max }
    }

    /// All of the text by what reads a value.
    fn whole<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        self.skip_space();
        let read = read(self)?;
        self.skip_space();
        if self.at < self.text.len() { Err(self.wrong()) } else { Ok(read) }
    }

    fn wrong(&self) -> Error {
        Error::new(&format_args!("is no JSON from byte {} on", self.at))
    }

    fn too_deep(&self) -> Error {
        Error::new(&format_args!("is nested deeper than {} levels", self.depth_max))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes past a byte, if it is the next.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
            self.has_space = true;
        }
    }

    /// Goes past white space and then this byte.
    fn takes(&mut self, byte: u8) -> bool {
        self.skip_space();
        self.take(byte)
    }

    /// A value, whose first byte is next.
    fn value(&mut self) -> Result<Node<'a>, Error> {
        match self.peek() {
            Some(b'"') => self.string().map(Node::Text),
            Some(b'{') => {
                let mut members = Vec::new();
                let mut is_more = self.open(b'{', b'}')?;
                while is_more {
                    members.push((self.name()?, self.value()?));
                    is_more = self.goes_on(b'}')?;
                }
                Ok(Node::Object(members))
            }
            Some(b'[') => {
                let mut list = Vec::new();
                let mut is_more = self.open(b'[', b']')?;
                while is_more {
                    list.push(self.value()?);
                    is_more = self.goes_on(b']')?;
                }
                Ok(Node::List(list))
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(Node::Number),
            _ => self.word(),
        }
    }

    /// As [`Self::value`], and nothing is made of it.
    fn skip(&mut self) -> Result<(), Error> {
        match self.peek() {
            Some(b'{') => {
                let mut is_more = self.open(b'{', b'}')?;
                while is_more {
                    self.skip_string()?;
                    self.colon()?;
                    self.skip()?;
                    is_more = self.goes_on(b'}')?;
                }
                Ok(())
            }
            Some(b'[') => {
                let mut is_more = self.open(b'[', b']')?;
                while is_more {
                    self.skip()?;
                    is_more = self.goes_on(b']')?;
                }
                Ok(())
            }
            Some(b'"') => self.skip_string(),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            _ => self.word().map(drop),
        }
    }

    /// The text of a value.
    fn raw(&mut self) -> Result<&'a str, Error> {
        let start = self.at;
        self.skip()?;
        Ok(&self.text[start..self.at])
    }

    fn word(&mut self) -> Result<Node<'a>, Error> {
        let words = [("null", Node::Null), ("true", Node::Bool(true)), ("false", Node::Bool(false))];
        let rest = &self.text[self.at..];
        let found = words.into_iter().find(|(word, _)| rest.starts_with(word));
        let (word, node) = found.ok_or_else(|| self.wrong())?;
        self.at += word.len();
        Ok(node)
    }

    /// Goes into brackets. The answer is whether there is something in them.
    fn open(&mut self, open: u8, close: u8) -> Result<bool, Error> {
        if !self.take(open) {
            return Err(self.wrong());
        }
        if self.depth >= self.depth_max {
            return Err(self.too_deep());
        }
        if self.takes(close) {
            return Ok(false);
        }
        self.depth += 1;
        Ok(true)
    }

    /// Goes past what stands behind something in brackets. The answer is whether there is more in them.
    fn goes_on(&mut self, close: u8) -> Result<bool, Error> {
        if self.takes(b',') {
            self.skip_space();
            return Ok(true);
        }
        if !self.take(close) {
            return Err(self.wrong());
        }
        self.depth -= 1;
        Ok(false)
    }

    /// A member's name, and what stands between it and its value.
    fn name(&mut self) -> Result<Cow<'a, str>, Error> {
        let name = self.string()?;
        self.colon()?;
        Ok(name)
    }

    fn colon(&mut self) -> Result<(), Error> {
        if !self.takes(b':') {
            return Err(self.wrong());
        }
        self.skip_space();
        Ok(())
    }

    fn number(&mut self) -> Result<&'a str, Error> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    /// At least one.
    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.wrong()) } else { Ok(()) }
    }

    fn quote(&mut self) -> Result<(), Error> {
        if self.take(b'"') { Ok(()) } else { Err(self.wrong()) }
    }

    /// A string. It is copied only if it has escapes.
    fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        self.quote()?;
        let piece = self.piece()?;
        if self.take(b'"') {
            return Ok(Cow::Borrowed(piece));
        }
        let mut text = piece.to_owned();
        loop {
            text.push(self.escape()?);
            text.push_str(self.piece()?);
            if self.take(b'"') {
                return Ok(Cow::Owned(text));
            }
        }
    }

    /// What stands before the next quote or backslash.
    fn piece(&mut self) -> Result<&'a str, Error> {
        let rest = &self.text[self.at..];
        let end = find_special(rest.as_bytes());
        self.at += end.unwrap_or(rest.len());
        match end {
            Some(end) if rest.as_bytes()[end] >= b' ' => Ok(&rest[..end]),
            _ => Err(self.wrong()),
        }
    }

    /// A string that is not looked into: one half of a surrogate pair by itself is JSON, though no text.
    fn skip_string(&mut self) -> Result<(), Error> {
        self.quote()?;
        loop {
            self.piece()?;
            if self.take(b'"') {
                return Ok(());
            }
            if self.escaped()? == b'u' {
                self.hex()?;
            }
        }
    }

    /// What stands behind a backslash, which is next.
    fn escaped(&mut self) -> Result<u8, Error> {
        self.at += 1;
        let known = self.peek().filter(|byte| br#""\/bfnrtu"#.contains(byte)).ok_or_else(|| self.wrong())?;
        self.at += 1;
        Ok(known)
    }

    /// The character of an escape, whose backslash is next.
    fn escape(&mut self) -> Result<char, Error> {
        Ok(match self.escaped()? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.code_point()?,
            plain => char::from(plain),
        })
    }

    /// Four hexadecimal digits, or twice that for a surrogate pair.
    fn code_point(&mut self) -> Result<char, Error> {
        let mut code = self.hex()?;
        if let 0xd800..0xdc00 = code {
            if !(self.take(b'\\') && self.take(b'u')) {
                return Err(self.wrong());
            }
            let low = self.hex()?.checked_sub(0xdc00).filter(|low| *low < 0x400).ok_or_else(|| self.wrong())?;
            code = 0x10000 + ((code - 0xd800) << 10) + low;
        }
        char::from_u32(code).ok_or_else(|| self.wrong())
    }

    fn hex(&mut self) -> Result<u32, Error> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16)).ok_or_else(|| self.wrong())?;
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }
}
