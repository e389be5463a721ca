//! An upload put before the machine in every way, and what has to come of it.

use countersign::{BodyError, Escrow, EscrowError};

use crate::judge::pass;
use crate::memory::without_memory;
use crate::reference::{Content, Reading};
use crate::upload::Upload;

/// A body of as many bytes is not tried at each of them.
const LONG: usize = 2048;

/// What the reference says of the head and the body is what the machine says, however the body is
/// cut; an escrow lends out what is covered, and nothing else; what is accepted is accepted as a
/// whole.
pub fn try_upload(upload: Upload) {
    let reading = match (upload.head.read(&upload.body), upload.machine()) {
        (Ok(reading), Ok(_)) => reading,
        (Err(expected), Err(error)) => return assert_eq!(error, expected),
        (expected, machine) => panic!("{:?} instead of {:?}", machine.err(), expected.err()),
    };
    assert!(!upload.honest || reading.end.is_ok(), "an honest body: {:?}", reading.end);

    let Upload { body, pieces, .. } = &upload;
    fed(&upload, &reading, [body.as_slice()]);
    fed(&upload, &reading, cut(body, pieces));
    // Of a long body, what is filled with one byte is given at once.
    let alone = body.len() < LONG;
    fed(&upload, &reading, body.chunk_by(|a, b| !alone && a == b));
    held(&upload, &reading, [body.as_slice()]);
    held(&upload, &reading, cut(body, pieces));

    if reading.end.is_ok() && !matches!(upload.head.content, Content::Unsigned) {
        prefixes(upload.without_content_length());
    }
}

fn fed<'b>(upload: &Upload, reading: &Reading, pieces: impl IntoIterator<Item = &'b [u8]>) {
    let machine = upload.machine().expect("a machine");
    let covers_chunks = machine.covers_chunks();
    let (data, covered, end) = pass(machine, pieces.into_iter());
    assert_eq!(covered, reading.covered, "{upload:?}");
    assert!(data == reading.data, "other data: {upload:?}");
    let end = end.map(|proof| {
        assert_eq!(proof.len(), data.len() as u64);
        let signed = covers_chunks || matches!(upload.head.content, Content::Digest(_));
        assert_eq!(proof.is_signed(), signed);
        assert!(!covers_chunks || covered == data.len(), "data that nothing covers");
        let trailers = proof.trailers().map(|(name, value)| (name.to_owned(), value.to_owned()));
        trailers.collect()
    });
    assert_eq!(end, reading.end, "{upload:?}");
}

/// An escrow with little room refuses what does not fit; until then it is as good as any.
fn held<'b>(upload: &Upload, reading: &Reading, pieces: impl IntoIterator<Item = &'b [u8]>) {
    let mut buffer = vec![0; upload.room];
    let mut escrow = Escrow::new(upload.machine().expect("a machine"), buffer.as_mut_slice());
    let expected = match &reading.end {
        _ if reading.waiting > upload.room => Err(EscrowError::Full),
        Err(fault) => Err(EscrowError::Body(*fault)),
        Ok(_) => Ok(()),
    };
    let mut data = vec![];
    let feed = || {
        for mut rest in pieces {
            while !rest.is_empty() {
                let lent = without_memory(|| escrow.feed(rest))?;
                assert!(lent.consumed > 0, "no progress");
                data.extend_from_slice(lent.covered);
                // What is out is covered, and never more than that.
                assert!(data.len() <= reading.covered && reading.data.starts_with(&data));
                rest = &rest[lent.consumed..];
            }
        }
        Ok(())
    };
    if let Err(error) = feed() {
        assert_eq!(Err(error), expected, "{upload:?}");
        let again = match error {
            EscrowError::Full => EscrowError::Body(BodyError::Abandoned),
            error => error,
        };
        assert_eq!(escrow.feed(b"x").err(), Some(again), "it has failed before");
        assert_eq!(escrow.finish().err(), Some(again), "it has failed before");
    } else {
        match escrow.finish() {
            Ok((_, last)) => {
                data.extend_from_slice(last.as_ref());
                assert!(data == reading.data, "other data: {upload:?}");
                assert_eq!(Ok(()), expected, "{upload:?}");
            }
            Err(error) => assert_eq!(Err(error), expected, "{upload:?}"),
        }
    }
    // All that chunks cover came out, unless there was no room for what followed.
    if reading.waiting <= upload.room {
        assert!(data.len() >= reading.covered, "{upload:?}");
    }
}

/// No proper beginning of an accepted body is accepted, but for one that lacks the last line end
/// where nothing else could follow. Of a long body some are tried.
fn prefixes(upload: Upload) {
    let len = upload.body.len();
    let last = len.saturating_sub(if len < 128 { 128 } else { 32 });
    let few = (upload.pieces[0] % 16..last).step_by(last.div_ceil(8).max(1));
    for prefix in few.chain(last..len).map(|len| &upload.body[..len]) {
        let (_, _, end) = pass(upload.machine().expect("a machine"), [prefix].into_iter());
        let tolerated = match &upload.head.content {
            Content::Framed(framed) => {
                framed.chain.is_none()
                    && framed.announced.is_none()
                    && prefix.ends_with(b"\r\n")
                    && &upload.body[prefix.len()..] == b"\r\n"
            }
            _ => false,
        };
        assert_eq!(end.is_ok(), tolerated, "{} of {len} bytes: {upload:?}", prefix.len());
    }
}

/// Pieces of these lengths, in turn.
fn cut<'b>(body: &'b [u8], lens: &[usize]) -> Vec<&'b [u8]> {
    let (mut rest, mut pieces) = (body, vec![]);
    for len in lens.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at((*len).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
