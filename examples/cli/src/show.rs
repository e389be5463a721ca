//! The texts on the way to a signature, as exact bytes.

use std::io::{self, IsTerminal, Write};

use countersign::{CanonicalRequest, StringToSign};

use crate::args::Show;

/// One of the two texts.
pub(crate) fn text(
    show: Show,
    canonical_request: &CanonicalRequest<'_>,
    string_to_sign: StringToSign<'_>,
) -> Vec<u8> {
    match show {
        Show::Canonical => {
            let mut text = Vec::new();
            canonical_request.pieces(|piece| text.extend_from_slice(piece));
            text
        }
        Show::Sts => string_to_sign.to_string().into_bytes(),
    }
}

/// Prints a text without a line end, so that its hash is that of the text; a terminal gets one.
pub(crate) fn print(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    if out.is_terminal() {
        out.write_all(b"\n")?;
    }
    out.flush()
}
