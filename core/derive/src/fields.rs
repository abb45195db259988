//! Named fields as members of an object.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{FieldsNamed, Result, ext::IdentExt};

use crate::options::Options;

/// The same fields in the places where they stand.
#[derive(Default)]
pub(crate) struct Members {
    /// In a struct that is to be read.
    pub(crate) placeholder: TokenStream,
    /// In the pattern that binds them, for what follows.
    pub(crate) names: TokenStream,
    /// As they are read from `members`.
    pub(crate) read: TokenStream,
    /// As they are written to `to`.
    pub(crate) write: TokenStream,
    /// As samples of them are written to `to`.
    pub(crate) sample: TokenStream,
}

impl Members {
    pub(crate) fn of(fields: &FieldsNamed) -> Result<Self> {
        let mut members = Self::default();
        for field in &fields.named {
            let Some(ident) = &field.ident else { continue };
            let options = Options::of(&field.attrs)?;
            let name = options.rename.unwrap_or_else(|| ident.unraw().to_string());
            // A field may be called as what it is written to.
            let bound = format_ident!("field_{}", ident.unraw());
            let ty = &field.ty;
            let json = quote!(<#ty as ::highwater_core::json::FromJson>);
            members.names.extend(quote!(#ident: #bound,));
            let read = if options.default { quote!(read_or_default) } else { quote!(read) };
            members.placeholder.extend(quote!(#ident: #json::placeholder(),));
            let asked = match &options.alias {
                Some(alias) => quote!(members.either(#name, #alias)),
                None => quote!(#name),
            };
            members.read.extend(quote!(members.#read(#asked, #bound);));
            members.write.extend(match options.skip_none {
                true => quote! {
                    if let ::core::option::Option::Some(value) = #bound {
                        to.member(#name, value);
                    }
                },
                false => quote!(to.member(#name, #bound);),
            });
            members.sample.extend(quote!(to.name(#name); #json::sample(to);));
        }
        Ok(members)
    }
}
