//! The same as `stream`, with the weight on what follows the last chunk: the head announces trailers
//! in any words, and all that follows the last chunk's head is text.

#![no_main]

use countersign_fuzz::{Trailers, try_upload};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|trailers: Trailers| try_upload(trailers.0));
