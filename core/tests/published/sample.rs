//! [`sample`]: an event with a value in every field, made of nothing but what serde asks for.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

use highwater_core::decider::DomainEvent;
use serde::{
    Deserializer,
    de::{
        DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
        value::{Error, StrDeserializer},
    },
};

/// What a text may have to be. They are tried in this order.
const TEXTS: [&str; 5] = ["text", "space:1:things:text", "2026-01-01T00:00:00Z", "actor=1", "1"];
const TRIES_MAX: usize = 1_000;

/// An event of this type with a value in every field.
///
/// Its enums are of their first variant, its lists and maps have one entry. What is read from "any value" gets a text.
pub(crate) fn sample<E: DomainEvent>(kind: &str) -> Result<E, String> {
    let tries = Tries::default();
    for _ in 0..TRIES_MAX {
        tries.texts_given.set(0);
        let error = match E::deserialize(kind, Sampler(&tries)) {
            None => return Err("no such type".to_owned()),
            Some(Ok(event)) => return Ok(event),
            Some(Err(error)) => error.to_string(),
        };
        if !tries.learn(&error) {
            return Err(error);
        }
    }
    Err("it was tried too often".to_owned())
}

/// What has been found out by what was refused.
#[derive(Default)]
struct Tries {
    /// Fields that are another's alias.
    aliases: RefCell<BTreeSet<&'static str>>,
    /// Which of the texts each text has to be, by its place among all.
    texts: RefCell<BTreeMap<usize, usize>>,
    texts_given: Cell<usize>,
    last_field: Cell<Option<&'static str>>,
}

impl Tries {
    /// Whether there is something else to try.
    fn learn(&self, error: &str) -> bool {
        if error.starts_with("duplicate field") {
            return self.last_field.get().is_some_and(|field| self.aliases.borrow_mut().insert(field));
        }
        let Some(last) = self.texts_given.get().checked_sub(1) else { return false };
        let mut texts = self.texts.borrow_mut();
        let text = texts.entry(last).or_default();
        *text += 1;
        *text < TEXTS.len()
    }

    fn text(&self) -> &'static str {
        let at = self.texts_given.get();
        self.texts_given.set(at + 1);
        TEXTS[self.texts.borrow().get(&at).copied().unwrap_or_default()]
    }
}

/// Gives whatever is asked for.
#[derive(Clone, Copy)]
struct Sampler<'a>(&'a Tries);

macro_rules! give {
    ($($method:ident: $visit:ident($($value:expr)?);)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit($($value)?)
        }
    )*};
}

macro_rules! give_text {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.visit_str(self.0.text())
        }
    )*};
}

impl<'de> Deserializer<'de> for Sampler<'_> {
    type Error = Error;

    give! {
        deserialize_bool: visit_bool(true);
        deserialize_i8: visit_i8(1);
        deserialize_i16: visit_i16(1);
        deserialize_i32: visit_i32(1);
        deserialize_i64: visit_i64(1);
        deserialize_u8: visit_u8(1);
        deserialize_u16: visit_u16(1);
        deserialize_u32: visit_u32(1);
        deserialize_u64: visit_u64(1);
        deserialize_f32: visit_f32(0.5);
        deserialize_f64: visit_f64(0.5);
        deserialize_char: visit_char('x');
        deserialize_bytes: visit_bytes(b"x");
        deserialize_byte_buf: visit_bytes(b"x");
        deserialize_unit: visit_unit();
        deserialize_ignored_any: visit_unit();
    }

    give_text! { deserialize_any deserialize_str deserialize_string deserialize_identifier }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Several(self, 1))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Several(self, len))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(Several(self, len))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Several(self, 1))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(Fields { sampler: self, fields: fields.iter() })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(First(self, variants.first().copied().unwrap_or_default()))
    }
}

/// So many entries.
struct Several<'a>(Sampler<'a>, usize);

impl Several<'_> {
    /// Whether there is one more.
    fn take(&mut self) -> bool {
        let is_left = self.1 > 0;
        self.1 -= usize::from(is_left);
        is_left
    }
}

impl<'de> SeqAccess<'de> for Several<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.take().then(|| seed.deserialize(self.0)).transpose()
    }
}

impl<'de> MapAccess<'de> for Several<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.take().then(|| seed.deserialize(self.0)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(self.0)
    }
}

/// All fields of a struct.
struct Fields<'a> {
    sampler: Sampler<'a>,
    fields: std::slice::Iter<'static, &'static str>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let tries = self.sampler.0;
        let Some(field) = self.fields.find(|field| !tries.aliases.borrow().contains(*field)) else { return Ok(None) };
        tries.last_field.set(Some(field));
        let name: StrDeserializer<'_, Error> = field.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(self.sampler)
    }
}

/// The first variant of an enum.
struct First<'a>(Sampler<'a>, &'static str);

impl<'de, 'a> EnumAccess<'de> for First<'a> {
    type Error = Error;
    type Variant = Sampler<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Sampler<'a>), Error> {
        let name: StrDeserializer<'_, Error> = self.1.into_deserializer();
        Ok((seed.deserialize(name)?, self.0))
    }
}

impl<'de> VariantAccess<'de> for Sampler<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.deserialize_struct("", fields, visitor)
    }
}
