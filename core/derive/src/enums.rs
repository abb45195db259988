//! Enums: a name alone where no variant holds anything; else an object with the variant's name in a member, or as the name of its only one.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DataEnum, DeriveInput, Error, Fields, Result, Variant, ext::IdentExt, spanned::Spanned};

use crate::{
    fields::Members,
    options::{Options, Tags},
};

/// Where a variant's name stands, and what it holds.
enum Form {
    /// `"name"`, or `{"name":…}` where it holds something.
    Outside,
    /// `{"tag":"name",…}`.
    Inside(String),
    /// `{"tag":"name","content":…}`.
    Beside(String, String),
}

impl Form {
    /// What a variant of that name writes, with the name.
    fn wrapped(&self, name: &str, fields: &Fields, written: &TokenStream) -> TokenStream {
        match self {
            Self::Outside if matches!(fields, Fields::Unit) => quote!(to.text(#name);),
            Self::Outside => quote!(to.begin_object(); to.name(#name); #written to.end_object();),
            Self::Inside(tag) => quote!(to.begin_object(); to.name(#tag); to.text(#name); #written to.end_object();),
            Self::Beside(tag, content) => {
                quote!(to.begin_object(); to.name(#tag); to.text(#name); to.name(#content); #written to.end_object();)
            }
        }
    }
}

pub(crate) fn derive(input: &DeriveInput, data: &DataEnum) -> Result<TokenStream> {
    let form = match Tags::of(&input.attrs)? {
        Tags { tag: None, content: None } => Form::Outside,
        Tags { tag: Some(tag), content: None } => Form::Inside(tag),
        Tags { tag: Some(tag), content: Some(content) } => Form::Beside(tag, content),
        Tags { tag: None, content: Some(_) } => return Err(Error::new(input.span(), "`content` needs a `tag`")),
    };
    let names = data.variants.iter().map(variant_name).collect::<Result<Vec<_>>>()?;
    let held = data.variants.iter().map(|variant| Held::by(variant, &form)).collect::<Result<Vec<_>>>()?;
    let (mut placeholders, mut reads, mut writes) = (TokenStream::new(), TokenStream::new(), TokenStream::new());
    for (at, ((variant, name), held)) in data.variants.iter().zip(&names).zip(&held).enumerate() {
        let Held { placeholder, bound, read, write, .. } = held;
        let ident = &variant.ident;
        placeholders.extend(quote!(#at => Self::#ident #placeholder,));
        reads.extend(quote!(Self::#ident #bound => { #read }));
        let write = form.wrapped(name, &variant.fields, write);
        writes.extend(quote!(Self::#ident #bound => { #write }));
    }
    let (Some(first), Some(first_name), Some(first_held)) = (data.variants.first(), names.first(), held.first()) else {
        return Err(Error::new(input.span(), "what is JSON has a variant at least"));
    };
    let (first_ident, placeholder) = (&first.ident, &first_held.placeholder);
    let sample = form.wrapped(first_name, &first.fields, &first_held.sample);
    let find = match &form {
        Form::Outside => quote!(node.variant(&NAMES)?),
        Form::Inside(tag) => quote!(node.tagged(#tag, &NAMES)?),
        Form::Beside(tag, content) => quote!(node.tagged_beside(#tag, #content, &NAMES)?),
    };
    let (name, count) = (&input.ident, names.len());
    Ok(quote! {
        impl ::highwater_core::json::FromJson for #name {
            fn placeholder() -> Self {
                Self::#first_ident #placeholder
            }

            fn read(
                &mut self,
                node: &::highwater_core::json::Node<'_>,
            ) -> ::core::result::Result<(), ::highwater_core::json::Error> {
                static NAMES: [&str; #count] = [#(#names),*];
                #[allow(unused_mut, unused_variables)]
                let (at, mut content) = #find;
                *self = match at {
                    #placeholders
                    _ => return ::core::result::Result::Err(::highwater_core::json::Error::one_of(&NAMES)),
                };
                match self {
                    #reads
                }
            }

            fn sample(to: &mut ::highwater_core::json::Writer) {
                #sample
            }
        }

        impl ::highwater_core::json::ToJson for #name {
            fn write(&self, to: &mut ::highwater_core::json::Writer) {
                match self {
                    #writes
                }
            }
        }
    })
}

/// What a variant holds, in the places where that stands.
#[derive(Default)]
struct Held {
    /// In a variant that is to be read.
    placeholder: TokenStream,
    /// In the pattern that binds it, for what follows.
    bound: TokenStream,
    /// As it is read from `content`.
    read: TokenStream,
    /// As it is written to `to`.
    write: TokenStream,
    /// As a sample of it is written to `to`.
    sample: TokenStream,
}

impl Held {
    fn by(variant: &Variant, form: &Form) -> Result<Self> {
        let is_inside = matches!(form, Form::Inside(_));
        let object = |members: TokenStream| match is_inside {
            true => members,
            false => quote!(to.begin_object(); #members to.end_object();),
        };
        match &variant.fields {
            Fields::Unit => {
                let nothing = if matches!(form, Form::Beside(..)) { object(quote!()) } else { quote!() };
                let read = quote!(::core::result::Result::Ok(()));
                Ok(Self { read, write: nothing.clone(), sample: nothing, ..Self::default() })
            }
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                let ty = &fields.unnamed[0].ty;
                let from = quote!(<#ty as ::highwater_core::json::FromJson>);
                let from_members = quote!(<#ty as ::highwater_core::json::FromMembers>);
                let (read, write, sample) = match is_inside {
                    true => (
                        quote!(#from_members::read_members(value, &mut content); content.finish()),
                        quote!(::highwater_core::json::ToMembers::write_members(value, to);),
                        quote!(#from_members::sample_members(to);),
                    ),
                    false => (
                        quote!(#from::read(value, content)),
                        quote!(::highwater_core::json::ToJson::write(value, to);),
                        quote!(#from::sample(to);),
                    ),
                };
                let placeholder = quote!((#from::placeholder()));
                Ok(Self { placeholder, bound: quote!((value)), read, write, sample })
            }
            Fields::Unnamed(_) => Err(Error::new(variant.span(), "a variant holds one value, or has named fields")),
            Fields::Named(fields) => {
                let Members { placeholder, names, read, write, sample } = Members::of(fields)?;
                let open = if is_inside { quote!(content) } else { quote!(content.members()?) };
                let (placeholder, bound) = (quote!({ #placeholder }), quote!({ #names }));
                let read = quote!(#[allow(unused_mut)] let mut members = #open; #read members.finish());
                Ok(Self { placeholder, bound, read, write: object(write), sample: object(sample) })
            }
        }
    }
}

fn variant_name(variant: &Variant) -> Result<String> {
    let options = Options::of(&variant.attrs)?;
    Ok(options.rename.unwrap_or_else(|| snake_case(&variant.ident.unraw().to_string())))
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
