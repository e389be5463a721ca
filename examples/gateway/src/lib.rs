//! An S3 server over a local folder, or a proxy in front of another S3 server, in which every request
//! passes a [`countersign`] verifier.
//!
//! ```text
//! tls.rs
//!   |
//! connections.rs --> front.rs --> gate.rs ----> staging.rs --------> store.rs
//!                    |            head proven   body proven, aside   s3s + s3s-fs, no auth of their own
//!               arriving.rs          |
//!                                    +--------> upstream.rs
//!                 keys.rs <----------+          body proven before its end is passed on, signed anew
//!                    |
//!             credentials.rs
//! ```
//!
//! The command is in `main.rs`; this library is what it starts, so that tests can start it too.

mod arriving;
pub mod config;
mod connections;
pub mod credentials;
mod error;
mod front;
mod gate;
mod keys;
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
