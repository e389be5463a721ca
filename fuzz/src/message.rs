//! A message as it crosses the wire, and small changes of it.

use countersign::{Header, Request};

#[derive(Clone, Debug)]
pub struct Message {
    pub method: String,
    pub target: String,
    pub fields: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// One change: what is done, to which part, where.
#[derive(Clone, Copy, Debug)]
pub struct Edit {
    what: u8,
    part: u8,
    at: u16,
    with: u8,
}

impl Message {
    /// Takes a raw message apart; `None` if a part that has to be text is none.
    ///
    /// The method ends at the first blank, the version begins at the last; a line that begins with a
    /// blank continues the field before it; the body is all that follows the first empty line.
    pub fn parse(data: &[u8]) -> Option<Self> {
        let (first, mut rest) = line(data);
        let (method, target) = str::from_utf8(first).ok()?.split_once(' ')?;
        let target = target.rsplit_once(' ').map_or(target, |(target, _version)| target);
        let mut fields = Vec::<(String, Vec<u8>)>::new();
        while !rest.is_empty() {
            let (next, after) = line(rest);
            rest = after;
            match (next, fields.last_mut()) {
                ([], _) => break,
                ([b' ' | b'\t', ..], Some((_, value))) => {
                    value.extend_from_slice(b"\r\n");
                    value.extend_from_slice(next);
                }
                _ => {
                    // HTTP/2's authority begins with a colon.
                    let colon = next.iter().skip(1).position(|byte| *byte == b':')? + 1;
                    let name = str::from_utf8(&next[..colon]).ok()?;
                    fields.push((name.to_owned(), next[colon + 1..].to_vec()));
                }
            }
        }
        Some(Self { method: method.into(), target: target.into(), fields, body: rest.to_vec() })
    }

    /// Lends the head out.
    pub fn with<T>(&self, run: impl FnOnce(&Request<'_>) -> T) -> T {
        let headers: Vec<_> =
            self.fields.iter().map(|(name, value)| Header { name, value }).collect();
        run(&Request { method: &self.method, target: &self.target, headers: &headers })
    }

    /// Puts `signature` where the message carries one: in its `Authorization` field or its query.
    #[must_use]
    pub fn with_signature(&self, signature: &str) -> Self {
        let mut message = self.clone();
        if let Some((path, query)) = self.target.split_once('?') {
            let query = replace(query, '&', "X-Amz-Signature=", signature);
            message.target = format!("{path}?{query}");
        }
        for (name, value) in &mut message.fields {
            if name.eq_ignore_ascii_case("authorization")
                && let Ok(text) = str::from_utf8(value)
                && let Some((scheme, components)) = text.trim_start().split_once(' ')
            {
                let components = replace(components, ',', "Signature=", signature);
                *value = format!("{scheme} {components}").into_bytes();
            }
        }
        message
    }

    /// The message with one change; `None` if there is nothing to change there, or if a part that
    /// has to be text would be none.
    #[must_use]
    pub fn edited(&self, edit: Edit) -> Option<Self> {
        let mut message = self.clone();
        let (fields, part, at) = (self.fields.len(), usize::from(edit.part), usize::from(edit.at));
        match edit.what % 7 {
            3 if fields > 0 => drop(message.fields.remove(part % fields)),
            4 if fields > 0 => {
                let (name, _) = self.fields[part % fields].clone();
                message.fields.insert(at % (fields + 1), (name, vec![edit.with]));
            }
            5 if fields > 1 => message.fields.swap(part % fields, at % fields),
            what => {
                let change = |bytes: &[u8]| change(bytes, what, at, edit.with);
                let text = |text: &str| String::from_utf8(change(text.as_bytes())?).ok();
                match part % (3 + 2 * fields) {
                    0 => message.method = text(&self.method)?,
                    1 => message.target = text(&self.target)?,
                    2 => message.body = change(&self.body)?,
                    nth if nth % 2 == 1 => {
                        let (name, _) = &mut message.fields[(nth - 3) / 2];
                        *name = text(name)?;
                    }
                    nth => {
                        let (_, value) = &mut message.fields[(nth - 3) / 2];
                        *value = change(value)?;
                    }
                }
            }
        }
        Some(message)
    }
}

impl Edit {
    /// A change that depends on `bytes` alone.
    pub fn of(bytes: [u8; 5]) -> Self {
        let [what, part, low, high, with] = bytes;
        Self { what, part, at: u16::from_le_bytes([low, high]), with }
    }

    /// `bytes` with this change, if there is anything to change.
    #[must_use]
    pub fn apply(self, bytes: &[u8]) -> Vec<u8> {
        change(bytes, self.what % 7, self.at.into(), self.with).unwrap_or_else(|| bytes.to_vec())
    }
}

/// A bit flipped, a byte inserted, a byte taken out, or all from there on.
fn change(bytes: &[u8], what: u8, at: usize, with: u8) -> Option<Vec<u8>> {
    let mut changed = bytes.to_vec();
    if what == 1 {
        changed.insert(at % (bytes.len() + 1), with);
        return Some(changed);
    }
    let at = at.checked_rem(bytes.len())?;
    match what {
        2 => drop(changed.remove(at)),
        6 => changed.truncate(at),
        _ => changed[at] ^= 1 << (with % 8),
    }
    Some(changed)
}

fn line(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (line, rest) = end.map_or((data, &[][..]), |end| (&data[..end], &data[end + 1..]));
    (line.strip_suffix(b"\r").unwrap_or(line), rest)
}

/// Replaces what follows `name` in the pieces of a list that begin with it.
fn replace(list: &str, separator: char, name: &str, signature: &str) -> String {
    let piece = |piece: &str| match piece.split_once(name) {
        Some((blanks, _)) if blanks.trim().is_empty() => format!("{blanks}{name}{signature}"),
        _ => piece.to_owned(),
    };
    list.split(separator).map(piece).collect::<Vec<_>>().join(&separator.to_string())
}
