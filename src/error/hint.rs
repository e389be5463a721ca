//! What to answer: message and extra elements, in AWS's words.
//!
//! Texts that need an operand take it from the request, which is read again; a hint without its
//! request says the same without operands. Nothing here is proven and nothing here is secret: the
//! signature that was expected is not known to a hint.

use core::fmt::{self, Display, Write};

#[cfg(feature = "post-policy")]
use super::form::{self, AboutForm};
use super::{Error, Family, answer};
use crate::body::BodyError;
use crate::crypto::digest_to_hex;
use crate::request::{Known, Request, RequestError, trim};
use crate::time::Timestamp;
use crate::verify::{Buffer, Claim, Component, Mechanism, ReadError, Verifier, VerifyError};

/// What a service answers to a fault. Made by [`Error::hint`].
///
/// ```
/// # use countersign::*;
/// # fn refuse(error: Error, rules: &Verifier<'_>, request: &Request<'_>, now: Timestamp) {
/// let hint = error.hint(Family::of(rules.dialect())).about(rules, request, now);
/// println!("{} {}: {}", hint.status(), hint.code(), hint.message());
/// hint.elements(|name, value| println!("{name}: {value}"));
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Hint<'a> {
    error: Error,
    family: Family,
    about: Option<About<'a>>,
    #[cfg(feature = "post-policy")]
    about_form: Option<AboutForm<'a>>,
}

/// Takes the name and the value of an element.
pub(super) type Each<'e> = &'e mut dyn FnMut(&'static str, &dyn Display);

/// The request that a hint speaks of.
#[derive(Clone, Copy)]
struct About<'a> {
    rules: &'a Verifier<'a>,
    request: &'a Request<'a>,
    /// The body, if the request was read with it.
    body: Option<&'a [u8]>,
    now: Timestamp,
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you \
    provided. Check your key and signing method.";
const MISMATCH_QUERY: &str = "The request signature we calculated does not match the signature you \
    provided. Check your AWS Secret Access Key and signing method. Consult the service \
    documentation for details.";
const ONE_MECHANISM: &str = "Only one auth mechanism allowed; only the X-Amz-Algorithm query \
    parameter, Signature query string parameter or the Authorization header should be specified";
const CONTENT_VALUES: &str = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, \
    STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, \
    STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, \
    STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.";
const NOT_IMPLEMENTED: &str =
    "A header you provided implies functionality that is not implemented.";
const UNKNOWN_KEY: &str = "The AWS Access Key Id you provided does not exist in our records.";

impl Hint<'static> {
    pub(super) const fn new(error: Error, family: Family) -> Self {
        Self {
            error,
            family,
            about: None,
            #[cfg(feature = "post-policy")]
            about_form: None,
        }
    }
}

