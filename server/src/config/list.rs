//! [`List`]: a setting that holds several texts.

use std::{convert::Infallible, fmt, ops::Deref, str::FromStr};

use serde::Deserialize;

/// Several texts: with commas between them on the command line and in the environment, an array in a file.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct List(Vec<String>);

impl Deref for List {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl<const N: usize> From<[&str; N]> for List {
    fn from(texts: [&str; N]) -> Self {
        Self(texts.map(str::to_owned).into())
    }
}

impl FromStr for List {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()))
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_stand_between_texts() {
        let Ok(list) = "a, b,,c ".parse::<List>();
        assert_eq!(list, List::from(["a", "b", "c"]));
        assert_eq!(format!("{list:?}"), r#""a,b,c""#);
        assert!("".parse::<List>().is_ok_and(|list| list.is_empty()));
    }
}
