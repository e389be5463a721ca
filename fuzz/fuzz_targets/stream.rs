//! An upload in frames, with the weight on chunks: what comes of it is what the reference says, down
//! to the fault, however the body is cut; nothing comes out of an escrow that no signature covers;
//! machines take no memory; an honest body is accepted, is framed by the library in the same way, and
//! no proper beginning of an accepted one is.

#![no_main]

use countersign_fuzz::{Stream, try_upload};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|stream: Stream| try_upload(stream.0));
