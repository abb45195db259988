//! A forward scanner over JSON: finds where values begin and end, and reads only those asked for.
//!
//! It believes the text to be JSON and is exact where it is. Where it is not, it may not notice; it never reads outside
//! the text, never panics, and takes time in proportion to the text. It looks at bytes alone: whoever shows a text to
//! somebody decodes it there.

use std::slice::Iter;

use crate::find::find_either;

/// A JSON string as it stands in the text, escapes and all, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonText<'a>(&'a [u8]);

impl<'a> JsonText<'a> {
    /// A text as it stands between its quotes.
    #[must_use]
    pub const fn from_bytes(text: &'a [u8]) -> Self {
        Self(text)
    }

    /// A value that is a string.
    pub(super) fn new(value: &'a [u8]) -> Option<Self> {
        value.strip_prefix(b"\"")?.strip_suffix(b"\"").map(Self)
    }

    /// The text as it stands. One writer writes the same text the same way each time, so that this tells whether it is the same.
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The text that it stands for. `None` where an escape is wrong, or it is no UTF-8.
    #[must_use]
    pub fn decode(self) -> Option<String> {
        let mut text = Vec::new();
        let mut rest = self.0.iter();
        while let Some(byte) = rest.next() {
            if *byte == b'\\' {
                text.extend_from_slice(unescape(&mut rest)?.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                text.push(*byte);
            }
        }
        String::from_utf8(text).ok()
    }
}

/// The character that stands behind a backslash.
fn unescape(escape: &mut Iter<'_, u8>) -> Option<char> {
    let byte = *escape.next()?;
    if byte == b'u' {
        return unescape_unicode(escape);
    }
    let at = b"\"\\/bfnrt".iter().position(|known| *known == byte)?;
    b"\"\\/\x08\x0c\n\r\t".get(at).copied().map(char::from)
}

fn unescape_unicode(escape: &mut Iter<'_, u8>) -> Option<char> {
    let high = hex4(escape)?;
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high);
    }
    if *escape.next()? != b'\\' || *escape.next()? != b'u' {
        return None;
    }
    let low = hex4(escape)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    char::from_u32(0x10000 + ((high - 0xd800) << 10) + low)
}

fn hex4(digits: &mut Iter<'_, u8>) -> Option<u32> {
    (0..4).try_fold(0, |number, _| Some(number * 16 + char::from(*digits.next()?).to_digit(16)?))
}

/// The values of an object's members of these names, which no writer escapes, as they stand. What is not there, or lies behind what is no JSON, is
/// empty. It stops where it has them all.
pub(super) fn members<'a, const N: usize>(json: &'a [u8], names: [&str; N]) -> [&'a [u8]; N] {
    let mut values = [&[][..]; N];
    find_members(json, &names, &mut values);
    values
}

fn find_members<'a>(json: &'a [u8], names: &[&str], values: &mut [&'a [u8]]) -> Option<()> {
    let mut scanner = Scanner { json, at: 0 };
    scanner.take(b'{')?;
    let mut missing = names.len();
    while missing > 0 {
        let _ = scanner.take(b','); // Not before the first.
        let name = JsonText::new(scanner.value()?)?;
        scanner.take(b':')?;
        let value = scanner.value()?;
        if let Some(at) = names.iter().position(|wanted| wanted.as_bytes() == name.0) {
            values[at] = value;
            missing -= 1;
        }
    }
    Some(())
}

/// The elements of a value that is an array.
pub(super) fn elements(array: &[u8]) -> Option<Vec<&[u8]>> {
    let mut scanner = Scanner { json: array, at: 0 };
    let mut values = Vec::new();
    scanner.take(b'[')?;
    while scanner.take(b']').is_none() {
        let _ = scanner.take(b','); // Not before the first.
        values.push(scanner.value()?);
    }
    Some(values)
}

/// A place in JSON.
struct Scanner<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// Takes this byte, if it is the next that is not white space.
    fn take(&mut self, wanted: u8) -> Option<()> {
        if self.peek()? != wanted {
            return None;
        }
        self.at += 1;
        Some(())
    }

    /// The next byte that is not white space, which stays.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.json.get(self.at)? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    /// Takes any value, or a member's name, and gives its text.
    fn value(&mut self) -> Option<&'a [u8]> {
        self.peek()?;
        let start = self.at;
        let mut depth = 0_u32;
        loop {
            let byte = *self.json.get(self.at)?;
            if depth == 0 && matches!(byte, b',' | b':' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r') {
                return Some(&self.json[start..self.at]).filter(|value| !value.is_empty());
            }
            self.at += 1;
            match byte {
                b'"' => self.skip_string()?,
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth -= 1,
                _ => {}
            }
        }
    }

    /// Goes on behind a string whose first quote is taken.
    fn skip_string(&mut self) -> Option<()> {
        loop {
            self.at += find_either(b'"', b'\\', self.json.get(self.at..)?)?;
            if self.json[self.at] == b'"' {
                break;
            }
            self.at += 2;
        }
        self.at += 1;
        Some(())
    }
}
