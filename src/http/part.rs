//! What a part of a form says of itself.
//!
//! ```text
//! disposition = "form-data" *( OWS ";" OWS parameter )
//! parameter   = ( "name" / "filename" ) "=" ( token / quoted-string )       each once
//! ```
//!
//! In a quoted string only `\"` and `\\` are escapes: browsers do not escape a backslash. `name*` and
//! `filename*` have no place in forms (RFC 7578 section 4.2) and would be a second reading. Text is
//! UTF-8.

use std::string::String;

use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

use crate::post::FormError;

/// A part of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A field, by its name.
    Field(String),
    /// The file, under its name, if it has one.
    File(Option<String>),
}

/// Reads the head of a part.
pub(super) fn read(headers: &HeaderMap) -> Result<Part, FormError> {
    let value = headers.get(CONTENT_DISPOSITION).ok_or(FormError::Malformed)?;
    let value = core::str::from_utf8(value.as_bytes()).map_err(|_| FormError::FieldText)?;
    let (name, file_name) = disposition(value)?;
    let plain = headers.get("content-transfer-encoding").is_none_or(|coding| {
        [&b"7bit"[..], b"8bit", b"binary"]
            .iter()
            .any(|plain| coding.as_bytes().eq_ignore_ascii_case(plain))
    });
    if !plain {
        return Err(FormError::Malformed);
    }
    if name.eq_ignore_ascii_case("file") {
        // Its type is not the object's, which has a field of its own.
        return Ok(Part::File(file_name));
    }
    if file_name.is_some() {
        return Err(FormError::Malformed);
    }
    if let Some(media) = headers.get(CONTENT_TYPE) {
        let media = media.to_str().map_err(|_| FormError::FieldText)?;
        if !is_utf8(media) {
            return Err(FormError::FieldText);
        }
    }
    Ok(Part::Field(name))
}

/// The parameters `name` and `filename`.
fn disposition(value: &str) -> Result<(String, Option<String>), FormError> {
    const KIND: &str = "form-data";
    let (kind, mut rest) = value.split_at_checked(KIND.len()).ok_or(FormError::Malformed)?;
    if !kind.eq_ignore_ascii_case(KIND) {
        return Err(FormError::Malformed);
    }
    let (mut name, mut file_name) = (None, None);
    loop {
        rest = rest.trim_start_matches(is_blank);
        if rest.is_empty() {
            break;
        }
        let parameter = rest.strip_prefix(';').ok_or(FormError::Malformed)?;
        let (key, value) = parameter.split_once('=').ok_or(FormError::Malformed)?;
        let key = key.trim_start_matches(is_blank);
        let place = if key.eq_ignore_ascii_case("name") {
            &mut name
        } else if key.eq_ignore_ascii_case("filename") {
            &mut file_name
        } else {
            return Err(FormError::Malformed);
        };
        let (text, behind) = match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted).ok_or(FormError::Malformed)?,
            None => {
                let end = value.find(|c| !is_token(c)).unwrap_or(value.len());
                let (token, behind) = value.split_at_checked(end).ok_or(FormError::Malformed)?;
                if token.is_empty() {
                    return Err(FormError::Malformed);
                }
                (token.into(), behind)
            }
        };
        if place.replace(text).is_some() {
            return Err(FormError::Malformed);
        }
        rest = behind;
    }
    Ok((name.ok_or(FormError::FieldName)?, file_name))
}

/// The text up to the closing quote, and what stands behind it.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::with_capacity(quoted.len());
    let mut rest = quoted;
    loop {
        let mut characters = rest.chars();
        match characters.next()? {
            '"' => return Some((text, characters.as_str())),
            '\\' => match characters.as_str().strip_prefix(['"', '\\']) {
                Some(behind) => {
                    text.push_str(characters.as_str().strip_suffix(behind)?);
                    rest = behind;
                }
                None => {
                    text.push('\\');
                    rest = characters.as_str();
                }
            },
            character => {
                text.push(character);
                rest = characters.as_str();
            }
        }
    }
}

