//! Bodies of error answers: S3's XML, the Query protocol's XML, JSON.
//!
//! Whatever a peer sent is escaped; characters that XML 1.0 cannot hold become U+FFFD.

use core::fmt::{self, Display, Write};

use super::{Family, Hint};

impl<'a> Hint<'a> {
    /// The body of the answer. A `HEAD` request is answered without one.
    ///
    /// ```
    /// # use countersign::*;
    /// let hint = Error::from(ReadError::Anonymous).hint(Family::S3);
    /// assert_eq!(
    ///     hint.body("4442587FB7D0A2F9", "host").to_string(),
    ///     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code>\
    ///      <Message>Access Denied</Message><RequestId>4442587FB7D0A2F9</RequestId>\
    ///      <HostId>host</HostId></Error>",
    /// );
    /// ```
    #[must_use]
    pub fn body<'b>(&'b self, request_id: &'b str, host_id: &'b str) -> impl Display + 'b {
        Body { hint: self, request_id, host_id }
    }

    /// The media type of that body.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        match self.family() {
            Family::S3 => "application/xml",
            Family::Query => "text/xml",
            Family::Json => "application/x-amz-json-1.1",
        }
    }
}

struct Body<'b> {
    hint: &'b Hint<'b>,
    request_id: &'b str,
    host_id: &'b str,
}

impl Display for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hint, request_id, host_id } = self;
        match hint.family() {
            Family::S3 => {
                f.write_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>")?;
                element("Code", &hint.code(), f)?;
                element("Message", &hint.message(), f)?;
                let mut result = Ok(());
                hint.elements(|name, value| {
                    if result.is_ok() {
                        result = element(name, value, f);
                    }
                });
                result?;
                element("RequestId", request_id, f)?;
                element("HostId", host_id, f)?;
                f.write_str("</Error>")
            }
            Family::Query => {
                f.write_str("<ErrorResponse><Error>")?;
                let sender = if hint.status() < 500 { "Sender" } else { "Receiver" };
                element("Type", &sender, f)?;
                element("Code", &hint.code(), f)?;
                element("Message", &hint.message(), f)?;
                f.write_str("</Error>")?;
                element("RequestId", request_id, f)?;
                f.write_str("</ErrorResponse>")
            }
            Family::Json => {
                f.write_str("{\"__type\":\"")?;
                write!(Json(f), "{}", hint.code())?;
                f.write_str("\",\"message\":\"")?;
                write!(Json(f), "{}", hint.message())?;
                f.write_str("\"}")
            }
        }
    }
}

fn element(name: &str, value: &(impl Display + ?Sized), f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "<{name}>")?;
    write!(Xml(f), "{value}")?;
    write!(f, "</{name}>")
}

/// Escapes what is written as the text of an XML element.
struct Xml<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Xml<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                // A bare carriage return would be read back as a line feed.
                '\r' => self.0.write_str("&#xD;")?,
                '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'.. => self.0.write_char(character)?,
                _ => self.0.write_char(char::REPLACEMENT_CHARACTER)?,
            }
        }
        Ok(())
    }
}

/// Escapes what is written as the inside of a JSON string.
struct Json<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Json<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '"' => self.0.write_str("\\\"")?,
                '\\' => self.0.write_str("\\\\")?,
                '\n' => self.0.write_str("\\n")?,
                '\0'..=' ' if character != ' ' => {
                    write!(self.0, "\\u{:04x}", u32::from(character))?
                }
                _ => self.0.write_char(character)?,
            }
        }
        Ok(())
    }
}
