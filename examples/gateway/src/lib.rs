//! An S3 server over a local folder, or a proxy in front of another S3 server, in which every request
//! passes a [`countersign`] verifier.
//!
//! ```text
//! tls.rs
//!   |
//! connections.rs --> front.rs --+--> gate.rs -------+--> staging.rs --------> store.rs
//!                               |    head proven    |    body proven, aside   s3s + s3s-fs, no auth of their own
//!                               |                   |
//!                               |                   +--> upstream.rs
//!                               |                        body proven before its end is passed on, signed anew
//!                               |
//!                               +--> forms.rs ---------> staging.rs
//!                               |    form proven
//!                               |
//!                               +--> page.rs
//!                                    issues forms, to whoever has a key
//! ```
//!
//! All three gates ask `keys.rs`, which has the keys of `credentials.rs`. `arriving.rs` and `cors.rs`
//! are `front.rs`'s own; `idle.rs` is the patience with peers on either side.
//!
//! The command is in `main.rs`; this library is what it starts, so that tests can start it too.

mod arriving;
pub mod config;
mod connections;
mod cors;
pub mod credentials;
mod error;
mod forms;
mod front;
mod gate;
mod idle;
mod keys;
mod page;
mod secret_file;
mod server;
mod staging;
mod store;
mod tls;
mod upstream;

pub use config::Config;
pub use secret_file::SecretFileError;
pub use server::{Gateway, ReloadError, StartError};
pub use tls::TlsError;
pub use upstream::UpstreamError;