impl<'a> Hint<'a> {
    /// The same hint with what only the request can tell: the region expected, the headers not
    /// signed, the string to sign.
    ///
    /// It repeats signed fields to the one who sent them, a session token among them: send it, do
    /// not log it.
    #[must_use]
    pub fn about<'b>(
        self,
        rules: &'b Verifier<'b>,
        request: &'b Request<'b>,
        now: Timestamp,
    ) -> Hint<'b> {
        Hint { about: Some(About { rules, request, body: None, now }), ..self.alone() }
    }

    /// As [`about`](Self::about), for a request that was read with its body by
    /// [`Verifier::read_whole`].
    #[must_use]
    pub fn about_whole<'b>(
        self,
        rules: &'b Verifier<'b>,
        request: &'b Request<'b>,
        body: &'b [u8],
        now: Timestamp,
    ) -> Hint<'b> {
        Hint { about: Some(About { rules, request, body: Some(body), now }), ..self.alone() }
    }

    /// The same, of nothing in particular.
    fn alone<'b>(self) -> Hint<'b> {
        Hint::new(self.error, self.family)
    }

    #[cfg(feature = "post-policy")]
    pub(super) fn of_form<'b>(self, about: AboutForm<'b>) -> Hint<'b> {
        Hint { about_form: Some(about), ..self.alone() }
    }

    /// The service's name for the fault.
    #[must_use]
    pub fn code(&self) -> &'static str {
        answer::of(self.error).of(self.family).0
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        answer::of(self.error).of(self.family).1
    }

    /// The family of the answer.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.family
    }

    /// The message. It repeats parts of the request and has to be escaped where it is embedded.
    #[must_use]
    pub fn message(&self) -> impl Display + '_ {
        Message(self)
    }

    /// Hands over the extra elements of an S3 answer, in AWS's order: name and value, unescaped.
    /// The other families have none.
    pub fn elements(&self, mut each: impl FnMut(&'static str, &dyn Display)) {
        if self.family == Family::S3 {
            self.put_elements(&mut each);
        }
    }

    fn put_elements(&self, each: Each<'_>) {
        #[cfg(feature = "post-policy")]
        if let Some(about) = &self.about_form {
            match self.error {
                Error::Read(error) => return about.read_elements(error, each),
                Error::Verify(error) => return about.verify_elements(error, each),
                _ => {}
            }
        }
        match self.error {
            Error::Read(error) => {
                if let Some(about) = &self.about {
                    about.read_elements(error, each);
                }
            }
            Error::Verify(error) => {
                if let Some(about) = &self.about {
                    about.verify_elements(error, each);
                }
            }
            Error::Body(BodyError::DigestMismatch { declared, computed }) => {
                let hex = |digest| digest_to_hex(digest);
                each("ClientComputedContentSHA256", &Lossy(&hex(&declared)));
                each("S3ComputedContentSHA256", &Lossy(&hex(&computed)));
            }
            Error::Body(BodyError::Length { expected, provided }) => {
                each("NumberBytesExpected", &expected);
                each("NumberBytesProvided", &provided);
            }
            Error::Body(BodyError::ChunkSize { chunk, size }) => {
                each("Chunk", &chunk);
                each("BadChunkSize", &size);
            }
            Error::Body(BodyError::FileTooLarge { proposed, max }) => {
                each("ProposedSize", &proposed);
                each("MaxSizeAllowed", &max);
            }
            Error::Body(BodyError::FileTooSmall { proposed, min }) => {
                each("ProposedSize", &proposed);
                each("MinSizeAllowed", &min);
            }
            #[cfg(feature = "post-policy")]
            Error::Form(error) => form::elements(error, self.about_form, each),
            Error::Body(_) | Error::Sign(_) => {}
            #[cfg(feature = "post-policy")]
            Error::Policy(_) => {}
        }
    }

    fn is_s3(&self) -> bool {
        self.family == Family::S3
    }

    /// A part of the credential, counted from its end, if the request is at hand.
    fn credential(&self, from_end: usize) -> Part<'_> {
        Part {
            about: self.about,
            #[cfg(feature = "post-policy")]
            about_form: self.about_form,
            from_end,
        }
    }

    fn put_message(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error {
            Error::Read(error) => self.put_read(error, f),
            Error::Verify(error) => self.put_verify(error, f),
            Error::Body(error) => self.put_body(error, f),
            Error::Sign(_) => self.put_internal(f),
            #[cfg(feature = "post-policy")]
            Error::Form(error) => form::put(error, self.about_form, f),
            #[cfg(feature = "post-policy")]
            Error::Policy(_) => self.put_internal(f),
        }
    }

    /// The rules of what is at hand.
    fn rules(&self) -> Option<&Verifier<'_>> {
        #[cfg(feature = "post-policy")]
        if let Some(about) = &self.about_form {
            return Some(about.rules);
        }
        self.about.as_ref().map(|about| about.rules)
    }

    fn put_body(&self, error: BodyError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use BodyError as E;
        match error {
            E::DigestMismatch { .. } if self.is_s3() => f.write_str(
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ),
            E::DigestMismatch { .. } | E::ChunkSignature | E::TrailerSignature => {
                self.put_mismatch(f)
            }
            E::Length { .. } => f.write_str(
                "You did not provide the number of bytes specified by the Content-Length HTTP \
                 header",
            ),
            E::FrameSyntax | E::Truncated | E::AfterEnd | E::TrailerSignatureMissing => {
                f.write_str("The request body terminated unexpectedly")
            }
            E::ChunkSize { .. } => {
                f.write_str("Only the last chunk is allowed to have a size less than 8192 bytes")
            }
            E::TrailerSyntax
            | E::TrailerUnannounced
            | E::TrailerRepeated
            | E::TrailerMissing => f.write_str(
                "The request contained trailing data that was not well-formed or did not conform \
                 to our published schema.",
            ),
            E::ChecksumsMultiple => f.write_str(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not \
                 allowed.",
            ),
            E::ChecksumSyntax { field, trailer } => {
                let trailing = if trailer { "trailing " } else { "" };
                write!(f, "Value for {field} {trailing}header is invalid.")
            }
            E::ChecksumMismatch { field } => {
                let Some(name) = field.strip_prefix("x-amz-checksum-") else {
                    return self.put_body(E::ContentMd5Mismatch, f);
                };
                f.write_str("The ")?;
                name.chars().try_for_each(|c| f.write_char(c.to_ascii_uppercase()))?;
                f.write_str(" you specified did not match the calculated checksum.")
            }
            E::ContentMd5Syntax => f.write_str("The Content-MD5 you specified was invalid."),
            E::ContentMd5Mismatch => {
                f.write_str("The Content-MD5 you specified did not match what we received.")
            }
            E::Abandoned | E::FileTooLarge { .. } => {
                f.write_str("Your proposed upload exceeds the maximum allowed size")
            }
            E::FileTooSmall { .. } => {
                f.write_str("Your proposed upload is smaller than the minimum allowed size")
            }
            E::AlreadyWhole => self.put_internal(f),
        }
    }

    fn put_internal(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_s3() {
            "We encountered an internal error. Please try again."
        } else {
            "The request processing has failed because of an unknown error, exception or failure."
        })
    }

    fn put_mismatch(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_s3() { MISMATCH } else { MISMATCH_QUERY })
    }

    fn put_request(&self, error: RequestError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match error {
            RequestError::TargetSyntax | RequestError::EscapeSyntax if self.is_s3() => {
                "Couldn't parse the specified URI."
            }
            RequestError::EscapeSyntax => "Illegal hex character in escape % pattern",
            RequestError::TooManyParameters
            | RequestError::TooManyHeaders
            | RequestError::HeadTooLong => {
                "Your request header and query parameters used to make the request exceed the \
                 maximum allowed size."
            }
            _ if self.is_s3() => "An error occurred when parsing the HTTP request.",
            _ => "The request could not be parsed at the HTTP level.",
        })
    }

    fn put_verify(&self, error: VerifyError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match (error, self.family) {
            (VerifyError::SignatureMismatch, Family::S3) => MISMATCH,
            (VerifyError::SignatureMismatch, _) => {
                f.write_str(MISMATCH_QUERY)?;
                let claim = self.about.and_then(|about| about.claim());
                let Some(claim) = claim else { return Ok(()) };
                return write!(
                    f,
                    "\n\nThe Canonical String for this request should have been\n'{}'\n\n\
                     The String-to-Sign should have been\n'{}'\n",
                    claim.canonical_request(),
                    claim.string_to_sign(),
                );
            }
            (VerifyError::SessionTokenMissing | VerifyError::UnknownAccessKey, Family::S3) => {
                UNKNOWN_KEY
            }
            (_, Family::S3) => "The provided token is malformed or otherwise invalid.",
            (VerifyError::UnknownAccessKey, Family::Query) => {
                "The AWS access key provided does not exist in our records."
            }
            _ => "The security token included in the request is invalid.",
        };
        f.write_str(text)
    }

    fn put_read(&self, error: ReadError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ReadError as E;
        let s3 = self.is_s3();
        match error {
            E::Request(error) => self.put_request(error, f),
            E::ContentLengthSyntax => self.put_request(RequestError::HeaderSyntax, f),
            E::Anonymous | E::UnsignedPayloadRefused if s3 => f.write_str("Access Denied"),
            E::Anonymous if self.family == Family::Json => {
                f.write_str("Missing Authentication Token")
            }
            E::Anonymous => f.write_str("Request is missing Authentication Token"),
            E::TwoMechanisms | E::AuthorizationRepeated if s3 => f.write_str(ONE_MECHANISM),
            E::SignatureV2 if s3 => f.write_str(
                "The authorization mechanism you have provided is not supported. Please use \
                 AWS4-HMAC-SHA256.",
            ),
            E::SignatureV2 => f.write_str("Unsupported AWS 'algorithm': 'AWS'."),
            E::SignatureV4a(_) | E::FormNotSupported | E::StreamingUnsupported if s3 => {
                f.write_str(NOT_IMPLEMENTED)
            }
            E::SignatureV4a(_) => {
                f.write_str("Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'.")
            }
            E::FormNotSupported => f.write_str("Request is missing Authentication Token"),
            E::AuthorizationSpace => f.write_str(
                "Authorization header is invalid -- one and only one ' ' (space) required.",
            ),
            E::AuthorizationType if s3 => f.write_str("Unsupported Authorization Type"),
            E::AuthorizationType => f.write_str("Unsupported AWS 'algorithm'."),
            E::AuthorizationComponents
            | E::AuthorizationComponentSyntax
            | E::AuthorizationComponentMissing(_)
            | E::AuthorizationComponentRepeated => self.put_components(error, f),
            E::ParameterMissing if s3 => f.write_str(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, \
                 X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and \
                 X-Amz-Expires parameters.",
            ),
            E::ParameterMissing => f.write_str(
                "AWS query-string parameters must include 'X-Amz-Algorithm', 'X-Amz-Credential', \
                 'X-Amz-Signature', 'X-Amz-SignedHeaders' and 'X-Amz-Date'. Re-examine the \
                 query-string parameters.",
            ),
            E::ParameterRepeated | E::ParameterAlias => f.write_str(
                "Query-string authentication version 4 requires each of its parameters once, \
                 spelled as documented.",
            ),
            E::AlgorithmUnsupported if s3 => {
                f.write_str("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"")
            }
            E::AlgorithmUnsupported => f.write_str("Request is missing Authentication Token"),
            E::CredentialSyntax(_)
            | E::CredentialDateSyntax(_)
            | E::ScopeDate(_)
            | E::ScopeRegion(_)
            | E::ScopeService(_)
            | E::ScopeTerminator(_) => self.put_credential(error, f),
            E::SignedHeadersSyntax(Mechanism::Header) if s3 => f.write_str(
                "The authorization header is malformed; the authorization component \
                 \"SignedHeaders\" is malformed.",
            ),
            E::SignedHeadersSyntax(_) if s3 => f.write_str(
                "Error parsing the X-Amz-SignedHeaders parameter; the list must be lower case, \
                 sorted, without repetition.",
            ),
            E::SignedHeadersSyntax(_) => {
                f.write_str("SignedHeaders must be lower case, sorted, without repetition.")
            }
            E::TwoMechanisms
            | E::AuthorizationRepeated
            | E::SignatureSyntax
            | E::SignedHeaderMissing
            | E::UnsignedPayloadRefused => self.put_mismatch(f),
            E::DateMissing | E::DateSyntax(Mechanism::Header) if s3 => {
                f.write_str("AWS authentication requires a valid Date or x-amz-date header")
            }
            E::DateMissing => f.write_str(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' \
                 header. Authorization=AWS4-HMAC-SHA256",
            ),
            #[cfg(feature = "post-policy")]
            E::DateSyntax(Mechanism::Form) => f.write_str(form::DATE_FORM),
            E::DateSyntax(_) if s3 => f.write_str(
                "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
            ),
            E::DateSyntax(_) => f.write_str("Date must be in ISO-8601 'basic format'."),
            E::ExpiresSyntax => f.write_str("X-Amz-Expires should be a number"),
            E::ExpiresNegative => f.write_str("X-Amz-Expires must be non-negative"),
            E::ExpiresZero => f.write_str("X-Amz-Expires must be at least 1"),
            E::ExpiresTooLong => self.put_too_long(f),
            E::ClockSkew | E::Expired | E::NotYetValid => self.put_time(error, f),
            E::SessionTokenConflict if s3 => {
                f.write_str("The request contains more than one session token.")
            }
            E::SessionTokenConflict => {
                f.write_str("The security token included in the request is invalid")
            }
            E::ContentMissing => {
                f.write_str("Missing required header for this request: x-amz-content-sha256")
            }
            E::ContentSyntax => f.write_str(CONTENT_VALUES),
            E::ContentConflict | E::StreamingUnsupported => {
                f.write_str("The value of x-amz-content-sha256 header is invalid.")
            }
            E::DecodedLengthMissing | E::DecodedLengthSyntax => {
                f.write_str("You must provide the Content-Length HTTP header.")
            }
            E::TrailerNames | E::TrailerUnexpected => {
                f.write_str("The value specified in the x-amz-trailer header is not supported")
            }
            E::ContentUnknown => self.put_internal(f),
            E::HostNotSigned | E::HeadersNotSigned if s3 => {
                f.write_str("There were headers present in the request which were not signed")
            }
            E::HostNotSigned => f.write_str(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            ),
            E::HeadersNotSigned => f.write_str(
                "A header of the request must be a 'SignedHeader' in the AWS Authorization.",
            ),
        }
    }

    fn put_components(&self, error: ReadError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |component| match component {
            Component::Credential => "Credential",
            Component::SignedHeaders => "SignedHeaders",
            Component::Signature => "Signature",
        };
        if self.is_s3() {
            f.write_str("The authorization header is malformed; ")?;
            return match error {
                ReadError::AuthorizationComponentMissing(component) => {
                    write!(f, "missing {}.", name(component))
                }
                ReadError::AuthorizationComponentSyntax => {
                    f.write_str("an authorization component is malformed.")
                }
                _ => f.write_str(
                    "the authorization header requires three components: Credential, \
                     SignedHeaders, and Signature.",
                ),
            };
        }
        match error {
            ReadError::AuthorizationComponentMissing(component) => {
                write!(f, "Authorization header requires '{}' parameter.", name(component))?;
            }
            ReadError::AuthorizationComponentSyntax => {
                f.write_str("invalid key=value pair (missing equal-sign) in Authorization header.")?
            }
            _ => f.write_str(
                "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' \
                 parameters, each once.",
            )?,
        }
        f.write_str(" Authorization=AWS4-HMAC-SHA256")
    }

    fn put_credential(&self, error: ReadError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_s3() {
            self.put_credential_s3(error, f)
        } else {
            self.put_credential_query(error, f)
        }
    }

    fn put_credential_s3(&self, error: ReadError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ReadError as E;
        match error {
            E::ScopeDate(Mechanism::Query) => {
                return f.write_str(
                    "Invalid credential date. This date is not the same as X-Amz-Date.",
                );
            }
            E::CredentialSyntax(Mechanism::Query)
            | E::CredentialDateSyntax(Mechanism::Query)
            | E::ScopeRegion(Mechanism::Query)
            | E::ScopeService(Mechanism::Query)
            | E::ScopeTerminator(Mechanism::Query) => {
                f.write_str("Error parsing the X-Amz-Credential parameter; ")?;
            }
            E::CredentialSyntax(Mechanism::Form)
            | E::CredentialDateSyntax(Mechanism::Form)
            | E::ScopeDate(Mechanism::Form)
            | E::ScopeRegion(Mechanism::Form)
            | E::ScopeService(Mechanism::Form)
            | E::ScopeTerminator(Mechanism::Form) => {}
            _ => f.write_str("The authorization header is malformed; ")?,
        }
        let (region, service) =
            self.rules().map_or(("", ""), |rules| (rules.region, rules.service));
        match error {
            E::CredentialSyntax(_) => f.write_str(
                "the Credential is mal-formed; expecting \
                 \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
            ),
            E::CredentialDateSyntax(_) => write!(
                f,
                "incorrect date format \"{}\". This date in the credential must be in the format \
                 \"yyyyMMdd\".",
                self.credential(3),
            ),
            E::ScopeRegion(_) => {
                write!(f, "the region '{}' is wrong; expecting '{region}'", self.credential(2))
            }
            E::ScopeService(_) => write!(
                f,
                "incorrect service \"{}\". This endpoint belongs to \"{service}\".",
                self.credential(1),
            ),
            E::ScopeTerminator(_) => write!(
                f,
                "incorrect terminal \"{}\". This endpoint uses \"aws4_request\".",
                self.credential(0),
            ),
            _ => f.write_str("Invalid credential date. Date is not the same as X-Amz-Date."),
        }
    }

    fn put_credential_query(&self, error: ReadError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ReadError as E;
        let service = self.rules().map_or("", |rules| rules.service);
        match error {
            E::CredentialSyntax(_) => f.write_str(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term.",
            ),
            E::ScopeRegion(_) => write!(
                f,
                "Credential should be scoped to a valid region, not '{}'.",
                self.credential(2),
            ),
            E::ScopeService(_) => {
                write!(f, "Credential should be scoped to correct service: '{service}'.")
            }
            E::ScopeTerminator(_) => write!(
                f,
                "Credential should be scoped with a valid terminator: 'aws4_request', not '{}'.",
                self.credential(0),
            ),
            _ => f.write_str(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
                 from HTTP",
            ),
        }
    }

    fn put_too_long(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.about.map(|about| about.rules.max_expires.as_secs()) {
            None | Some(604_800) => f.write_str(
                "X-Amz-Expires must be less than a week (in seconds); that is, the given \
                 X-Amz-Expires must be less than 604800 seconds",
            ),
            Some(max) => write!(f, "X-Amz-Expires must be at most {max} seconds"),
        }
    }

    fn put_time(&self, error: ReadError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_s3() {
            return f.write_str(match error {
                ReadError::Expired => "Request has expired",
                ReadError::NotYetValid => "Request is not yet valid",
                _ => "The difference between the request time and the current time is too large.",
            });
        }
        let times = self.about.and_then(|about| {
            let (at, life) = about.times()?;
            Some((at, life, about.now, about.rules.clock_skew.as_secs()))
        });
        let Some((at, life, now, skew)) = times else {
            return f.write_str(match error {
                ReadError::NotYetValid => "Signature not yet current",
                _ => "Signature expired",
            });
        };
        let minutes = skew / 60;
        let earliest = i64::try_from(skew).ok().and_then(|skew| now.unix().checked_sub(skew));
        if at > now {
            write!(f, "Signature not yet current: {at} is still later than ")?;
            put_time(now.plus(skew), f)?;
            write!(f, " ({now} + {minutes} min.)")
        } else if let Some(life) = life {
            f.write_str("Signature expired: ")?;
            put_time(at.plus(life), f)?;
            write!(f, " is now earlier than {now}")
        } else {
            write!(f, "Signature expired: {at} is now earlier than ")?;
            put_time(earliest.and_then(Timestamp::from_unix), f)?;
            write!(f, " ({now} - {minutes} min.)")
        }
    }
}

