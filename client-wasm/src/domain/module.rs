//! [`Module`]: a [`Domain`] as JavaScript calls it, with numbers alone; and the macro that exports one.

use highwater_core::decider::Entities;

use super::Domain;

/// A [`Domain`], and memory that it shares with JavaScript: a text goes in by [`Self::room`], and comes out at [`Self::answer`].
pub struct Module {
    domain: Domain,
    text: Vec<u8>,
    answer: String,
}

impl Module {
    /// These entities.
    #[must_use]
    pub fn new(entities: Entities) -> Self {
        Self { domain: Domain::new(entities), text: Vec::new(), answer: String::new() }
    }

    /// Lends so many bytes for the text that the next call takes.
    pub fn room(&mut self, len: usize) -> *mut u8 {
        self.text.clear();
        self.text.resize(len, 0);
        self.text.as_mut_ptr()
    }

    /// Where the text stands whose length the last call has answered.
    #[must_use]
    pub fn answer(&mut self) -> *const u8 {
        self.answer.as_ptr()
    }

    /// See [`Domain::entities`].
    pub fn entities(&mut self) -> usize {
        self.answered(Domain::entities(&self.domain))
    }

    /// See [`Domain::open`]; below 0 where that answers nothing.
    pub fn open(&mut self, entity: usize) -> i32 {
        let snapshot = self.taken();
        numbered(self.domain.open(entity, &snapshot))
    }

    /// See [`Domain::copy`]; below 0 where that answers nothing.
    pub fn copy(&mut self, number: usize) -> i32 {
        numbered(self.domain.copy(number))
    }

    /// See [`Domain::close`].
    pub fn close(&mut self, number: usize) {
        self.domain.close(number);
    }

    /// See [`Domain::apply`].
    pub fn apply(&mut self, number: usize) -> usize {
        let events = self.taken();
        let answer = self.domain.apply(number, &events);
        self.answered(answer)
    }

    /// See [`Domain::snapshot`].
    pub fn snapshot(&mut self, number: usize) -> usize {
        self.answered(self.domain.snapshot(number))
    }

    /// See [`Domain::decide`].
    pub fn decide(&mut self, number: usize) -> usize {
        let request = self.taken();
        let answer = self.domain.decide(number, &request);
        self.answered(answer)
    }

    fn taken(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.text)).unwrap_or_default()
    }

    fn answered(&mut self, answer: String) -> usize {
        self.answer = answer;
        self.answer.len()
    }
}

fn numbered(number: Option<usize>) -> i32 {
    number.and_then(|number| i32::try_from(number).ok()).unwrap_or(-1)
}

/// Makes of a crate a module that a page gives to `load` of `highwater/domain/url`, or has inline: it exports these entities. The crate is a
/// `cdylib`, and says so once.
///
/// ```
/// highwater_client::export_entities!(highwater_core::domain::entities());
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_entities {
    ($entities:expr) => {
        fn highwater_entities() -> $crate::highwater_core::decider::Entities {
            $entities
        }

        /// What JavaScript calls.
        mod highwater_module {
            /// All that is exported goes by here.
            fn with_module(run: &mut dyn FnMut(&mut $crate::domain::Module)) {
                let _ = MODULE.try_with(|module| module.try_borrow_mut().map(|mut module| run(&mut module)));
            }

            ::std::thread_local! {
                static MODULE: ::std::cell::RefCell<$crate::domain::Module> =
                    ::std::cell::RefCell::new($crate::domain::Module::new(super::highwater_entities()));
            }

            $crate::export_entities! { @
                room(len: usize) -> *mut u8;
                answer() -> *const u8;
                entities() -> usize;
                open(entity: usize) -> i32;
                copy(number: usize) -> i32;
                close(number: usize) -> ();
                apply(number: usize) -> usize;
                snapshot(number: usize) -> usize;
                decide(number: usize) -> usize;
            }
        }
    };
    (@ $($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        use $crate::wasm_bindgen::prelude::wasm_bindgen;

        $(
            #[doc = concat!("See `highwater_client::domain::Module::", stringify!($name), "`.")]
            #[wasm_bindgen(wasm_bindgen = $crate::wasm_bindgen)]
            pub fn $name($($argument: $type),*) -> $result {
                let mut result = None;
                with_module(&mut |module| result = Some(module.$name($($argument),*)));
                result.unwrap_or_else(|| unreachable!())
            }
        )*
    };
}
