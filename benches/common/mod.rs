//! What the measurements share: requests, journeys, the floor, rounds.
//!
//! A journey is what a caller has to do, from a request in memory to the bytes to send or to the
//! proof. The floor is the hashing that no implementation can leave out. Nothing here prints.
//!
//! Included by path, also from the packages `benches/peers` and `benches/instructions`.

// Each user takes what it needs.
#![allow(dead_code, unused_imports)]

pub(crate) mod allocations;
pub(crate) mod floor;
pub(crate) mod heads;
pub(crate) mod rounds;
pub(crate) mod streams;
