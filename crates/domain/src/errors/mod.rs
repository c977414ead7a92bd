//! The error catalogue: every error that a client can see, once, by area.
//!
//! A function's module holds only what Rust itself answers ([`core`]). What only the database raises travels
//! with the error (see [`crate::upstream`]), so those areas exist for the tools alone: `cargo xtask codegen`
//! makes docs/errors.md, docs/openapi.json, the client's types and the SQL function `raise_error` from
//! them, and `cargo xtask tidy` fails when SQL or Rust raises a code that is not here, or when nothing raises
//! one that is. A new code of the database changes no module by a byte: the build looks for them.

#[cfg(not(target_arch = "wasm32"))]
use crate::shape::Shape;
use std::fmt;

#[cfg(not(target_arch = "wasm32"))]
mod audit;
mod core;
#[cfg(not(target_arch = "wasm32"))]
mod customers;
#[cfg(not(target_arch = "wasm32"))]
mod delivery;
#[cfg(not(target_arch = "wasm32"))]
mod events;
#[cfg(not(target_arch = "wasm32"))]
mod foundation;
#[cfg(not(target_arch = "wasm32"))]
mod inventory;
#[cfg(not(target_arch = "wasm32"))]
mod payments;
#[cfg(not(target_arch = "wasm32"))]
mod pos;
#[cfg(not(target_arch = "wasm32"))]
mod promo;
#[cfg(not(target_arch = "wasm32"))]
mod shop;
#[cfg(not(target_arch = "wasm32"))]
mod shops;
#[cfg(not(target_arch = "wasm32"))]
mod warehouse;

/// Whether the same request may succeed if it is simply sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Sending it again changes nothing until something else changes.
    Final,
    /// The cause is passing: send it again after `Retry-After`.
    Retryable,
}

/// One row of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The stable name that clients branch on.
    pub code: &'static str,
    /// The HTTP status; the SQLSTATE in the database is `PT` followed by it.
    pub status: u16,
    /// Whether the same request may be sent again.
    pub retry: Retry,
    /// What happened, for a person.
    pub message: &'static str,
    /// What the client should do next.
    pub hint: &'static str,
    /// What stands in `details`, which may always be null: the way from the database may leave it out. Only what has
    /// a fixed shape is told; [`Shape::Null`] if there is nothing.
    #[cfg(not(target_arch = "wasm32"))]
    pub details: Shape,
}

/// A code of the catalogue: `Code::Internal`, …
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code(&'static Entry);

/// The codes of an area: constants of [`Code`], named as the variants that they would be if one enum could stand
/// in several files, and a list of them.
macro_rules! codes {
    ($($name:ident $status:literal $retry:ident $code:literal $message:literal $hint:literal $details:expr;)*) => {
        use super::{Code, Entry, Retry};
        #[cfg(not(target_arch = "wasm32"))]
        #[allow(unused_imports)]
        use crate::shape::{AMOUNT, PROBLEMS, Shape::*, known};

        #[allow(non_upper_case_globals)]
        impl Code {
            $(
                #[doc = concat!("`", $code, "`, HTTP ", $status, ": ", $message)]
                pub const $name: Code = Code(&Entry {
                    code: $code,
                    status: $status,
                    retry: Retry::$retry,
                    message: $message,
                    hint: $hint,
                    #[cfg(not(target_arch = "wasm32"))]
                    details: $details,
                });
            )*
        }

        /// Every code of this area.
        #[cfg(not(target_arch = "wasm32"))]
        pub(super) const ALL: &[Code] = &[$(Code::$name,)*];
    };
}
use codes;

impl Code {
    /// The row of this code.
    pub fn entry(self) -> &'static Entry {
        self.0
    }

    /// Whether the same request may be sent again.
    pub fn is_retryable(self) -> bool {
        self.0.retry == Retry::Retryable
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Code {
    /// Every code, by status.
    pub fn all() -> Vec<Code> {
        let mut all = [core::ALL, &Code::of_the_database()].concat();
        all.sort_by_key(|code| code.0.status);
        all
    }

    /// What only the database raises.
    pub fn of_the_database() -> Vec<Code> {
        [
            foundation::ALL,
            shops::ALL,
            delivery::ALL,
            shop::ALL,
            inventory::ALL,
            payments::ALL,
            promo::ALL,
            audit::ALL,
            customers::ALL,
            pos::ALL,
            warehouse::ALL,
            events::ALL,
        ]
        .concat()
    }

    /// The code of that name, if the catalogue has it.
    pub fn named(name: &str) -> Option<Code> {
        Code::all()
            .into_iter()
            .find(|code| code.entry().code == name)
    }
}

/// The constant's name: `NotADriver` for `NOT_A_DRIVER`.
impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for word in self.0.code.split('_') {
            let (first, rest) = word.split_at(1);
            formatter.write_str(first)?;
            formatter.write_str(&rest.to_ascii_lowercase())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_database_raises_is_of_every_area_and_none_of_the_core() {
        let of_the_database = Code::of_the_database();
        for name in ["NOT_A_DRIVER", "PRODUCT_NOT_FOUND", "PROMO_EXHAUSTED"] {
            let code = Code::named(name).expect(name);
            assert!(of_the_database.contains(&code), "{name}");
        }
        assert!(of_the_database.iter().all(|code| !core::ALL.contains(code)));
    }

    #[test]
    fn every_code_is_found_by_its_own_name_only() {
        for code in Code::all() {
            assert_eq!(Code::named(code.entry().code), Some(code));
        }
        assert_eq!(Code::named("batch_unavailable"), None);
        assert_eq!(Code::named(""), None);
        assert_eq!(format!("{:?}", Code::NotADriver), "NotADriver");
    }

    #[test]
    fn statuses_are_errors_and_server_side_ones_alone_are_retryable() {
        for code in Code::all() {
            let entry = code.entry();
            assert!((400..600).contains(&entry.status), "{}", entry.code);
            if code.is_retryable() {
                assert!(entry.status >= 429, "{}", entry.code);
            }
        }
    }

    /// `cargo xtask build` looks for the codes themselves; this says so without a build.
    #[test]
    fn no_module_of_a_function_holds_a_code_of_the_database() {
        let lines: Vec<&str> = include_str!("mod.rs").lines().collect();
        let areas = lines
            .windows(2)
            .filter(|lines| lines[1].starts_with("mod ") && lines[1].ends_with(";"));
        let shared: Vec<&str> = areas
            .filter(|lines| lines[0] != "#[cfg(not(target_arch = \"wasm32\"))]")
            .map(|lines| lines[1])
            .collect();
        assert_eq!(shared, ["mod core;"]);
    }
}