fn put_time(time: Option<Timestamp>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    time.map_or(Ok(()), |time| time.fmt(f))
}

impl<'a> About<'a> {
    /// The claim as it was read before.
    fn claim(&self) -> Option<Claim<'a>> {
        match self.body {
            None => self.rules.read(self.request, self.now),
            Some(body) => self.rules.read_whole(self.request, body, self.now),
        }
        .ok()
    }

    /// When the request says that it was signed, and how long it asks to live.
    fn times(&self) -> Option<(Timestamp, Option<u64>)> {
        self.rules.evidence(self.request, self.now, |_, presented| {
            let at = presented.timestamp(&self.request.look(), self.now).ok()?;
            let life = presented.expires(self.rules).ok()?;
            Some((at, life.map(|life| life.as_secs())))
        })
    }

    fn read_elements(&self, error: ReadError, each: Each<'_>) {
        use ReadError as E;
        match error {
            E::TwoMechanisms
            | E::AuthorizationRepeated
            | E::AuthorizationSpace
            | E::AuthorizationType => {
                if let Some(field) = self.request.look().first(Known::Authorization) {
                    each("ArgumentName", &"Authorization");
                    each("ArgumentValue", &Lossy(trim(field.value)));
                }
            }
            E::ContentSyntax => {
                if let Ok(Some(value)) = self.request.look().single(Known::AmzContentSha256) {
                    each("ArgumentName", &"x-amz-content-sha256");
                    each("ArgumentValue", &Lossy(value));
                }
            }
            E::ScopeRegion(_) => each("Region", &self.rules.region),
            E::Request(RequestError::HeadTooLong) => {
                each("MaxSizeAllowed", &self.rules.limits.head_len);
            }
            E::ClockSkew => {
                if let Some((at, _)) = self.times() {
                    each("RequestTime", &at);
                    each("ServerTime", &self.now.extended());
                    each("MaxAllowedSkewMilliseconds", &self.rules.clock_skew.as_millis());
                }
            }
            E::Expired => {
                if let Some((at, Some(life))) = self.times() {
                    each("X-Amz-Expires", &life);
                    if let Some(end) = at.plus(life) {
                        each("Expires", &end.extended());
                    }
                }
                each("ServerTime", &self.now.extended());
            }
            E::NotYetValid => each("ServerTime", &self.now.extended()),
            E::HostNotSigned | E::HeadersNotSigned => each("HeadersNotSigned", &NotSigned(self)),
            E::SignedHeaderMissing => each("HeadersNotSent", &NotSent(self)),
            _ => {}
        }
    }

    fn verify_elements(&self, error: VerifyError, each: Each<'_>) {
        let Some(claim) = self.claim() else { return };
        match error {
            VerifyError::SignatureMismatch => {
                let (text, canonical) = (claim.string_to_sign(), claim.canonical_request());
                each("AWSAccessKeyId", &claim.claimed_access_key_id());
                each("StringToSign", &text);
                each("SignatureProvided", &claim.presented_signature());
                each("StringToSignBytes", &Hex(&|each| text.pieces(each)));
                each("CanonicalRequest", &canonical);
                each("CanonicalRequestBytes", &Hex(&|each| canonical.pieces(each)));
            }
            VerifyError::SessionTokenMissing | VerifyError::UnknownAccessKey => {
                each("AWSAccessKeyId", &claim.claimed_access_key_id());
            }
            VerifyError::SessionTokenUnexpected | VerifyError::SessionTokenMismatch => {}
        }
    }
}