/// Whether the text of a field is what we take it for.
fn is_utf8(media: &str) -> bool {
    let mut parameters = media.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    parameters.all(|(key, value)| {
        let charset = value.trim_matches([' ', '\t', '"']);
        !key.trim_matches(is_blank).eq_ignore_ascii_case("charset")
            || charset.eq_ignore_ascii_case("utf-8")
            || charset.eq_ignore_ascii_case("us-ascii")
    })
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

/// RFC 9110 section 5.6.2.
fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

#[cfg(test)]
mod tests {
    use super::{FormError, HeaderMap, Part, read};
    use http::HeaderValue;

    fn part(disposition: &[u8]) -> Result<Part, FormError> {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_bytes(disposition).expect("a value");
        headers.insert("content-disposition", value);
        read(&headers)
    }

    #[test]
    fn what_a_part_is() {
        let field = |name: &str| Ok(Part::Field(name.into()));
        let file = |name: &str| Ok(Part::File(Some(name.into())));
        assert_eq!(part(b"form-data; name=\"key\""), field("key"));
        assert_eq!(part(b"Form-Data ;\tNAME=key "), field("key"));
        assert_eq!(part(b"form-data;name=\"a;b=c\""), field("a;b=c"));
        assert_eq!(part(b"form-data; name=\"file\""), Ok(Part::File(None)));
        assert_eq!(part(b"form-data; filename=\"\"; name=\"FILE\""), file(""));
        assert_eq!(
            part("form-data; name=file; filename=\"n\u{e4}me 1.txt\"".as_bytes()),
            file("n\u{e4}me 1.txt")
        );
        assert_eq!(
            part(br#"form-data; name=file; filename="C:\dir\a.txt""#),
            file(r"C:\dir\a.txt")
        );
        assert_eq!(part(br#"form-data; name=file; filename="a\"b\\c""#), file(r#"a"b\c"#));
        // What stands in quotes is no parameter.
        let quoted = br#"form-data; filename="x; name=\"key\""; name="file""#;
        assert_eq!(part(quoted), file("x; name=\"key\""));
    }

    #[test]
    fn what_is_none() {
        use FormError as E;
        for (disposition, error) in [
            (&b""[..], E::Malformed),
            (b"attachment; name=\"key\"", E::Malformed),
            (b"form-datax; name=\"key\"", E::Malformed),
            (b"form-data", E::FieldName),
            (b"form-data; filename=\"a\"", E::FieldName),
            (b"form-data; name=\"key\"; name=\"acl\"", E::Malformed),
            (b"form-data; name=\"key\"; NAME=key", E::Malformed),
            (b"form-data; name=\"file\"; filename=a; filename=b", E::Malformed),
            (b"form-data; name*=utf-8''key", E::Malformed),
            (b"form-data; name=\"file\"; filename*=utf-8''a", E::Malformed),
            (b"form-data; name=\"key\"; other=1", E::Malformed),
            (b"form-data; name=\"key", E::Malformed),
            (b"form-data; name=\"key\\\"", E::Malformed),
            (b"form-data; name=\"key\"x", E::Malformed),
            (b"form-data; name=", E::Malformed),
            (b"form-data; name", E::Malformed),
            (b"form-data;; name=key", E::Malformed),
            (b"form-data; name=key;", E::Malformed),
            (b"form-data; name =key", E::Malformed),
            (b"form-data; name=k y", E::Malformed),
            (b"form-data; name=\"key\"; filename=\"a\"", E::Malformed),
            (b"form-data; name=\"\xff\"", E::FieldText),
        ] {
            assert_eq!(part(disposition), Err(error), "{}", disposition.escape_ascii());
        }
        assert_eq!(read(&HeaderMap::new()), Err(E::Malformed));
    }

    #[test]
    fn text_is_utf8_and_not_encoded() {
        let with = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            let field = HeaderValue::from_static("form-data; name=key");
            headers.insert("content-disposition", field);
            headers.insert(name, HeaderValue::from_static(value));
            read(&headers).err()
        };
        for media in ["text/plain", "text/plain; charset=UTF-8", "text/plain;charset=\"us-ascii\""]
        {
            assert_eq!(with("content-type", media), None, "{media}");
        }
        for media in ["text/plain; charset=utf-16", "text/plain; Charset=iso-8859-1"] {
            assert_eq!(with("content-type", media), Some(FormError::FieldText), "{media}");
        }
        assert_eq!(with("content-transfer-encoding", "8BIT"), None);
        for coding in ["base64", "quoted-printable", ""] {
            let error = Some(FormError::Malformed);
            assert_eq!(with("content-transfer-encoding", coding), error, "{coding}");
        }
    }
}
