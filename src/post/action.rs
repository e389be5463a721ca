//! What a page is answered when its file is stored.
//!
//! Amazon S3 API Reference, "POST Object": `success_action_redirect`, `success_action_status`.

use alloc::string::String;
use core::fmt::{self, Write as _};

use super::checked::CheckedForm;
use super::field::PostField;

/// The answer that a form asks for. It outlives the form, for it is given when the file is stored.
///
/// ```
/// # use countersign::{CheckedForm, SuccessAction};
/// fn answer(form: &CheckedForm<'_>, etag: &str) -> (u16, Option<String>) {
///     match form.success_action() {
///         SuccessAction::Redirect(redirect) => (303, Some(redirect.location(etag))),
///         SuccessAction::Status(status) => (status.as_u16(), None), // 201 has a body
///         _ => (204, None),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SuccessAction {
    /// 303, and where to go.
    Redirect(Redirect),
    /// This status.
    Status(SuccessStatus),
}

/// A status for success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SuccessStatus {
    /// 200, without a body.
    Ok,
    /// 201, with a body of XML that names the object.
    Created,
    /// 204, also where a form asks for nothing or for another status.
    #[default]
    NoContent,
}

/// Where a browser goes after its upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    url: String,
    bucket: String,
    key: String,
}

impl SuccessAction {
    pub(super) fn of(form: &CheckedForm<'_>) -> Self {
        let redirect = form.get(PostField::SuccessActionRedirect);
        let redirect = redirect.or_else(|| form.get(PostField::Other("redirect")));
        if let Some(url) = redirect.filter(|url| is_web_address(url)) {
            let [url, bucket, key] = [url, form.bucket(), form.key()].map(String::from);
            return Self::Redirect(Redirect { url, bucket, key });
        }
        Self::Status(match form.get(PostField::SuccessActionStatus) {
            Some("200") => SuccessStatus::Ok,
            Some("201") => SuccessStatus::Created,
            _ => SuccessStatus::NoContent,
        })
    }
}

impl SuccessStatus {
    /// The status.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::Created => 201,
            Self::NoContent => 204,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "200",
            Self::Created => "201",
            Self::NoContent => "204",
        }
    }
}

impl Redirect {
    /// The address, as the form has it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address with bucket, key and entity tag in its query: the value of `Location`. The tag
    /// is given without its quotes, and stands in quotes.
    #[must_use]
    pub fn location(&self, etag: &str) -> String {
        let (url, fragment) = match self.url.split_once('#') {
            Some((url, fragment)) => (url, Some(fragment)),
            None => (self.url.as_str(), None),
        };
        let separator = if url.contains('?') { '&' } else { '?' };
        let mut location = String::with_capacity(url.len() + 64);
        // Writing to a string does not fail.
        let _ = write!(
            location,
            "{url}{separator}bucket={}&key={}&etag=%22{}%22",
            Escaped(&self.bucket),
            Escaped(&self.key),
            Escaped(etag),
        );
        if let Some(fragment) = fragment {
            location.push('#');
            location.push_str(fragment);
        }
        location
    }
}

/// A value of a query, form-encoded.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                f.write_char(char::from(byte))
            }
            b' ' => f.write_char('+'),
            _ => write!(f, "%{byte:02X}"),
        })
    }
}

/// Whether a browser may be sent there: `http` or `https`, a host, and nothing that could end a
/// header field.
fn is_web_address(url: &str) -> bool {
    let rest = ["http://", "https://"].iter().find_map(|scheme| {
        let (found, rest) = url.split_at_checked(scheme.len())?;
        found.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    host.is_some_and(|host| !host.is_empty()) && url.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::{Redirect, String, is_web_address};

    #[test]
    fn a_browser_is_sent_to_web_addresses_only() {
        for url in ["http://a", "https://a/b?c#d", "HTTPS://A"] {
            assert!(is_web_address(url), "{url}");
        }
        for url in [
            "",
            "a",
            "/a",
            "//a",
            "http:/a",
            "http://",
            "http:///a",
            "http://?a",
            "javascript:alert(1)",
            "data:text/html,a",
            "ftp://a",
            "http://a\r\nSet-Cookie: b",
            "http://a b",
            " http://a",
            "http://\u{e9}",
        ] {
            assert!(!is_web_address(url), "{url}");
        }
    }

    #[test]
    fn a_location_names_the_object() {
        let at = |url: &str| {
            let [url, bucket, key] = [url, "b", "a b/\u{e9}&c"].map(String::from);
            Redirect { url, bucket, key }.location("0a")
        };
        let query = "bucket=b&key=a+b%2F%C3%A9%26c&etag=%220a%22";
        assert_eq!(at("http://h/p"), alloc::format!("http://h/p?{query}"));
        assert_eq!(at("http://h/?x=1"), alloc::format!("http://h/?x=1&{query}"));
        assert_eq!(at("http://h/p#f"), alloc::format!("http://h/p?{query}#f"));
    }
}
