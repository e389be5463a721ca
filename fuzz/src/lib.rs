//! What the targets share: how bytes become requests (`message.rs`, `draft.rs`), and how a request is
//! verified and answered (`judge.rs`).

mod draft;
mod judge;
mod message;

pub use draft::{Draft, Form, Wire};
pub use judge::{
    AT, Asked, FAMILIES, Holder, ID, Object, SECRET, Seen, View, Way, answer, canonical_bytes, now,
    read, verify,
};
pub use message::{Edit, Message};
