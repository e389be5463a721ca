//! Checksums of a multipart upload: those of its parts, and what is made of them.
//!
//! A part's checksum was checked while it came; it is kept in the name of the part's file, so that what
//! completes the upload can be compared with it. Whatever cannot be compared is refused by whoever asks.
//! This module knows values and names, and no file.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::Checksum;

/// The checksums among the fields of a request, of an answer, or of an element.
macro_rules! sums {
    ($input:expr) => {
        Checksum {
            checksum_crc32: $input.checksum_crc32,
            checksum_crc32c: $input.checksum_crc32c,
            checksum_crc64nvme: $input.checksum_crc64nvme,
            checksum_sha1: $input.checksum_sha1,
            checksum_sha256: $input.checksum_sha256,
            checksum_type: None,
        }
    };
}
pub(super) use sums;

/// All that there can be, by the names that they have in file names.
fn all(sums: &Checksum) -> [(&'static str, Option<&String>); 5] {
    [
        ("crc32", sums.checksum_crc32.as_ref()),
        ("crc32c", sums.checksum_crc32c.as_ref()),
        ("crc64nvme", sums.checksum_crc64nvme.as_ref()),
        ("sha1", sums.checksum_sha1.as_ref()),
        ("sha256", sums.checksum_sha256.as_ref()),
    ]
}

/// What a file's name says of them, behind what else it says.
pub(super) fn name(sums: &Checksum) -> String {
    let mut text = String::new();
    for (algorithm, value) in all(sums) {
        if let Some(value) = value.and_then(|value| STANDARD.decode(value).ok()) {
            text.push('.');
            text.push_str(algorithm);
            text.push('.');
            URL_SAFE_NO_PAD.encode_string(value, &mut text);
        }
    }
    text
}

/// Reads what [`name`] wrote, taken apart at the dots.
pub(super) fn read_name<'n>(mut words: impl Iterator<Item = &'n str>) -> Option<Checksum> {
    let mut sums = Checksum::default();
    while let Some(algorithm) = words.next() {
        let value = URL_SAFE_NO_PAD.decode(words.next()?).ok()?;
        let place = match algorithm {
            "crc32" => &mut sums.checksum_crc32,
            "crc32c" => &mut sums.checksum_crc32c,
            "crc64nvme" => &mut sums.checksum_crc64nvme,
            "sha1" => &mut sums.checksum_sha1,
            "sha256" => &mut sums.checksum_sha256,
            _ => return None,
        };
        *place = Some(STANDARD.encode(value));
    }
    Some(sums)
}

/// Whether what was kept has all that is wanted.
pub(super) fn has(kept: &Checksum, wanted: &Checksum) -> bool {
    all(kept)
        .into_iter()
        .zip(all(wanted))
        .all(|((_, kept), (_, wanted))| wanted.is_none() || wanted == kept)
}

/// Takes the checksums that were declared, and no other.
pub(super) fn hasher(declared: &Checksum) -> ChecksumHasher {
    ChecksumHasher {
        crc32: declared.checksum_crc32.as_ref().map(|_| Crc32::new()),
        crc32c: declared.checksum_crc32c.as_ref().map(|_| Crc32c::new()),
        crc64nvme: declared.checksum_crc64nvme.as_ref().map(|_| Crc64Nvme::new()),
        sha1: declared.checksum_sha1.as_ref().map(|_| Sha1::new()),
        sha256: declared.checksum_sha256.as_ref().map(|_| Sha256::new()),
    }
}

/// Whether the one checksum that is declared is that of the checksums of these parts, with or without
/// their number behind it. CRC-64/NVME is never made so.
pub(super) fn composed(declared: &Checksum, parts: &[&Checksum]) -> bool {
    let mut values =
        all(declared).into_iter().enumerate().filter(|(_, (_, value))| value.is_some());
    let (Some((at, (algorithm, Some(value)))), None) = (values.next(), values.next()) else {
        return false;
    };
    let raw = |part: &&Checksum| STANDARD.decode(all(part)[at].1?).ok();
    let Some(raw) = parts.iter().map(raw).collect::<Option<Vec<_>>>() else { return false };
    let mut hasher = hasher(declared);
    hasher.update(&raw.concat());
    let count = format!("-{}", parts.len());
    let value = value.strip_suffix(&count).unwrap_or(value);
    algorithm != "crc64nvme" && all(&hasher.finalize())[at].1.is_some_and(|sum| sum == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checksum of these bytes by the algorithms that `like` has.
    fn of(like: &Checksum, bytes: &[u8]) -> Checksum {
        let mut hasher = hasher(like);
        hasher.update(bytes);
        hasher.finalize()
    }

    fn every() -> [Checksum; 5] {
        let value = || Some(String::new());
        [
            Checksum { checksum_crc32: value(), ..Checksum::default() },
            Checksum { checksum_crc32c: value(), ..Checksum::default() },
            Checksum { checksum_crc64nvme: value(), ..Checksum::default() },
            Checksum { checksum_sha1: value(), ..Checksum::default() },
            Checksum { checksum_sha256: value(), ..Checksum::default() },
        ]
    }

    #[test]
    fn names_hold_what_they_are_made_of() {
        assert_eq!(name(&Checksum::default()), "");
        assert_eq!(read_name([].into_iter()), Some(Checksum::default()));
        for like in every() {
            let sums = of(&like, b"123456789");
            let text = name(&sums);
            assert_eq!(read_name(text.split('.').skip(1)), Some(sums), "{text}");
        }
        for bad in ["crc32", "crc33.AAAA", "crc32.+", "crc32.AAAA."] {
            assert_eq!(read_name(bad.split('.')), None, "{bad}");
        }
    }

    #[test]
    fn what_is_wanted_has_to_be_there() {
        let [crc32, crc32c, ..] = every();
        let (one, other) = (of(&crc32, b"1"), of(&crc32, b"2"));
        assert!(has(&one, &Checksum::default()) && has(&one, &one));
        assert!(!has(&one, &other) && !has(&one, &of(&crc32c, b"1")));
        assert!(!has(&Checksum::default(), &one));
    }

    #[test]
    fn checksums_of_checksums() {
        // CRC-32 of two parts: that of its eight bytes in a row.
        let [crc32, ..] = every();
        let (one, two) = (of(&crc32, b"1"), of(&crc32, b"2"));
        assert_eq!(one.checksum_crc32.as_deref(), Some("g9zvtw=="));
        let raw = [0x83, 0xdc, 0xef, 0xb7, 0x1a, 0xd5, 0xbe, 0x0d];
        let whole = of(&crc32, &raw);
        assert!(composed(&whole, &[&one, &two]));
        assert!(!composed(&whole, &[&two, &one]) && !composed(&whole, &[&one]));
        assert!(!composed(&whole, &[&one, &two, &Checksum::default()]));
        let text = whole.checksum_crc32.unwrap();
        let with = |text: String| Checksum { checksum_crc32: Some(text), ..Checksum::default() };
        assert!(composed(&with(format!("{text}-2")), &[&one, &two]));
        assert!(!composed(&with(format!("{text}-3")), &[&one, &two]));
        for (at, like) in every().iter().enumerate() {
            let (one, two) = (of(like, b"1"), of(like, b"2"));
            let raw = [&one, &two].map(|sum| STANDARD.decode(all(sum)[at].1.unwrap()).unwrap());
            let is = composed(&of(like, &raw.concat()), &[&one, &two]);
            assert_eq!(is, at != 2, "{}", all(like)[at].0);
        }
    }
}
