//! Which file an object key is kept in.
//!
//! The store underneath takes a key as a relative path, and a path is not a key: `a//b`, `a/./b`
//! and `a/b` are one file but three keys, `../x` leaves the bucket, `a` and `a/b` cannot both
//! exist, a name ends at 255 bytes while a key may have 1024. So a key never becomes a path as it
//! is; it is translated here, one to one, and no translated name can point anywhere else:
//!
//! * a *plain* key keeps its words. Folders get a `+` at the end (`photos/cat.jpg` lives in
//!   `photos+/cat.jpg`), because then a folder never has the name of an object;
//! * any other key (an empty, `.` or `..` segment, a control character, an object name that ends
//!   with `+`, or too long) lives in `+/<SHA-256 of the key>`, next to a file that holds the key.
//!
//! This module deliberately knows nothing of S3, requests or disks: it is a function from names to
//! names. It assumes a case-sensitive file system.

use s3s::crypto::{Checksum as _, Sha256};

/// Ends every folder that a plain key makes.
const FOLDER: char = '+';
/// The folder of keys that are not plain. No plain key can reach it: its name would have to be an
/// empty segment.
pub(super) const HASHED: &str = "+";
/// Ends the file that holds the key of a hashed object.
const KEY_FILE: &str = ".key";
/// The longest file name that common file systems take.
const NAME_MAX: usize = 255;
/// What the store underneath puts around the two names in the name of its attribute files:
/// `.bucket-` + `.object-` + `.metadata.json`.
const AROUND: usize = 8 + 8 + 14;

/// Where one object lives, relative to its bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The path, `/` between folders, never empty, without `.`, `..` or empty segments.
    pub(super) path: String,
    /// Whether the path does not tell the key, so that it has to be written beside the object.
    pub(super) hashed: bool,
}

impl Place {
    /// Where `key` of `bucket` lives.
    pub(super) fn of(bucket: &str, key: &str) -> Self {
        match plain(key) {
            Some(path) if path.len() <= longest(bucket) => Place { path, hashed: false },
            _ => Place { path: format!("{HASHED}/{}", digest(key)), hashed: true },
        }
    }

    /// The file that holds the key, when the path does not tell it.
    pub(super) fn key_file(&self) -> Option<String> {
        self.hashed.then(|| format!("{}{KEY_FILE}", self.path))
    }
}

/// The part of a key that the folder `name` stands for, with its slash; `None` for a folder that
/// no key made.
pub(super) fn folder_key(name: &str) -> Option<String> {
    let segment = name.strip_suffix(FOLDER)?;
    (!segment.is_empty()).then(|| format!("{segment}/"))
}

/// The name of the object that the key file `name` belongs to.
pub(super) fn key_file_object(name: &str) -> Option<&str> {
    name.strip_suffix(KEY_FILE)
}

/// The path of a plain key.
fn plain(key: &str) -> Option<String> {
    let mut path = String::with_capacity(key.len() + 8);
    let (folders, object) = match key.rsplit_once('/') {
        Some((folders, object)) => (Some(folders), object),
        None => (None, key),
    };
    for folder in folders.into_iter().flat_map(|folders| folders.split('/')) {
        ordinary(folder).then_some(())?;
        path.push_str(folder);
        path.push(FOLDER);
        path.push('/');
    }
    (ordinary(object) && !object.ends_with(FOLDER)).then_some(())?;
    path.push_str(object);
    Some(path)
}

/// Whether a segment can be a file name as it is.
fn ordinary(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..") && !segment.chars().any(|c| c.is_control() || c == '\\')
}

/// How long a path may get in `bucket`, so that the attribute files still have a valid name: they
/// carry both names in base64.
fn longest(bucket: &str) -> usize {
    let bucket = (bucket.len() * 4).div_ceil(3);
    NAME_MAX.saturating_sub(AROUND + bucket) * 3 / 4
}

/// SHA-256 in hexadecimal: 64 bytes whatever the key is.
fn digest(key: &str) -> String {
    use std::fmt::Write as _;
    let mut hash = Sha256::new();
    hash.update(key.as_bytes());
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn path(key: &str) -> String {
        Place::of("bucket", key).path
    }

    #[test]
    fn plain_keys_keep_their_words() {
        assert_eq!(path("cat.jpg"), "cat.jpg");
        assert_eq!(path("photos/2024/cat.jpg"), "photos+/2024+/cat.jpg");
        assert_eq!(path(".hidden"), ".hidden");
        assert_eq!(path("a b+c/ü~%2F"), "a b+c+/ü~%2F");
    }

    #[test]
    fn odd_keys_are_hashed() {
        for key in [
            "",
            "/",
            "//",
            "a//b",
            "/a",
            "a/",
            ".",
            "..",
            "../x",
            "a/../b",
            "a/.",
            "c++",
            "a\nb",
            "a\\b",
            "\0",
            &"k".repeat(500),
        ] {
            let place = Place::of("bucket", key);
            assert!(place.hashed, "{key:?}");
            assert_eq!(place.path.len(), 66, "{key:?}");
        }
    }

    #[test]
    fn every_path_stays_below_the_bucket_and_is_unique() {
        let keys = [
            "a", "a+", "a/", "a/b", "a+/b", "a//b", "/a", "/a/b", "a/./b", "a/../b", "..", "../b",
            "+", "+/x", "++", "a/b+", "A", "%2e%2e/b", "a\u{0}b", "ä", "a\u{308}",
        ];
        let paths: BTreeSet<String> = keys.iter().map(|key| path(key)).collect();
        assert_eq!(paths.len(), keys.len());
        for path in paths {
            assert!(!path.starts_with('/'), "{path}");
            for segment in path.split('/') {
                assert!(!matches!(segment, "" | "." | ".."), "{path}");
            }
        }
    }

    #[test]
    fn no_object_has_the_name_of_a_folder() {
        for key in ["a", "a/b", "a/b/c", "x+", "x+/y"] {
            let path = path(key);
            let mut segments: Vec<&str> = path.split('/').collect();
            let object = segments.pop().unwrap();
            assert!(!object.ends_with('+'), "{path}");
            assert!(segments.iter().all(|folder| folder.ends_with('+')), "{path}");
        }
    }

    #[test]
    fn attribute_file_names_fit() {
        for bucket in ["abc", &"b".repeat(63)] {
            for length in 1..1024 {
                let place = Place::of(bucket, &"k".repeat(length));
                let base64 = |n: usize| (n * 4).div_ceil(3);
                let name = AROUND + base64(bucket.len()) + base64(place.path.len());
                assert!(name <= NAME_MAX, "{bucket} {length}");
            }
        }
    }

    #[test]
    fn folders_read_back() {
        assert_eq!(folder_key("photos+").as_deref(), Some("photos/"));
        assert_eq!(folder_key("a++").as_deref(), Some("a+/"));
        assert_eq!(folder_key("+"), None);
        assert_eq!(folder_key("by-hand"), None);
    }
}
