//! What an answer looks like, for the tools: docs/openapi.json and the client's types are made of it.
//!
//! The functions pass on what the database answers as it is, so no Rust type has these members: the tests hold
//! every real answer against them, and a member too many or too few fails.

/// A shape of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Null,
    /// An id.
    Uuid,
    /// A date with its time.
    Time,
    /// Any text.
    Text,
    /// True or false.
    Flag,
    /// This one of the two.
    Only(bool),
    /// ISO 4217.
    Currency,
    /// A whole number.
    Whole,
    /// A whole number that is not smaller.
    AtLeast(u32),
    /// A number.
    Number,
    /// One of these.
    Words(&'static [&'static str]),
    /// This, or nothing.
    OrNull(&'static Shape),
    /// This, with a word about it.
    Says(&'static str, &'static Shape),
    /// Any number of these.
    List(&'static Shape),
    /// An object that has all these members.
    Object(&'static str, &'static [(&'static str, Shape)]),
    /// An object that has these members, some of them not always.
    Partly(
        &'static str,
        &'static [(&'static str, Shape)],
        &'static [&'static str],
    ),
    /// An object with any members.
    Anything,
    /// What a record tells under this name.
    Named(&'static str),
    /// One of these.
    OneOf(&'static [Shape]),
}

/// An amount of money in minor units, or a number of things.
pub const AMOUNT: Shape = Shape::AtLeast(0);

/// The details of an error.
pub const fn known(members: &'static [(&'static str, Shape)]) -> Shape {
    Shape::Object("What is known about it.", members)
}

/// Everything that is wrong with a request.
pub const PROBLEMS: Shape = Shape::List(&Shape::Partly(
    "One problem of the request.",
    &[
        (
            "pointer",
            Shape::Says(
                "JSON pointer of the field; empty for the whole body.",
                &Shape::Text,
            ),
        ),
        ("message", Shape::Text),
        (
            "code",
            Shape::Says(
                "What it would have been refused for by itself; absent where the request is not valid.",
                &Shape::Text,
            ),
        ),
        (
            "details",
            Shape::Says("The details of that code, of this field.", &Shape::Anything),
        ),
    ],
    &["code", "details"],
));
