//! Changes every valid request, one bit at a time. A change is refused, or it is harmless: the
//! application sees exactly what it saw before.

use countersign::{BodyVerifier, Event};

use crate::model::{Expected, Head, Verify};
use crate::verify::{View, machine, outcome, pass};

/// Which bits are changed in turn: all eight of a byte, or one.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) head: bool,
    pub(crate) frames: bool,
}

impl Sample {
    /// Of the many captures one bit of each byte; of the vectors on bodies one bit of the head, as
    /// their heads are much the same.
    pub(crate) fn of_file(name: &str) -> Self {
        let captures = name.starts_with("captures-");
        Self { head: captures || name == "pitfalls-body.json", frames: captures }
    }
}

fn bits(sample: bool, at: usize) -> std::ops::Range<usize> {
    if sample { at % 8..at % 8 + 1 } else { 0..8 }
}

/// How many changes were made, and how many of them were accepted as harmless.
pub(crate) fn run(vector: &Verify, sample: Sample) -> Result<(u64, u64), String> {
    let original = outcome(vector, &vector.head, &vector.body)
        .map_err(|refusal| format!("refused before it was changed: {refusal:?}"))?;
    let original = shown(original);
    let (mut changes, mut harmless) = (0, 0);
    let mut judge = |head: &Head, body: &[u8], what: &dyn Fn() -> String| {
        changes += 1;
        match outcome(vector, head, body) {
            Err(_) => Ok(()),
            Ok(view) if shown(view.clone()) == original => {
                harmless += 1;
                Ok(())
            }
            Ok(view) => Err(format!("{} is accepted as {view:?}", what())),
        }
    };

    let flip = |text: &[u8], at: usize, bit: usize| {
        let mut changed = text.to_vec();
        changed[at] ^= 1 << bit;
        changed
    };
    // What is no text any more cannot stand in a method, a target or a name.
    for at in 0..vector.head.method.len() {
        for bit in bits(sample.head, at) {
            if let Ok(method) = String::from_utf8(flip(vector.head.method.as_bytes(), at, bit)) {
                let head = Head { method, ..vector.head.clone() };
                judge(&head, &vector.body, &|| format!("the method {}", head.method))?;
            }
        }
    }
    for at in 0..vector.head.target.len() {
        for bit in bits(sample.head, at) {
            if let Ok(target) = String::from_utf8(flip(vector.head.target.as_bytes(), at, bit)) {
                let head = Head { target, ..vector.head.clone() };
                judge(&head, &vector.body, &|| format!("the target {}", head.target))?;
            }
        }
    }
    for (nth, (name, value)) in vector.head.fields.iter().enumerate() {
        for at in 0..name.len() {
            for bit in bits(sample.head, at) {
                if let Ok(name) = String::from_utf8(flip(name.as_bytes(), at, bit)) {
                    let mut head = vector.head.clone();
                    head.fields[nth].0 = name;
                    judge(&head, &vector.body, &|| format!("the name {}", head.fields[nth].0))?;
                }
            }
        }
        for at in 0..value.len() {
            for bit in bits(sample.head, at) {
                let mut head = vector.head.clone();
                head.fields[nth].1 = flip(value, at, bit);
                judge(&head, &vector.body, &|| format!("the value {:?}", head.fields[nth]))?;
            }
        }
        // A field left out, and a field sent twice.
        let mut head = vector.head.clone();
        head.fields.remove(nth);
        judge(&head, &vector.body, &|| format!("without {name}"))?;
        let mut head = vector.head.clone();
        head.fields.insert(nth, (name.clone(), b"another".to_vec()));
        judge(&head, &vector.body, &|| format!("with another {name}"))?;
    }

    // An uncovered body is not judged: the signature says nothing of it.
    if original.content == "digest" {
        let step = (vector.body.len() / 64).max(1);
        for at in (0..vector.body.len()).step_by(step) {
            let body = flip(&vector.body, at, at % 8);
            judge(&vector.head, &body, &|| format!("the body at {at}"))?;
        }
        let mut longer = vector.body.clone();
        longer.push(0);
        judge(&vector.head, &longer, &|| "a longer body".into())?;
        if let Some((_, shorter)) = vector.body.split_last() {
            judge(&vector.head, shorter, &|| "a shorter body".into())?;
        }
    }
    if let Expected::Valid { object: Some(_), .. } = &vector.expected {
        frames(vector, sample.frames, &mut changes, &mut harmless)?;
    }
    Ok((changes, harmless))
}

/// Changes a body in frames: a bit, a byte left out, a byte twice. Whatever is called covered is
/// what it was. Where chunks are signed, a change is refused, or it concerns the spelling alone: the
/// case of a letter of a size or of a trailer's name, a leading zero, a blank around a value.
fn frames(
    vector: &Verify,
    sample: bool,
    changes: &mut u64,
    harmless: &mut u64,
) -> Result<(), String> {
    let ready = || machine(vector).map_err(|refusal| format!("{refusal:?}"));
    let body = vector.body.as_slice();
    let whole = pass(ready()?, [body]);
    let proof = whole.end.map_err(|error| format!("{error:?}"))?;
    let frames = frame_bytes(ready()?, body);
    // All of the frames; of the data no more than some.
    let data = body.len() - frames.iter().filter(|frame| **frame).count();
    let step = (data / 64).max(1);
    let mut nth = 0;
    for (at, framed) in frames.into_iter().enumerate() {
        if !framed {
            nth += 1;
            if nth % step != 0 {
                continue;
            }
        }
        let (before, rest) = body.split_at(at);
        let (byte, after) = rest.split_first().expect("a byte");
        // Without signatures there is less to find.
        let flipped = bits(sample || !proof.signed, at);
        let mut spellings: Vec<Vec<u8>> = flipped.map(|bit| vec![byte ^ 1 << bit]).collect();
        spellings.extend([vec![], vec![*byte; 2]]);
        for spelling in spellings {
            *changes += 1;
            let found = pass(ready()?, [before, spelling.as_slice(), after]);
            let covered = usize::try_from(found.covered).map_err(|error| error.to_string())?;
            let what = || format!("{spelling:?} in place of {byte} at {at} of the body");
            if found.data.get(..covered) != whole.data.get(..covered) {
                return Err(format!("{} changes what is covered", what()));
            }
            let Ok(end) = found.end else { continue };
            if !proof.signed {
                // Nothing covers the data; there is as much of it as before.
                if end.signed || end.len != proof.len {
                    return Err(format!("{} is accepted as {end:?}", what()));
                }
                continue;
            }
            let case = spelling.len() != 1 || spelling[0].eq_ignore_ascii_case(byte);
            if end != proof || found.data != whole.data || !case || !framed {
                return Err(format!("{} is accepted as {end:?}", what()));
            }
            *harmless += 1;
        }
    }
    Ok(())
}

/// Which bytes of a body belong to its frames.
fn frame_bytes(mut machine: BodyVerifier, body: &[u8]) -> Vec<bool> {
    let mut frames = Vec::new();
    while let Some(rest) = body.get(frames.len()..).filter(|rest| !rest.is_empty()) {
        let fed = machine.feed(rest).expect("it was accepted before");
        let data = match fed.event {
            Event::Data(data) => data.len(),
            _ => 0,
        };
        // Data stands at the end of what was taken.
        frames.resize(frames.len() + fed.consumed - data, true);
        frames.resize(frames.len() + data, false);
    }
    frames
}

/// What an application decides by. The canonical texts are left out: they would be equal whenever
/// the signatures are, and this is about what is shown.
fn shown(view: View) -> View {
    View { canonical_request: Vec::new(), string_to_sign: String::new(), ..view }
}
