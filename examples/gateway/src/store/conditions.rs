//! What has to hold before a request is carried out, and which bytes it is about.
//!
//! Conditions, ranges, versions and part numbers: pure functions of what was asked for and what is
//! there. Nothing here touches a file.

use std::ops::Range as Span;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use s3s::dto::{CopySource, ETagCondition, HeadObjectOutput, Range, Timestamp, TimestampFormat};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};
use time::OffsetDateTime;

use super::multipart::MAX_PART;

/// The most entries in one answer.
const PAGE: i32 = 1000;
/// The only version an object has where there are no versions.
pub(super) const VERSION: &str = "null";

/// What decides whether a request is carried out at all.
#[derive(Default)]
pub(super) struct Conditions<'c> {
    pub(super) matches: Option<&'c ETagCondition>,
    pub(super) none_match: Option<&'c ETagCondition>,
    pub(super) modified_since: Option<&'c Timestamp>,
    pub(super) unmodified_since: Option<&'c Timestamp>,
}

/// What decides whether an object is written.
#[derive(Default)]
pub(super) struct WriteConditions {
    pub(super) matches: Option<ETagCondition>,
    pub(super) none_match: Option<ETagCondition>,
}

impl WriteConditions {
    /// What the head of a request asks for.
    pub(super) fn of(headers: &HeaderMap) -> S3Result<Self> {
        let read = |name: HeaderName| {
            let mut values = headers.get_all(&name).iter();
            let value =
                values.next().map(|value| ETagCondition::parse_http_header(value.as_bytes()));
            match (value, values.next()) {
                (None, None) => Ok(None),
                (Some(Ok(condition)), None) => Ok(Some(condition)),
                _ => Err(s3_error!(InvalidArgument, "A condition is not an ETag: {name}")),
            }
        };
        Ok(WriteConditions {
            matches: read(header::IF_MATCH)?,
            none_match: read(header::IF_NONE_MATCH)?,
        })
    }
}

impl Conditions<'_> {
    /// Which of them an object fails, as the HTTP specification orders them.
    fn check(&self, head: &HeadObjectOutput) -> Result<(), S3ErrorCode> {
        let is = |condition: &ETagCondition| match condition.as_etag() {
            Some(etag) => head.e_tag.as_ref().is_some_and(|ours| ours.value() == etag.value()),
            None => true,
        };
        // Dates in headers have no fractions, so neither may ours.
        let seconds = |time: &Timestamp| OffsetDateTime::from(time.clone()).unix_timestamp();
        let modified = head.last_modified.as_ref().map(seconds);
        match (self.matches, self.unmodified_since) {
            (Some(etag), _) if !is(etag) => return Err(S3ErrorCode::PreconditionFailed),
            (None, Some(time)) if modified > Some(seconds(time)) => {
                return Err(S3ErrorCode::PreconditionFailed);
            }
            _ => {}
        }
        match (self.none_match, self.modified_since) {
            (Some(etag), _) if is(etag) => Err(S3ErrorCode::NotModified),
            (None, Some(time)) if modified <= Some(seconds(time)) => Err(S3ErrorCode::NotModified),
            _ => Ok(()),
        }
    }

    /// The answer to a read: 304 still tells which object it was about.
    pub(super) fn check_read(&self, head: &HeadObjectOutput) -> S3Result<()> {
        self.check(head).map_err(|code| {
            let mut error = S3Error::new(code);
            let mut headers = HeaderMap::new();
            if let Some(etag) = head.e_tag.as_ref().and_then(|etag| etag.to_http_header().ok()) {
                headers.insert(header::ETAG, etag);
            }
            error.set_headers(headers);
            error
        })
    }

    /// The answer to a copy or a write: whatever fails is a failed precondition.
    pub(super) fn check_change(&self, head: &HeadObjectOutput) -> S3Result<()> {
        self.check(head).map_err(|_| {
            s3_error!(
                PreconditionFailed,
                "At least one of the pre-conditions you specified did not hold"
            )
        })
    }
}