/// The message of a hint.
struct Message<'a>(&'a Hint<'a>);

impl Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.put_message(f)
    }
}

/// A part of the credential that a request carries, counted from its end.
struct Part<'a> {
    about: Option<About<'a>>,
    #[cfg(feature = "post-policy")]
    about_form: Option<AboutForm<'a>>,
    from_end: usize,
}

impl Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |text: &str, f: &mut fmt::Formatter<'_>| {
            f.write_str(text.rsplit('/').nth(self.from_end).unwrap_or_default())
        };
        #[cfg(feature = "post-policy")]
        if let Some(about) = &self.about_form {
            return part(about.credential_text().unwrap_or_default(), f);
        }
        let Some(About { rules, request, .. }) = self.about else { return Ok(()) };
        let mut buffer = Buffer::new();
        part(rules.credential_text(request, &mut buffer).unwrap_or_default(), f)
    }
}

/// Bytes shown as text.
struct Lossy<'a>(&'a [u8]);

impl Display for Lossy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}

/// Bytes as two hexadecimal digits each, with a blank between them.
pub(super) struct Hex<'a>(pub(super) &'a PutBytes<'a>);

/// Hands bytes over, piece by piece.
pub(super) type PutBytes<'a> = dyn Fn(&mut dyn FnMut(&[u8])) + 'a;

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut result = Ok(());
        let mut separator = "";
        (self.0)(&mut |bytes| {
            for byte in bytes {
                if result.is_ok() {
                    result = write!(f, "{separator}{byte:02x}");
                    separator = " ";
                }
            }
        });
        result
    }
}

