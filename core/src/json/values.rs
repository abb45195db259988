//! What the standard library's types are as JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Error, FromJson, Node, ToJson, Writer, from_node};
use crate::number::whole_number;

/// Nothing to say: `null`.
impl FromJson for () {
    fn placeholder() -> Self {}

    fn read(&mut self, node: &Node<'_>) -> Result<(), Error> {
        if matches!(node, Node::Null) { Ok(()) } else { Err(Error::must_be("null")) }
    }

    fn sample(to: &mut Writer) {
        to.raw("null");
    }
}

impl ToJson for () {
    fn write(&self, to: &mut Writer) {
        to.raw("null");
    }
}

impl FromJson for bool {
    fn placeholder() -> Self {
        false
    }

    fn read(&mut self, node: &Node<'_>) -> Result<(), Error> {
        match node {
            Node::Bool(value) => *self = *value,
            _ => return Err(Error::must_be("true or false")),
        }
        Ok(())
    }

    fn sample(to: &mut Writer) {
        to.raw("true");
    }
}

impl ToJson for bool {
    fn write(&self, to: &mut Writer) {
        to.raw(if *self { "true" } else { "false" });
    }
}

macro_rules! numbers {
    ($($name:ty as $wide:ty, read by $read:expr; $what:expr;)*) => {
        $(impl FromJson for $name {
            fn placeholder() -> Self {
                0
            }

            fn read(&mut self, node: &Node<'_>) -> Result<(), Error> {
                let number = if let Node::Number(number) = node { $read(number.as_bytes()) } else { None };
                *self = number.and_then(|number| number.try_into().ok()).ok_or_else(|| Error::must_be($what))?;
                Ok(())
            }

            fn sample(to: &mut Writer) {
                to.raw("1");
            }
        }

        impl ToJson for $name {
            fn write(&self, to: &mut Writer) {
                to.raw(&(*self as $wide).to_string());
            }
        })*
    };
}

numbers! {
    u8 as u64, read by whole_number; "a whole number from 0 to 255";
    u16 as u64, read by whole_number; "a whole number from 0 to 65535";
    u32 as u64, read by whole_number; "a whole number from 0 to 4294967295";
    u64 as u64, read by whole_number; "a whole number from 0 to 18446744073709551615";
    usize as u64, read by whole_number; "a whole number from 0 on";
    i32 as i64, read by signed; "a whole number from -2147483648 to 2147483647";
    i64 as i64, read by signed; "a whole number from -9223372036854775808 to 9223372036854775807";
}

fn signed(text: &[u8]) -> Option<i64> {
    match text.strip_prefix(b"-") {
        Some(below) => 0_i64.checked_sub_unsigned(whole_number(below)?),
        None => whole_number(text)?.try_into().ok(),
    }
}

/// What is no number in JSON is `null`.
impl FromJson for f64 {
    fn placeholder() -> Self {
        0.0
    }

    fn read(&mut self, node: &Node<'_>) -> Result<(), Error> {
        let number = if let Node::Number(number) = node { number.parse().ok() } else { None };
        *self = number.filter(|number: &Self| number.is_finite()).ok_or_else(|| Error::must_be("a number"))?;
        Ok(())
    }

    fn sample(to: &mut Writer) {
        to.raw("0.5");
    }
}

impl ToJson for f64 {
    fn write(&self, to: &mut Writer) {
        if self.is_finite() { to.raw(&format!("{self:?}")) } else { to.raw("null") }
    }
}

impl FromJson for String {
    fn placeholder() -> Self {
        Self::new()
    }

    fn read(&mut self, node: &Node<'_>) -> Result<(), Error> {
        node.text()?.clone_into(self);
        Ok(())
    }

    fn sample(to: &mut Writer) {
        to.text("text");
    }
}

impl ToJson for String {
    fn write(&self, to: &mut Writer) {
        to.text(self);
    }
}

impl FromJson for Box<str> {
    fn placeholder() -> Self {
        Self::default()
    }

    fn read(&mut self, node: &Node<'_>) -> Result<(), Error> {
        *self = node.text()?.into();
        Ok(())
    }

    fn sample(to: &mut Writer) {
        to.text("text");
    }
}