/// There is one version of everything.
pub(super) fn check_version(version: Option<&str>) -> S3Result<()> {
    match version {
        None | Some(VERSION) => Ok(()),
        Some(_) => Err(s3_error!(NoSuchVersion, "The specified version does not exist.")),
    }
}

/// The limit of a page.
pub(super) fn limit(asked: Option<i32>) -> S3Result<usize> {
    usize::try_from(page_size(asked))
        .map_err(|_| s3_error!(InvalidArgument, "max-keys cannot be negative"))
}

/// Bucket and key that a copy reads.
pub(super) fn source(source: &CopySource) -> S3Result<(String, String)> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            check_version(version_id.as_deref())?;
            Ok((bucket.to_string(), key.to_string()))
        }
        _ => Err(s3_error!(NotImplemented, "Only bucket/key can be copied from")),
    }
}

/// The bytes a range stands for.
pub(super) fn span(range: Option<Range>, size: u64) -> S3Result<Span<u64>> {
    match range {
        None => Ok(0..size),
        // The last bytes of nothing are no bytes.
        Some(range) => range.check(size).ok().filter(|span| !span.is_empty()).ok_or_else(|| {
            let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                headers.insert(header::CONTENT_RANGE, value);
            }
            error.set_headers(headers);
            error
        }),
    }
}

/// The range that is asked for if the object is still the one that `If-Range` means (RFC 9110, 13.1.5): who
/// goes on with a download otherwise gets all of it.
pub(super) fn fresh_range(
    range: Option<Range>,
    headers: &HeaderMap,
    head: &HeadObjectOutput,
) -> Option<Range> {
    let Some(wanted) = headers.get(header::IF_RANGE) else { return range };
    let etag = head.e_tag.as_ref().and_then(|etag| etag.to_http_header().ok());
    let modified = head.last_modified.as_ref().and_then(|time| {
        let mut text = Vec::new();
        time.format(TimestampFormat::HttpDate, &mut text).ok().map(|()| text)
    });
    let fresh = etag.is_some_and(|etag| etag == wanted)
        || modified.is_some_and(|modified| modified == wanted.as_bytes());
    range.filter(|_| fresh)
}

/// How many entries of a page were asked for, as S3 repeats it.
pub(super) fn page_size(asked: Option<i32>) -> i32 {
    asked.unwrap_or(PAGE).min(PAGE)
}

/// The range of a part copy, which unlike `Range` must be exact.
pub(super) fn copy_span(range: Option<&str>, size: u64) -> S3Result<Span<u64>> {
    let Some(range) = range else { return Ok(0..size) };
    let malformed = || {
        s3_error!(
            InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first \
             and last are the zero-based offsets of the first and last bytes to copy"
        )
    };
    match Range::parse(range).map_err(|_| malformed())? {
        Range::Int { first, last: Some(last) } if last < size => Ok(first..last + 1),
        Range::Int { last: Some(_), .. } => {
            Err(s3_error!(InvalidRange, "The requested range is not satisfiable"))
        }
        _ => Err(malformed()),
    }
}

/// The first part of an object that has only one is the object. Where the others began is not kept.
pub(super) fn check_part(number: Option<i32>, head: &HeadObjectOutput) -> S3Result<()> {
    let multipart = head.e_tag.as_ref().is_some_and(|etag| etag.value().contains('-'));
    match number {
        None => Ok(()),
        Some(_) if multipart => {
            Err(s3_error!(NotImplemented, "Reading single parts is not implemented"))
        }
        Some(1) => Ok(()),
        Some(_) => Err(s3_error!(InvalidPart, "The requested partnumber is not satisfiable")),
    }
}

pub(super) fn check_part_number(number: i32) -> S3Result<()> {
    if (1..=MAX_PART).contains(&number) {
        return Ok(());
    }
    Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive"))
}

