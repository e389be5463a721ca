//! What is asked for, and whether there is such a thing here.
//!
//! `s3s` knows requests by some of their parameters and carries out what is left of the others: with a
//! parameter of a newer S3, `PUT` would write the object that it is about, and `DELETE` delete it. So what
//! writes may have the parameters named here and no other, and no header goes unheard that asks for more
//! than there is. Reading is more lenient, as S3 is: only what looks like the name of something to read is
//! refused. Pure functions of a head; what is then done this module deliberately does not know.

use http::{HeaderMap, Method, Uri, header};
use percent_encoding::percent_decode_str;
use s3s::dto::StorageClass;
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

/// Headers that ask for something that is not here, by how they begin.
const HEADERS: [&str; 7] = [
    "x-amz-server-side-encryption",
    "x-amz-copy-source-server-side-encryption",
    "x-amz-object-lock-",
    "x-amz-bucket-object-lock-",
    "x-amz-grant-",
    "x-amz-tagging",
    "x-amz-rename-source",
];

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Service,
    Bucket,
    Object,
}

/// Refuses what would otherwise be quietly left out: an object is not stored without the encryption or
/// the lock that was asked for, and not instead of something else.
pub(super) fn check(method: &Method, uri: &Uri, headers: &HeaderMap) -> S3Result<()> {
    check_parameters(method, uri)?;
    check_headers(headers)?;
    // Forms come by another gate, as a PUT. s3s would read this as one whose signature nobody has
    // verified.
    let form = headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        value.as_bytes().to_ascii_lowercase().starts_with(b"multipart/form-data")
    });
    if *method == Method::POST && form {
        return Err(s3_error!(NotImplemented, "POST uploads with a form are not implemented"));
    }
    Ok(())
}

fn check_parameters(method: &Method, uri: &Uri) -> S3Result<()> {
    let level = level(uri.path());
    let parameters: Vec<_> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .map(|(name, value)| (percent_decode_str(name).decode_utf8_lossy(), value))
        .collect();
    let has = |wanted: &str| parameters.iter().any(|(name, _)| name == wanted);
    for (name, value) in &parameters {
        let known = match known(method, level) {
            Some(known) => known.contains(&&**name) || name == "x-id",
            None => !value.is_empty() || READ.contains(&&**name) || name.starts_with("response-"),
        };
        if !known {
            return Err(s3_error!(
                NotImplemented,
                "A parameter you provided implies functionality that is not implemented: {name}"
            ));
        }
    }
    if *method == Method::PUT && has("partNumber") != has("uploadId") {
        return Err(s3_error!(
            InvalidArgument,
            "This operation does not accept partNumber without uploadId, or the other way round"
        ));
    }
    Ok(())
}

/// The parameters of what writes; nothing, if it is about reading.
fn known(method: &Method, level: Level) -> Option<&'static [&'static str]> {
    Some(match (method.as_str(), level) {
        ("GET" | "HEAD", _) => return None,
        ("PUT", Level::Object) => &["partNumber", "uploadId"],
        ("POST", Level::Bucket) => &["delete"],
        ("POST", Level::Object) => &["uploads", "uploadId"],
        ("DELETE", Level::Object) => &["uploadId", "versionId"],
        _ => &[],
    })
}

