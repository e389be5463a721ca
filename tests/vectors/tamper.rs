//! Changes every valid request, one bit at a time. A change is refused, or it is harmless: the
//! application sees exactly what it saw before.

use crate::model::{Head, Verify};
use crate::verify::{View, outcome};

/// How many changes were made, and how many of them were accepted as harmless.
pub(crate) fn run(vector: &Verify, sample: bool) -> Result<(u64, u64), String> {
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

    // Of the many captures every bit of a character is changed in turn, one for each character.
    let bits = |at: usize| if sample { at % 8..at % 8 + 1 } else { 0..8 };
    let flip = |text: &[u8], at: usize, bit: usize| {
        let mut changed = text.to_vec();
        changed[at] ^= 1 << bit;
        changed
    };
    // What is no text any more cannot stand in a method, a target or a name.
    for at in 0..vector.head.method.len() {
        for bit in bits(at) {
            if let Ok(method) = String::from_utf8(flip(vector.head.method.as_bytes(), at, bit)) {
                let head = Head { method, ..vector.head.clone() };
                judge(&head, &vector.body, &|| format!("the method {}", head.method))?;
            }
        }
    }
    for at in 0..vector.head.target.len() {
        for bit in bits(at) {
            if let Ok(target) = String::from_utf8(flip(vector.head.target.as_bytes(), at, bit)) {
                let head = Head { target, ..vector.head.clone() };
                judge(&head, &vector.body, &|| format!("the target {}", head.target))?;
            }
        }
    }
    for (nth, (name, value)) in vector.head.fields.iter().enumerate() {
        for at in 0..name.len() {
            for bit in bits(at) {
                if let Ok(name) = String::from_utf8(flip(name.as_bytes(), at, bit)) {
                    let mut head = vector.head.clone();
                    head.fields[nth].0 = name;
                    judge(&head, &vector.body, &|| format!("the name {}", head.fields[nth].0))?;
                }
            }
        }
        for at in 0..value.len() {
            for bit in bits(at) {
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
    Ok((changes, harmless))
}

/// What an application decides by. The canonical texts are left out: they would be equal whenever
/// the signatures are, and this is about what is shown.
fn shown(view: View) -> View {
    View { canonical_request: Vec::new(), string_to_sign: String::new(), ..view }
}
