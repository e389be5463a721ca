//! `countersign sign` and `countersign presign`: from a request to a signed one.

use std::io::{self, Read, Write};
use std::time::Duration;

use anyhow::{Context, bail};
use countersign::{ContentSha256, CredentialScope, Header, Request, Signed, Signer, Timestamp};

use crate::args::{Presign, Sign, SignerArgs};
use crate::credentials::{Key, region, signing_key};
use crate::raw::Head;
use crate::{OK, open, show};

/// Signs the request of the command line in its header.
pub(crate) fn sign(args: &Sign) -> anyhow::Result<u8> {
    let setting = Setting::of(&args.signer)?;
    let mut input = open(&args.request)?;
    let head = Head::read(&mut input)?;
    let mut body = Vec::new();
    input.read_to_end(&mut body)?;
    check_length(&head, &body)?;

    let content = match args.unsigned_payload {
        true => ContentSha256::UnsignedPayload,
        false => ContentSha256::of(&body),
    };
    let headers = head.headers()?;
    let request = head.request(&headers)?;
    let signed = setting.signer()?.sign(&request, content, setting.now)?;
    match args.signer.show {
        Some(show) => {
            show::print(&show::text(show, &signed.canonical_request(), signed.string_to_sign()))?;
        }
        None => io::stdout().write_all(&with_signature(&head, &signed, &body))?,
    }
    Ok(OK)
}

/// Signs the URL of the command line.
pub(crate) fn presign(args: &Presign) -> anyhow::Result<u8> {
    let setting = Setting::of(&args.signer)?;
    let Url { origin, host, target } = Url::parse(&args.url)?;
    let mut headers = vec![Header { name: "host", value: host.as_bytes() }];
    for header in &args.headers {
        let (name, value) = header.split_once(':').context("a header is `name: value`")?;
        headers.push(Header { name, value: value.trim().as_bytes() });
    }
    let request = Request { method: &args.method, target: &target, headers: &headers };
    let expires = Duration::from_secs(args.expires);
    let presigned = setting.signer()?.presign(&request, expires, setting.now)?;
    match args.signer.show {
        Some(show) => {
            let (canonical, text) = (presigned.canonical_request(), presigned.string_to_sign());
            show::print(&show::text(show, &canonical, text))?;
        }
        None => writeln!(io::stdout(), "{origin}{}", presigned.target())?,
    }
    Ok(OK)
}

/// Who signs, where and when.
struct Setting<'a> {
    key: Key,
    region: String,
    service: &'a str,
    now: Timestamp,
}

impl<'a> Setting<'a> {
    fn of(args: &'a SignerArgs) -> anyhow::Result<Self> {
        Ok(Self {
            key: signing_key(&args.credentials, args.profile.as_deref())?,
            region: region(args.region.as_deref())?,
            service: &args.service,
            now: args.at.unwrap_or_else(Timestamp::now),
        })
    }

    fn signer(&self) -> anyhow::Result<Signer<'_>> {
        let scope =
            CredentialScope { date: self.now.date(), region: &self.region, service: self.service };
        Ok(Signer::new(&self.key.credentials(), scope)?)
    }
}

/// The request with the fields that the signer adds behind its own, lines ended as HTTP ends them.
fn with_signature(head: &Head, signed: &Signed<'_>, body: &[u8]) -> Vec<u8> {
    let mut out = [&head.method[..], b" ", &head.target, b" ", &head.version, b"\r\n"].concat();
    for field in &head.fields {
        out.extend([&field.name[..], b":", &field.value, b"\r\n"].concat());
    }
    for (name, value) in signed.headers() {
        out.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

/// Refuses to sign a body that is not as long as its head says: an editor's last line end, mostly.
fn check_length(head: &Head, body: &[u8]) -> anyhow::Result<()> {
    let len = body.len().to_string();
    match head.values("content-length").find(|announced| *announced != len.as_bytes()) {
        Some(_) => bail!("the body has {len} bytes, and content-length says otherwise"),
        None => Ok(()),
    }
}

/// A URL, cut and not changed: its spelling is what is signed.
struct Url<'a> {
    /// The scheme and the authority.
    origin: &'a str,
    /// The authority as clients send it in `host`.
    host: &'a str,
    target: String,
}

impl<'a> Url<'a> {
    fn parse(url: &'a str) -> anyhow::Result<Self> {
        let (scheme, rest) = url.split_once("://").context("the URL has no scheme")?;
        let default_port = match &scheme.to_ascii_lowercase()[..] {
            "http" => ":80",
            "https" => ":443",
            _ => bail!("the URL is not one of http or https"),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.is_empty() || authority.contains('@') {
            bail!("the URL has no host, or credentials of its own");
        }
        let origin = url.strip_suffix(target).unwrap_or(url);
        // A client that is given no path asks for the shortest one.
        let missing = if target.starts_with('/') { "" } else { "/" };
        let target = format!("{missing}{target}");
        let host = authority.strip_suffix(default_port).unwrap_or(authority);
        Ok(Self { origin, host, target })
    }
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn urls_are_cut_and_not_changed() {
        for (url, expected) in [
            ("https://h/a/../b?c=d", ("https://h", "h", "/a/../b?c=d")),
            ("HTTPS://H:443/", ("HTTPS://H:443", "H", "/")),
            ("http://h:443/", ("http://h:443", "h:443", "/")),
            ("http://h:80", ("http://h:80", "h", "/")),
            ("http://[::1]:9000?a", ("http://[::1]:9000", "[::1]:9000", "/?a")),
        ] {
            let Url { origin, host, target } = Url::parse(url).expect("a good URL");
            assert_eq!((origin, host, &target[..]), expected, "{url}");
        }
        for url in ["", "/a", "h/a", "ftp://h/", "https:///a", "https://a:b@h/"] {
            assert!(Url::parse(url).is_err(), "{url}");
        }
    }
}
