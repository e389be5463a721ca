//! An S3 server over a local folder, in which every request passes a [`countersign`] verifier.
//!
//! ```text
//! hyper --> gate.rs ----> staging.rs --------> store.rs
//!           head proven   body proven, aside   s3s + s3s-fs, no auth of their own
//!              |
//!           keys.rs <-- credentials.rs
//! ```
//!
//! The command is in `main.rs`; this library is what it starts, so that tests can start it too.

pub mod config;
mod connections;
pub mod credentials;
mod error;
mod gate;
mod keys;
mod secret_file;
mod server;
mod staging;
mod store;
mod tls;

pub use config::Config;
pub use secret_file::SecretFileError;
pub use server::{Gateway, ReloadError, StartError};
pub use tls::TlsError;
