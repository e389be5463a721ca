//! Middleware (feature `tower`): a service behind [`VerifyLayer`] gets verified heads and verifying bodies.

mod verify;

pub use verify::{
    ClaimedToken, Found, KeyProvider, VerifiedHead, VerifyLayer, VerifyService, Wanted,
};
