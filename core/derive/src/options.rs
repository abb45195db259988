//! What stands in `#[json(…)]`.

use syn::{Attribute, LitStr, Result, ext::IdentExt, meta::ParseNestedMeta};

/// Of a field or a variant.
#[derive(Default)]
pub(crate) struct Options {
    /// What it is called in JSON, if not by its own name.
    pub(crate) rename: Option<String>,
    /// What it is called in older JSON.
    pub(crate) alias: Option<String>,
    /// Whether it may be absent, which then is the type's default.
    pub(crate) default: bool,
    /// Whether it is left out where it is `None`.
    pub(crate) skip_none: bool,
}

/// Of an enum: the members that say which variant it is, and hold what that has.
#[derive(Default)]
pub(crate) struct Tags {
    pub(crate) tag: Option<String>,
    pub(crate) content: Option<String>,
}

impl Options {
    pub(crate) fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut options = Self::default();
        each(attributes, |meta| {
            match name(meta).as_str() {
                "rename" => options.rename = Some(text(meta)?),
                "alias" => options.alias = Some(text(meta)?),
                "default" => options.default = true,
                "skip_none" => options.skip_none = true,
                _ => return Err(meta.error("there are: rename, alias, default, skip_none")),
            }
            Ok(())
        })?;
        Ok(options)
    }
}

impl Tags {
    pub(crate) fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut tags = Self::default();
        each(attributes, |meta| {
            match name(meta).as_str() {
                "tag" => tags.tag = Some(text(meta)?),
                "content" => tags.content = Some(text(meta)?),
                _ => return Err(meta.error("there are: tag, content")),
            }
            Ok(())
        })?;
        Ok(tags)
    }
}

fn each(attributes: &[Attribute], mut take: impl FnMut(&ParseNestedMeta<'_>) -> Result<()>) -> Result<()> {
    let ours = attributes.iter().filter(|attribute| attribute.path().is_ident("json"));
    ours.into_iter().try_for_each(|attribute| attribute.parse_nested_meta(|meta| take(&meta)))
}

fn name(meta: &ParseNestedMeta<'_>) -> String {
    meta.path.get_ident().map(|name| name.unraw().to_string()).unwrap_or_default()
}

fn text(meta: &ParseNestedMeta<'_>) -> Result<String> {
    Ok(meta.value()?.parse::<LitStr>()?.value())
}