/// What may be without a value where something is read.
const READ: [&str; 49] = [
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "bucket-region",
    "continuation-token",
    "cors",
    "delimiter",
    "encoding-type",
    "encryption",
    "fetch-owner",
    "intelligent-tiering",
    "inventory",
    "key-marker",
    "legal-hold",
    "lifecycle",
    "list-type",
    "location",
    "logging",
    "marker",
    "max-keys",
    "max-parts",
    "max-uploads",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "part-number-marker",
    "partNumber",
    "policy",
    "policyStatus",
    "prefix",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "retention",
    "session",
    "start-after",
    "tagging",
    "torrent",
    "upload-id-marker",
    "uploadId",
    "uploads",
    "version-id-marker",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// As s3s takes paths apart.
fn level(path: &str) -> Level {
    match path.strip_prefix('/').unwrap_or(path).split_once('/') {
        None if path.len() <= 1 => Level::Service,
        None | Some((_, "")) => Level::Bucket,
        Some(_) => Level::Object,
    }
}

fn check_headers(headers: &HeaderMap) -> S3Result<()> {
    for name in headers.keys() {
        let name = name.as_str();
        if HEADERS.iter().any(|begin| name.starts_with(begin)) {
            return Err(s3_error!(
                NotImplemented,
                "A header you provided implies functionality that is not implemented: {name}"
            ));
        }
    }
    if let Some(acl) = headers.get("x-amz-acl")
        && !matches!(
            acl.as_bytes(),
            b"private" | b"bucket-owner-full-control" | b"bucket-owner-read"
        )
    {
        return Err(S3Error::with_message(
            S3ErrorCode::AccessControlListNotSupported,
            "The bucket does not allow ACLs",
        ));
    }
    if let Some(class) = headers.get("x-amz-storage-class")
        && ![StorageClass::STANDARD, StorageClass::REDUCED_REDUNDANCY]
            .iter()
            .any(|known| known.as_bytes() == class.as_bytes())
    {
        return Err(s3_error!(InvalidStorageClass, "The storage class you specified is not valid"));
    }
    // Accounts have numbers, and nobody here has one.
    if headers.contains_key("x-amz-expected-bucket-owner")
        || headers.contains_key("x-amz-source-expected-bucket-owner")
    {
        return Err(s3_error!(AccessDenied, "Access Denied"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn code(method: &str, target: &str, header: Option<(&'static str, &'static str)>) -> String {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        match check(&method.parse().unwrap(), &target.parse().unwrap(), &headers) {
            Ok(()) => String::new(),
            Err(error) => error.code().as_str().to_owned(),
        }
    }

    #[test]
    fn what_writes_has_no_parameter_that_nobody_knows() {
        for (method, target) in [
            ("PUT", "/"),
            ("PUT", "/b"),
            ("PUT", "/b/k?x-id=PutObject"),
            ("PUT", "/b/k?partNumber=1&uploadId=u&x-id=UploadPart"),
            ("POST", "/b?delete="),
            ("POST", "/b/?delete="),
            ("POST", "/b/k?uploads="),
            ("POST", "/b/k?uploadId=u"),
            ("DELETE", "/b/k?uploadId=u"),
            ("DELETE", "/b/k?versionId=null"),
            ("DELETE", "/b/"),
        ] {
            assert_eq!(code(method, target, None), "", "{method} {target}");
        }
        for (method, target) in [
            ("PUT", "/b?metadataConfiguration="),
            ("PUT", "/b?acl="),
            ("PUT", "/b?uploadId=u&partNumber=1"),
            ("PUT", "/b/k?encryption="),
            ("PUT", "/b/k?annotation=&annotationName=a"),
            ("PUT", "/b/k?renameObject"),
            ("PUT", "/b/k?partNumber=1&uploadId=u&new=1"),
            ("PUT", "/b/k?uploads="),
            ("PUT", "/b/k?Tagging="),
            ("PUT", "/b/k?%74agging="),
            ("POST", "/b?delete=&metadataTable="),
            ("POST", "/b/k?delete="),
            ("POST", "/b/k?restore="),
            ("DELETE", "/b?metadataConfiguration="),
            ("DELETE", "/b/?versionId=null"),
            ("DELETE", "/b/k?annotation=&annotationName=a"),
            ("DELETE", "/b/k?="),
            ("PATCH", "/b/k?x=1"),
        ] {
            assert_eq!(code(method, target, None), "NotImplemented", "{method} {target}");
        }
        for target in ["/b/k?partNumber=1", "/b/k?uploadId=u"] {
            assert_eq!(code("PUT", target, None), "InvalidArgument", "{target}");
        }
    }

    #[test]
    fn what_reads_may_carry_what_nobody_reads() {
        for target in
            ["/?bucket-region=", "/b?prefix=&delimiter=", "/b/k?cache=7", "/b/k?acl", "/b?versions"]
        {
            assert_eq!(code("GET", target, None), "", "{target}");
        }
        for target in ["/b/k?annotation=&annotationName=a", "/b?metadataConfiguration", "/b/k?="] {
            assert_eq!(code("GET", target, None), "NotImplemented", "{target}");
        }
    }

    #[test]
    fn no_header_goes_unheard() {
        for (header, expected) in [
            (("x-amz-acl", "private"), ""),
            (("x-amz-acl", "public-read"), "AccessControlListNotSupported"),
            (("x-amz-storage-class", "STANDARD"), ""),
            (("x-amz-storage-class", "GLACIER"), "InvalidStorageClass"),
            (("x-amz-bucket-object-lock-enabled", "true"), "NotImplemented"),
            (("x-amz-object-lock-mode", "COMPLIANCE"), "NotImplemented"),
            (("x-amz-server-side-encryption", "AES256"), "NotImplemented"),
            (("x-amz-rename-source", "b/k"), "NotImplemented"),
            (("x-amz-tagging", "a=b"), "NotImplemented"),
            (("x-amz-expected-bucket-owner", "123456789012"), "AccessDenied"),
            (("x-amz-meta-tagging", "a=b"), ""),
        ] {
            assert_eq!(code("PUT", "/b/k", Some(header)), expected, "{header:?}");
        }
        let form = ("content-type", "Multipart/form-data; boundary=x");
        assert_eq!(code("POST", "/b", Some(form)), "NotImplemented");
    }
}
