//! Which page an address is.

use std::fmt::Write as _;

use crate::lists::List;

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The race lab, whose links say what is raced.
    Lab,
    /// How the shop is.
    Health,
    /// A list, and what is looked for in it.
    List {
        /// Of what.
        list: List,
        /// What is looked for.
        search: String,
        /// Of which state, by its name.
        state: Option<&'static str>,
    },
    /// One order, by its id.
    Order(String),
}

impl Route {
    /// Reads the fragment of an address. What is strange is the shop's health, and what begins with no slash is the lab's, if
    /// there is one.
    pub fn read(fragment: &str, has_lab: bool) -> Self {
        let fragment = fragment.trim_start_matches('#');
        let Some(path) = fragment.strip_prefix('/') else {
            return match has_lab {
                true => Self::Lab,
                false => Self::Health,
            };
        };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if let Some(id) = path.strip_prefix("orders/") {
            return match is_id(id) {
                true => Self::Order(id.to_ascii_lowercase()),
                false => Self::Health,
            };
        }
        let Some(list) = List::ALL.into_iter().find(|list| list.name() == path) else {
            return Self::Health;
        };
        let (mut search, mut state) = (String::new(), None);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "q" => search = decode(value),
                "state" => state = list.states().iter().copied().find(|state| *state == value),
                _ => {}
            }
        }
        Self::List {
            list,
            search,
            state,
        }
    }

    /// The fragment that says it.
    pub fn link(&self) -> String {
        match self {
            Self::Lab => "#".to_owned(),
            Self::Health => "#/".to_owned(),
            Self::Order(id) => format!("#/orders/{id}"),
            Self::List {
                list,
                search,
                state,
            } => {
                let mut link = format!("#/{}", list.name());
                let mut sign = '?';
                let pairs = [
                    ("q", encode(search)),
                    ("state", state.unwrap_or_default().to_owned()),
                ];
                for (name, value) in pairs {
                    if !value.is_empty() {
                        // Writing to a text cannot fail.
                        let _ = write!(link, "{sign}{name}={value}");
                        sign = '&';
                    }
                }
                link
            }
        }
    }

    /// A whole list.
    pub fn list(list: List) -> Self {
        Self::List {
            list,
            search: String::new(),
            state: None,
        }
    }
}

/// Whether a text is a UUID.
pub fn is_id(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'@' => {
                encoded.push(char::from(byte));
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let digits = after.get(..2).and_then(|two| str::from_utf8(two).ok());
        match (
            byte,
            digits.and_then(|two| u8::from_str_radix(two, 16).ok()),
        ) {
            (b'%', Some(decoded)) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0b7c4000-0000-4000-8000-00000000000a";

    #[test]
    fn a_link_is_read_as_what_it_was_made_of() {
        let mut routes = vec![Route::Health, Route::Order(ID.to_owned())];
        for list in List::ALL {
            routes.push(Route::list(list));
            routes.push(Route::List {
                list,
                search: "Ünder 50% & more+\"<x>#@example.com".to_owned(),
                state: list.states().first().copied(),
            });
        }
        for route in routes {
            for has_lab in [false, true] {
                assert_eq!(Route::read(&route.link(), has_lab), route);
            }
        }
    }

    #[test]
    fn the_labs_links_are_the_labs() {
        for link in ["", "#", "#scene=stock&n=8&seed=1"] {
            assert_eq!(Route::read(link, true), Route::Lab, "{link}");
            assert_eq!(Route::read(link, false), Route::Health, "{link}");
        }
    }

    #[test]
    fn a_strange_link_is_no_page_of_its_own() {
        for link in ["#/nothing", "#/orders/7", "#/orders/", "#/orders/../x"] {
            assert_eq!(Route::read(link, true), Route::Health, "{link}");
        }
        let strange = Route::read("#/orders?state=nothing&x&q=%zz%", true);
        let expected = Route::List {
            list: List::Orders,
            search: "%zz%".to_owned(),
            state: None,
        };
        assert_eq!(strange, expected);
    }
}
