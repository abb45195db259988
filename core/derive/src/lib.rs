//! `#[derive(Json)]`. What it takes and what it makes of it is told where it is used from: `highwater_core::json`.

mod enums;
mod fields;
mod options;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result, parse_macro_input, spanned::Spanned};

use crate::fields::Members;

/// Implements `FromJson` and `ToJson` of `highwater_core::json`, and for a struct with named fields also `FromMembers` and `ToMembers`.
#[proc_macro_derive(Json, attributes(json))]
pub fn json(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn derive(input: &DeriveInput) -> Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(Error::new(input.generics.span(), "what is JSON has no parameters: name the types that it holds"));
    }
    match &input.data {
        Data::Struct(data) => of_struct(input, &data.fields),
        Data::Enum(data) => enums::derive(input, data),
        Data::Union(_) => Err(Error::new(input.span(), "a union is no JSON")),
    }
}

fn of_struct(input: &DeriveInput, fields: &Fields) -> Result<TokenStream> {
    let name = &input.ident;
    match fields {
        Fields::Named(fields) => {
            let Members { placeholder, names, read, write, sample } = Members::of(fields)?;
            Ok(quote! {
                impl ::highwater_core::json::FromMembers for #name {
                    fn read_members(&mut self, members: &mut ::highwater_core::json::Members<'_, '_>) {
                        let Self { #names } = self;
                        #read
                    }

                    fn sample_members(to: &mut ::highwater_core::json::Writer) {
                        #sample
                    }
                }

                impl ::highwater_core::json::ToMembers for #name {
                    fn write_members(&self, to: &mut ::highwater_core::json::Writer) {
                        let Self { #names } = self;
                        #write
                    }
                }

                impl ::highwater_core::json::FromJson for #name {
                    fn placeholder() -> Self {
                        Self { #placeholder }
                    }

                    fn read(
                        &mut self,
                        node: &::highwater_core::json::Node<'_>,
                    ) -> ::core::result::Result<(), ::highwater_core::json::Error> {
                        ::highwater_core::json::read_record(self, node)
                    }

                    fn sample(to: &mut ::highwater_core::json::Writer) {
                        to.begin_object();
                        <Self as ::highwater_core::json::FromMembers>::sample_members(to);
                        to.end_object();
                    }
                }

                impl ::highwater_core::json::ToJson for #name {
                    fn write(&self, to: &mut ::highwater_core::json::Writer) {
                        ::highwater_core::json::write_record(self, to);
                    }
                }
            })
        }
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
            let ty = &fields.unnamed[0].ty;
            let (from, to) =
                (quote!(<#ty as ::highwater_core::json::FromJson>), quote!(<#ty as ::highwater_core::json::ToJson>));
            Ok(quote! {
                impl ::highwater_core::json::FromJson for #name {
                    fn placeholder() -> Self {
                        Self(#from::placeholder())
                    }

                    fn read(
                        &mut self,
                        node: &::highwater_core::json::Node<'_>,
                    ) -> ::core::result::Result<(), ::highwater_core::json::Error> {
                        #from::read(&mut self.0, node)
                    }

                    fn sample(to: &mut ::highwater_core::json::Writer) {
                        #from::sample(to);
                    }

                    fn may_be_absent(&self) -> bool {
                        #from::may_be_absent(&self.0)
                    }
                }

                impl ::highwater_core::json::ToJson for #name {
                    fn write(&self, to: &mut ::highwater_core::json::Writer) {
                        #to::write(&self.0, to);
                    }
                }
            })
        }
        _ => Err(Error::new(input.span(), "what is JSON has named fields, or one without a name")),
    }
}