impl ToJson for Box<str> {
    fn write(&self, to: &mut Writer) {
        to.text(self);
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn placeholder() -> Self {
        None
    }

    fn read(&mut self, node: &Node<'_>) -> Result<(), Error> {
        if matches!(node, Node::Null) {
            *self = None;
            return Ok(());
        }
        self.insert(T::placeholder()).read(node)
    }

    fn sample(to: &mut Writer) {
        if to.is_deep() { to.raw("null") } else { T::sample(to) }
    }

    fn may_be_absent(&self) -> bool {
        true
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn write(&self, to: &mut Writer) {
        match self {
            Some(value) => value.write(to),
            None => to.raw("null"),
        }
    }
}

impl<T: FromJson> FromJson for Box<T> {
    fn placeholder() -> Self {
        Self::new(T::placeholder())
    }

    fn read(&mut self, node: &Node<'_>) -> Result<(), Error> {
        T::read(self, node)
    }

    fn sample(to: &mut Writer) {
        T::sample(to);
    }
}

impl<T: ToJson> ToJson for Box<T> {
    fn write(&self, to: &mut Writer) {
        T::write(self, to);
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn placeholder() -> Self {
        Self::new()
    }

    fn read(&mut self, node: &Node<'_>) -> Result<(), Error> {
        read_list(self, node)
    }

    fn sample(to: &mut Writer) {
        to.begin_list();
        if !to.is_deep() {
            T::sample(to);
        }
        to.end_list();
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn write(&self, to: &mut Writer) {
        to.begin_list();
        self.iter().for_each(|item| to.item(item));
        to.end_list();
    }
}

/// A list that is being read: what is different for each type.
trait List {
    /// Is empty, with room for so many.
    fn begin(&mut self, count: usize);
    /// One more.
    fn add(&mut self) -> &mut dyn FromJson;
}

impl<T: FromJson> List for Vec<T> {
    fn begin(&mut self, count: usize) {
        self.clear();
        self.reserve(count);
    }

    fn add(&mut self) -> &mut dyn FromJson {
        let at = self.len();
        self.push(T::placeholder());
        &mut self[at]
    }
}

fn read_list(list: &mut dyn List, node: &Node<'_>) -> Result<(), Error> {
    let nodes = node.list()?;
    list.begin(nodes.len());
    nodes.iter().enumerate().try_for_each(|(place, node)| list.add().read(node).map_err(|error| error.at(place)))
}

/// A list of two.
impl<A: FromJson, B: FromJson> FromJson for (A, B) {
    fn placeholder() -> Self {
        (A::placeholder(), B::placeholder())
    }

    fn read(&mut self, node: &Node<'_>) -> Result<(), Error> {
        let [one, other] = node.list()? else { return Err(Error::must_be("a list of two")) };
        self.0.read(one).map_err(|error| error.at(0))?;
        self.1.read(other).map_err(|error| error.at(1))
    }

    fn sample(to: &mut Writer) {
        to.begin_list();
        A::sample(to);
        to.raw(",");
        B::sample(to);
        to.end_list();
    }
}

impl<A: ToJson, B: ToJson> ToJson for (A, B) {
    fn write(&self, to: &mut Writer) {
        to.begin_list();
        to.item(&self.0);
        to.item(&self.1);
        to.end_list();
    }
}

impl<T: FromJson> FromJson for BTreeMap<String, T> {
    fn placeholder() -> Self {
        Self::new()
    }

    fn read(&mut self, node: &Node<'_>) -> Result<(), Error> {
        self.clear();
        for (name, node) in node.members()?.iter() {
            let value = from_node(node).map_err(|error| error.inside(name))?;
            if self.insert(name.to_owned(), value).is_some() {
                return Err(Error::twice().inside(name));
            }
        }
        Ok(())
    }

    fn sample(to: &mut Writer) {
        to.begin_object();
        if !to.is_deep() {
            to.name("text");
            T::sample(to);
        }
        to.end_object();
    }
}

impl<T: ToJson> ToJson for BTreeMap<String, T> {
    fn write(&self, to: &mut Writer) {
        to.begin_object();
        self.iter().for_each(|(name, value)| to.member(name, value));
        to.end_object();
    }
}

/// Any JSON, for whoever has to look at it.
impl FromJson for Value {
    fn placeholder() -> Self {
        Self::Null
    }

    fn read(&mut self, node: &Node<'_>) -> Result<(), Error> {
        *self = match node {
            Node::Null => Self::Null,
            Node::Bool(value) => Self::Bool(*value),
            Node::Number(number) => Self::Number(number.parse().map_err(|error| Error::new(&error))?),
            Node::Text(text) => Self::String(text.to_string()),
            Node::List(list) => Self::Array(list.iter().map(from_node).collect::<Result<_, _>>()?),
            Node::Object(_) => Self::Object(from_node(node)?),
        };
        Ok(())
    }

    fn sample(to: &mut Writer) {
        to.text("text");
    }
}

impl ToJson for Value {
    fn write(&self, to: &mut Writer) {
        match self {
            Self::Null => to.raw("null"),
            Self::Bool(value) => value.write(to),
            Self::Number(number) => to.raw(&number.to_string()),
            Self::String(text) => to.text(text),
            Self::Array(list) => list.write(to),
            Self::Object(members) => members.write(to),
        }
    }
}

impl FromJson for Map<String, Value> {
    fn placeholder() -> Self {
        Self::new()
    }

    fn read(&mut self, node: &Node<'_>) -> Result<(), Error> {
        self.clear();
        for (name, node) in node.members()?.iter() {
            self.insert(name.to_owned(), from_node(node)?);
        }
        Ok(())
    }

    fn sample(to: &mut Writer) {
        to.begin_object();
        to.member("text", &Value::Null);
        to.end_object();
    }
}

impl ToJson for Map<String, Value> {
    fn write(&self, to: &mut Writer) {
        to.begin_object();
        self.iter().for_each(|(name, value)| to.member(name, value));
        to.end_object();
    }
}
