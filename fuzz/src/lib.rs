//! What the targets share: how bytes become requests (`message.rs`, `draft.rs`) and uploads
//! (`upload.rs`), how a request is verified and answered (`judge.rs`), what has to come of a body
//! (`reference.rs`), and whether it does (`trial.rs`).

mod draft;
mod judge;
mod memory;
mod message;
mod reference;
mod trial;
mod upload;

pub use draft::{Draft, Form, Wire};
pub use judge::{
    AT, Asked, FAMILIES, Holder, ID, Object, SECRET, Seen, View, Way, answer, canonical_bytes,
    form_signature, now, read, verify,
};
pub use message::{Edit, Message};
pub use trial::try_upload;
pub use upload::{Stream, Trailers, Upload};
