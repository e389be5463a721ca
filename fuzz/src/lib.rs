//! What the targets share: how bytes become requests (`message.rs`, `draft.rs`), and how a request is
//! verified and answered (`judge.rs`).

mod draft;
mod judge;
mod message;

pub use draft::{Draft, Form, Wire};
pub use judge::{
    AT, Asked, FAMILIES, Holder, ID, SECRET, Seen, View, answer, canonical_bytes, now, verify,
};
pub use message::{Edit, Message};
