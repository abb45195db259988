//! [`Node`]: any JSON, and how types ask it for what they hold.

use std::borrow::Cow;

use super::{Error, FromJson, parse};

/// Any JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum Node<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it stands.
    Number(&'a str),
    /// A text, as it stands where it has no escapes.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Node<'a>>),
    /// An object. A name may stand there twice, and is refused by whoever asks for it.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// The members of an object, and what was wrong with the first that was.
#[derive(Debug)]
pub struct Members<'n, 'a> {
    members: &'n [(Cow<'a, str>, Node<'a>)],
    error: Option<Error>,
}

impl<'a> Node<'a> {
    /// Reads any JSON.
    ///
    /// # Errors
    /// Where the text is none, or is nested deeper than 128 levels.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        parse::parse(text)
    }

    /// Its text.
    ///
    /// # Errors
    /// Where it is none.
    pub fn text(&self) -> Result<&str, Error> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(Error::must_be("a string")),
        }
    }

    /// What is in the list.
    ///
    /// # Errors
    /// Where it is none.
    pub fn list(&self) -> Result<&[Self], Error> {
        match self {
            Self::List(list) => Ok(list),
            _ => Err(Error::must_be("a list")),
        }
    }

    /// The members of the object.
    ///
    /// # Errors
    /// Where it is none.
    pub fn members(&self) -> Result<Members<'_, 'a>, Error> {
        match self {
            Self::Object(members) => Ok(Members { members, error: None }),
            _ => Err(Error::must_be("an object")),
        }
    }

    /// Which of these names it is, alone or as the name of an object's only member, and what that member holds.
    ///
    /// # Errors
    /// Where it is neither.
    pub fn variant(&self, names: &[&str]) -> Result<(usize, &Self), Error> {
        let (name, content) = match self {
            Self::Text(name) => (name, &Self::Null),
            Self::Object(members) if members.len() == 1 => (&members[0].0, &members[0].1),
            _ => return Err(Error::one_of(names)),
        };
        Ok((one_of(name, names)?, content))
    }

    /// Which of these names stands in the member `tag`; and all members.
    ///
    /// # Errors
    /// Where none does.
    pub fn tagged(&self, tag: &str, names: &[&str]) -> Result<(usize, Members<'_, 'a>), Error> {
        let members = self.members()?;
        let name = members.get(tag)?.ok_or_else(|| Error::missing().inside(tag))?;
        let at = name.text().and_then(|name| one_of(name, names)).map_err(|error| error.inside(tag))?;
        Ok((at, members))
    }

    /// Which of these names stands in the member `tag`; and what stands in `content`, an empty object where that is nothing.
    ///
    /// # Errors
    /// Where none does.
    pub fn tagged_beside(&self, tag: &str, content: &str, names: &[&str]) -> Result<(usize, &Self), Error> {
        const EMPTY: &Node<'_> = &Node::Object(Vec::new());
        let (at, members) = self.tagged(tag, names)?;
        match members.get(content)? {
            None | Some(Self::Null) => Ok((at, EMPTY)),
            Some(content) => Ok((at, content)),
        }
    }
}

fn one_of(name: &str, names: &[&str]) -> Result<usize, Error> {
    names.iter().position(|known| *known == name).ok_or_else(|| Error::one_of(names))
}

impl<'n, 'a> Members<'n, 'a> {
    /// The member of that name.
    ///
    /// # Errors
    /// Where there are two.
    pub fn get(&self, name: &str) -> Result<Option<&'n Node<'a>>, Error> {
        let mut found = self.members.iter().filter(|(member, _)| member == name).map(|(_, node)| node);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(Error::twice().inside(name)),
            (found, None) => Ok(found),
        }
    }

    /// All of them, in the order in which they stand.
    pub fn iter(&self) -> impl Iterator<Item = (&'n str, &'n Node<'a>)> {
        self.members.iter().map(|(name, node)| (&**name, node))
    }

    /// Reads the member of that name into a value. What is wrong is said by [`Self::finish`].
    pub fn read(&mut self, name: &str, value: &mut dyn FromJson) {
        let may_be_absent = value.may_be_absent();
        self.read_as(name, value, may_be_absent);
    }

    /// As [`Self::read`]; where there is no such member, the value is its type's default.
    pub fn read_or_default<T: FromJson + Default>(&mut self, name: &str, value: &mut T) {
        if matches!(self.get(name), Ok(None)) {
            *value = T::default();
        } else {
            self.read_as(name, value, true);
        }
    }

    fn read_as(&mut self, name: &str, value: &mut dyn FromJson, may_be_absent: bool) {
        if self.error.is_some() {
            return;
        }
        let read = match self.get(name) {
            Ok(Some(node)) => value.read(node).map_err(|error| error.inside(name)),
            Ok(None) if may_be_absent => value.read(&Node::Null),
            Ok(None) => Err(Error::missing().inside(name)),
            Err(error) => Err(error),
        };
        self.error = read.err();
    }

    /// Which of two names a member has: of both, the first, which is read; the other is then passed over.
    pub fn either<'t>(&self, name: &'t str, other: &'t str) -> &'t str {
        let has = |name| self.members.iter().any(|(member, _)| member == name);
        if !has(name) && has(other) { other } else { name }
    }

    /// Whether all that was read was good.
    ///
    /// # Errors
    /// What was wrong first.
    pub fn finish(self) -> Result<(), Error> {
        self.error.map_or(Ok(()), Err)
    }
}