pub(super) fn content_range(span: &Span<u64>, whole: u64) -> String {
    format!("bytes {}-{}/{whole}", span.start, span.end.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3s::dto::ETag;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(TimestampFormat::DateTime, text).unwrap()
    }

    /// The code of the condition that fails, if one does.
    fn failed(conditions: &Conditions<'_>) -> Option<&'static str> {
        let head = HeadObjectOutput {
            e_tag: Some(ETag::Strong("one".to_owned())),
            last_modified: Some(time("2024-05-06T07:08:09.500Z")),
            ..HeadObjectOutput::default()
        };
        conditions.check(&head).err().map(|code| match code {
            S3ErrorCode::PreconditionFailed => "failed",
            S3ErrorCode::NotModified => "not modified",
            _ => "other",
        })
    }

    #[test]
    fn conditions_in_the_order_of_http() {
        let etag = |text: &str| ETagCondition::ETag(ETag::Strong(text.to_owned()));
        let (one, two, any) = (etag("one"), etag("two"), ETagCondition::Any);
        // A date in a header has no fraction: the object is as old as its second.
        let (before, same) = (time("2024-05-06T07:08:08.000Z"), time("2024-05-06T07:08:09.000Z"));
        let base = Conditions::default;
        for (conditions, expected) in [
            (base(), None),
            (Conditions { matches: Some(&one), ..base() }, None),
            (Conditions { matches: Some(&any), ..base() }, None),
            (Conditions { matches: Some(&two), ..base() }, Some("failed")),
            (Conditions { none_match: Some(&one), ..base() }, Some("not modified")),
            (Conditions { none_match: Some(&any), ..base() }, Some("not modified")),
            (Conditions { none_match: Some(&two), ..base() }, None),
            (Conditions { unmodified_since: Some(&before), ..base() }, Some("failed")),
            (Conditions { unmodified_since: Some(&same), ..base() }, None),
            (Conditions { modified_since: Some(&same), ..base() }, Some("not modified")),
            (Conditions { modified_since: Some(&before), ..base() }, None),
            // An ETag decides, whatever the date says.
            (Conditions { matches: Some(&one), unmodified_since: Some(&before), ..base() }, None),
            (Conditions { none_match: Some(&two), modified_since: Some(&same), ..base() }, None),
        ] {
            assert_eq!(failed(&conditions), expected);
        }
    }

    #[test]
    fn ranges_to_copy_are_exact() {
        assert_eq!(copy_span(None, 10).ok(), Some(0..10));
        assert_eq!(copy_span(Some("bytes=0-9"), 10).ok(), Some(0..10));
        assert_eq!(copy_span(Some("bytes=3-3"), 10).ok(), Some(3..4));
        for bad in ["bytes=0-10", "bytes=5-", "bytes=-5", "bytes=5-4", "5-6", ""] {
            assert!(copy_span(Some(bad), 10).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_of_nothing_and_of_what_is_not_there_any_more() {
        let range = |text: &str| Some(Range::parse(text).unwrap());
        assert_eq!(span(range("bytes=-3"), 10).ok(), Some(7..10));
        assert_eq!(span(None, 0).ok(), Some(0..0));
        for text in ["bytes=-3", "bytes=0-", "bytes=0-0"] {
            assert!(span(range(text), 0).is_err(), "{text}");
        }
        let head = HeadObjectOutput {
            e_tag: Some(ETag::Strong("one".to_owned())),
            last_modified: Some(time("2024-05-06T07:08:09.500Z")),
            ..HeadObjectOutput::default()
        };
        for (wanted, fresh) in [
            ("\"one\"", true),
            ("Mon, 06 May 2024 07:08:09 GMT", true),
            ("\"two\"", false),
            ("W/\"one\"", false),
            ("one", false),
            ("Mon, 06 May 2024 07:08:10 GMT", false),
            ("*", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_RANGE, HeaderValue::from_static(wanted));
            assert_eq!(
                fresh_range(range("bytes=1-2"), &headers, &head).is_some(),
                fresh,
                "{wanted}"
            );
        }
        assert!(fresh_range(range("bytes=1-2"), &HeaderMap::new(), &head).is_some());
    }
}