/// Names of the fields that must be signed and are not.
struct NotSigned<'a>(&'a About<'a>);

impl Display for NotSigned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let About { rules, request, now, .. } = *self.0;
        let result = rules.evidence(request, now, |fields, presented| {
            let signed = presented.signed_headers().ok()?;
            let is_missed = |name: &&str| {
                let host = name.eq_ignore_ascii_case("host");
                !signed.contains(name) && (host || rules.must_sign(name, signed))
            };
            Some(put_names(fields.names().filter(is_missed), f))
        });
        result.unwrap_or(Ok(()))
    }
}

/// Names of the fields that are said to be signed and did not come.
struct NotSent<'a>(&'a About<'a>);

impl Display for NotSent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let About { rules, request, now, .. } = *self.0;
        let result = rules.evidence(request, now, |fields, presented| {
            let signed = presented.signed_headers().ok()?;
            let came = |name: &&str| fields.fields(name).next().is_some();
            Some(put_names(signed.names().filter(|name| !came(name)), f))
        });
        result.unwrap_or(Ok(()))
    }
}

fn put_names<'n>(names: impl Iterator<Item = &'n str>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut separator = "";
    for name in names {
        f.write_str(separator)?;
        for byte in name.chars() {
            f.write_char(byte.to_ascii_lowercase())?;
        }
        separator = ", ";
    }
    Ok(())
}

impl fmt::Debug for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hint").field("error", &self.error).field("family", &self.family).finish()
    }
}
