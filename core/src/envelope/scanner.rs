//! A forward scanner over JSON text: finds where values begin and end, and reads only those asked for.
//!
//! It believes the text to be JSON and is exact where it is. Where it is not, it may not notice; it never reads outside
//! the text, never panics, and takes time in proportion to the text.

use std::borrow::Cow;

use memchr::memchr2;

/// A JSON string as it stands in the text, escapes and all, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonText<'a>(&'a str);

impl<'a> JsonText<'a> {
    /// The text that it stands for; borrowed where it has no escapes. `None` where an escape is wrong.
    #[must_use]
    pub fn decode(self) -> Option<Cow<'a, str>> {
        let mut decoded = String::new();
        let mut rest = self.0;
        while let Some(at) = rest.bytes().position(|byte| byte == b'\\') {
            let (plain, escape) = (rest.get(..at)?, rest.get(at + 1..)?);
            let (character, length) = unescape(escape)?;
            decoded.push_str(plain);
            decoded.push(character);
            rest = escape.get(length..)?;
        }
        if decoded.is_empty() {
            return Some(Cow::Borrowed(rest));
        }
        decoded.push_str(rest);
        Some(Cow::Owned(decoded))
    }
}

/// The character that stands behind a backslash, and how many bytes it takes there.
fn unescape(escape: &str) -> Option<(char, usize)> {
    let character = match escape.as_bytes().first()? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unescape_unicode(escape),
        _ => return None,
    };
    Some((character, 1))
}

fn unescape_unicode(escape: &str) -> Option<(char, usize)> {
    let high = hex4(escape.get(1..5)?)?;
    if !(0xd800..0xdc00).contains(&high) {
        return Some((char::from_u32(high)?, 5));
    }
    let low = hex4(escape.get(5..11)?.strip_prefix("\\u")?)?;
    let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    Some((char::from_u32(0x10000 + ((high - 0xd800) << 10) + low)?, 11))
}

fn hex4(digits: &str) -> Option<u32> {
    digits.bytes().try_fold(0, |number, digit| Some(number * 16 + char::from(digit).to_digit(16)?))
}

/// A place in JSON text.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The next byte that is not white space, which stays.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes().get(self.at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                _ => return Some(*byte),
            }
        }
        None
    }

    /// Takes this byte, if it is the next that is not white space.
    pub(crate) fn take(&mut self, wanted: u8) -> Option<()> {
        if self.peek()? == wanted {
            self.at += 1;
            Some(())
        } else {
            None
        }
    }

    /// Takes a string.
    pub(crate) fn string(&mut self) -> Option<JsonText<'a>> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            let found = memchr2(b'"', b'\\', self.bytes().get(self.at..)?)?;
            self.at += found + 1;
            if self.bytes().get(self.at - 1) == Some(&b'"') {
                return self.text.get(start..self.at - 1).map(JsonText);
            }
            self.at += 1;
        }
    }

    /// Takes any value and gives its text.
    pub(crate) fn value(&mut self) -> Option<&'a str> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => {
                self.string()?;
            }
            b'{' | b'[' => self.skip_nested()?,
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
                let rest = self.bytes().get(start..)?;
                self.at += rest.iter().position(ends).unwrap_or(rest.len());
            }
        }
        self.text.get(start..self.at).filter(|value| !value.is_empty())
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.bytes().get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Takes the next member's name and colon; `Some(None)` at the end of the object. `first` is whether none came yet.
    pub(crate) fn member(&mut self, first: bool) -> Option<Option<Cow<'a, str>>> {
        if self.take(b'}').is_some() {
            return Some(None);
        }
        if !first {
            self.take(b',')?;
        }
        let name = self.string()?.decode()?;
        self.take(b':')?;
        Some(Some(name))
    }
}
