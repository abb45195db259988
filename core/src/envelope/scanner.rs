//! A forward scanner over JSON text: finds where values begin and end, and reads only those asked for.
//!
//! It believes the text to be JSON and is exact where it is. Where it is not, it may not notice; it never reads outside
//! the text, never panics, and takes time in proportion to the text.

use std::borrow::Cow;
use std::str::Bytes;

use crate::find::find_either;

/// A JSON string as it stands in the text, escapes and all, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonText<'a>(&'a str);

impl<'a> JsonText<'a> {
    /// The text that it stands for; borrowed where it has no escapes. `None` where an escape is wrong.
    #[must_use]
    pub fn decode(self) -> Option<Cow<'a, str>> {
        if self.0.bytes().all(|byte| byte != b'\\') {
            return Some(Cow::Borrowed(self.0));
        }
        let mut bytes = self.0.bytes();
        let mut decoded = Vec::new();
        while let Some(byte) = bytes.next() {
            if byte == b'\\' {
                decoded.extend_from_slice(unescape(&mut bytes)?.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                decoded.extend_from_slice(&[byte]);
            }
        }
        String::from_utf8(decoded).ok().map(Cow::Owned)
    }
}

/// The character that stands behind a backslash.
fn unescape(escape: &mut Bytes<'_>) -> Option<char> {
    let character = match escape.next()? {
        byte @ (b'"' | b'\\' | b'/') => char::from(byte),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unescape_unicode(escape),
        _ => return None,
    };
    Some(character)
}

fn unescape_unicode(escape: &mut Bytes<'_>) -> Option<char> {
    let high = hex4(escape)?;
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high);
    }
    if escape.next()? != b'\\' || escape.next()? != b'u' {
        return None;
    }
    let low = hex4(escape)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    char::from_u32(0x10000 + ((high - 0xd800) << 10) + low)
}

fn hex4(digits: &mut Bytes<'_>) -> Option<u32> {
    (0..4).try_fold(0, |number, _| Some(number * 16 + char::from(digits.next()?).to_digit(16)?))
}

/// Goes through the members of an object. `take` gets each name, takes the value, and ends it all with `None`.
pub(super) fn for_each_member<'a>(
    json: &'a str,
    take: &mut dyn FnMut(&str, &mut Scanner<'a>) -> Option<()>,
) -> Option<()> {
    let mut scanner = Scanner { text: json, at: 0 };
    scanner.take(b'{')?;
    loop {
        match scanner.peek() {
            b'}' => return Some(()),
            b',' => scanner.at += 1,
            _ => {} // The first, or no JSON.
        }
        let name = scanner.string()?.decode()?;
        scanner.take(b':')?;
        take(&name, &mut scanner)?;
    }
}

/// A place in JSON text.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The next byte that is not white space, which stays; zero, which stands nowhere in JSON, where there is none.
    pub(crate) fn peek(&mut self) -> u8 {
        while let Some(byte) = self.bytes().get(self.at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                _ => return *byte,
            }
        }
        0
    }

    /// Takes this byte, if it is the next that is not white space.
    pub(crate) fn take(&mut self, wanted: u8) -> Option<()> {
        if self.peek() == wanted {
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
            let found = find_either(b'"', b'\\', self.bytes().get(self.at..)?)?;
            self.at += found + 1;
            if self.bytes().get(self.at - 1) == Some(&b'"') {
                return self.text.get(start..self.at - 1).map(JsonText);
            }
            self.at += 1;
        }
    }

    /// Takes any value and gives its text.
    pub(crate) fn value(&mut self) -> Option<&'a str> {
        let first = self.peek();
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
}
