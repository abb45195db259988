//! Whether a text is a URI reference by the grammar of [RFC 3986](https://www.rfc-editor.org/rfc/rfc3986#appendix-A). No library says so in
//! less than four kilobytes of WebAssembly.

/// What may stand in some part beside letters, digits, `-`, `.`, `_`, `~` and what is percent-encoded.
type Others = &'static [u8];

const SUB_DELIMS: Others = b"!$&'()*+,;=";
const USER_INFO: Others = b"!$&'()*+,;=:";
const PATH: Others = b"!$&'()*+,;=:@/";
const QUERY: Others = b"!$&'()*+,;=:@/?";

pub(super) fn is_reference(text: &str) -> bool {
    let (text, fragment) = cut(text.as_bytes(), b'#');
    let (text, query) = cut(text, b'?');
    let after_scheme = match first_of(text, b":/") {
        Some(at) if text[at] == b':' => is_scheme(&text[..at]).then_some(&text[at + 1..]),
        _ => Some(text), // The first segment of a relative path has no colon.
    };
    after_scheme.is_some_and(is_hierarchy) && has_only(query, QUERY) && has_only(fragment, QUERY)
}

/// An authority and a path, or a path alone.
fn is_hierarchy(text: &[u8]) -> bool {
    let Some(text) = text.strip_prefix(b"//") else { return has_only(text, PATH) };
    let (authority, path) = text.split_at(first_of(text, b"/").unwrap_or(text.len()));
    is_authority(authority) && has_only(path, PATH)
}

fn is_authority(text: &[u8]) -> bool {
    let (user_info, host) = match first_of(text, b"@") {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (&[][..], text),
    };
    let (is_host, port) = match host.strip_prefix(b"[") {
        Some(literal) => {
            let (literal, after) = cut(literal, b']');
            let is_closed = literal.len() + 1 < host.len();
            (is_closed && is_ip_literal(literal), after.strip_prefix(b":").or(after.is_empty().then_some(after)))
        }
        None => {
            let (name, port) = cut(host, b':');
            (has_only(name, SUB_DELIMS), Some(port))
        }
    };
    has_only(user_info, USER_INFO) && is_host && port.is_some_and(|port| port.iter().all(u8::is_ascii_digit))
}

fn is_scheme(text: &[u8]) -> bool {
    let is_in_it = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    text.first().is_some_and(u8::is_ascii_alphabetic) && text.iter().all(is_in_it)
}

/// An IPv6 address, or one of a version that is still to come: `v`, its number in hexadecimal, `.`, and whatever it says.
fn is_ip_literal(text: &[u8]) -> bool {
    let Some(future) = text.strip_prefix(b"v").or(text.strip_prefix(b"V")) else { return is_ipv6(text) };
    let (version, address) = cut(future, b'.');
    let is_version = !version.is_empty() && version.iter().all(u8::is_ascii_hexdigit);
    is_version && !address.is_empty() && !address.contains(&b'%') && has_only(address, USER_INFO)
}

/// Eight groups, or fewer and one `::` in place of the others.
fn is_ipv6(text: &[u8]) -> bool {
    match text.windows(2).position(|two| two == b"::") {
        None => groups(text, true) == Some(8),
        Some(at) => {
            let (before, after) = (groups(&text[..at], false), groups(&text[at + 2..], true));
            before.zip(after).is_some_and(|(before, after)| before + after < 8)
        }
    }
}

/// How many groups of up to four hexadecimal digits there are; an IPv4 address at the end is two.
fn groups(text: &[u8], may_end_in_ipv4: bool) -> Option<usize> {
    let is_group = |group: &[u8]| (1..=4).contains(&group.len()) && group.iter().all(u8::is_ascii_hexdigit);
    let mut count = 0;
    let mut groups = text.split(|byte| *byte == b':').peekable();
    while let Some(group) = groups.next().filter(|_| !text.is_empty()) {
        count += match group {
            _ if is_group(group) => 1,
            _ if may_end_in_ipv4 && groups.peek().is_none() && is_ipv4(group) => 2,
            _ => return None,
        };
    }
    Some(count)
}

fn is_ipv4(text: &[u8]) -> bool {
    let octets = text.split(|byte| *byte == b'.');
    let is_octet = |octet: &[u8]| match octet {
        [b'0'] => true,
        [b'1'..=b'9', ..] if octet.len() <= 3 => {
            octet.iter().all(u8::is_ascii_digit) && (octet.len() < 3 || octet <= b"255")
        }
        _ => false,
    };
    octets.clone().count() == 4 && octets.into_iter().all(is_octet)
}

/// What is before the first such byte, and what is after it.
fn cut(text: &[u8], at: u8) -> (&[u8], &[u8]) {
    match first_of(text, &[at]) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[]),
    }
}

fn first_of(text: &[u8], bytes: &[u8]) -> Option<usize> {
    text.iter().position(|byte| bytes.contains(byte))
}

fn has_only(mut text: &[u8], others: Others) -> bool {
    while let Some((byte, rest)) = text.split_first() {
        text = match (byte, rest) {
            (b'%', [high, low, rest @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            (b'-' | b'.' | b'_' | b'~', _) => rest,
            _ if byte.is_ascii_alphanumeric() || others.contains(byte) => rest,
            _ => return false,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agrees(text: &str) -> Result<(), TestCaseError> {
        prop_assert_eq!(is_reference(text), fluent_uri::UriRef::parse(text).is_ok(), "{}", text);
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn any_text_is_one_where_a_library_says_so(text in "[a-c1-3/:?#@%.\\[\\]!\"v-]{0,16}") {
            agrees(&text)?;
        }

        #[test]
        fn addresses_are_as_a_library_says(
            user in "(a@|a:b@|@|)", host in "[0-9a-fv:.]{0,24}", port in "(:[0-9]{0,3}|:x|x|)", path in "(/.{0,4}|a|)",
        ) {
            agrees(&format!("//{user}[{host}]{port}{path}"))?;
            agrees(&format!("a://{user}{host}{port}{path}"))?;
        }

        #[test]
        fn six_or_eight_groups_are_as_a_library_says(
            before in prop::collection::vec("[0-9a-f]{1,4}", 0..9), after in prop::collection::vec("[0-9a-f]{1,5}", 0..9),
            ipv4 in "((25[0-9]|[0-9]{1,3})\\.){3}[0-9]{1,3}", between in "(:|::|)",
        ) {
            let (before, after) = (before.join(":"), after.join(":"));
            for host in [format!("{before}{between}{after}"), format!("{before}{between}{ipv4}"), format!("{before}{between}{after}:{ipv4}")] {
                agrees(&format!("//[{host}]"))?;
            }
        }
    }
}
