//! The keys of a bucket, a page at a time.
//!
//! The store underneath lists files, but its answer lacks ETags, ignores `encoding-type` and sorts
//! folders apart from their keys, and it knows nothing of the names in `names.rs`. So the walk is
//! done here. It reads folders only, never an object, and skips every folder that cannot hold a
//! key of the page.
//!
//! This module deliberately knows nothing of requests and answers; what a page looks like in XML is
//! the caller's business.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::names::{self, Place};

/// What `encoding-type=url` leaves as it is.
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// Which keys are asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    pub(super) prefix: String,
    /// Keys that share what comes before it, after the prefix, are rolled up into one entry.
    pub(super) delimiter: Option<String>,
    /// The page starts after this key, or after this rolled-up prefix.
    pub(super) after: Option<String>,
    pub(super) limit: usize,
}

/// One line of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    /// A common prefix.
    Prefix,
}

/// Entries in the order of their bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) entries: Vec<(String, Kind)>,
    pub(super) more: bool,
}

impl Page {
    /// Where the next page starts, if there is one.
    pub(super) fn next(&self) -> Option<&str> {
        self.more.then(|| self.entries.last().map(|(name, _)| name.as_str())).flatten()
    }
}

/// Walks the folder of a bucket. Blocks; call it where that is allowed.
pub(super) fn walk(bucket: &str, folder: &Path, query: &Query) -> io::Result<Page> {
    if query.limit == 0 {
        return Ok(Page::default());
    }
    let mut walk = Walk { bucket, query, entries: BTreeMap::new() };
    walk.folder(folder, "")?;
    walk.hashed(&folder.join(names::HASHED))?;
    let more = walk.entries.len() > query.limit;
    Ok(Page { entries: walk.entries.into_iter().take(query.limit).collect(), more })
}

/// Whether the bucket holds no object at all; folders that are left over do not count.
pub(super) fn is_empty(bucket: &str, folder: &Path) -> io::Result<bool> {
    let page = walk(bucket, folder, &Query { limit: 1, ..Query::default() })?;
    Ok(page.entries.is_empty())
}

/// A name as `encoding-type=url` wants it. A space becomes `%20` and a plus `%2B`, which every
/// client decodes alike, whether it takes a bare `+` for a space or not.
pub(super) fn encode(name: &str) -> String {
    utf8_percent_encode(name, KEY).to_string()
}

struct Walk<'w> {
    bucket: &'w str,
    query: &'w Query,
    /// The smallest entries so far, at most one more than asked for: that one tells that there is
    /// another page.
    entries: BTreeMap<String, Kind>,
}

impl Walk<'_> {
    /// Visits one folder; `key` is what its path stands for.
    fn folder(&mut self, path: &Path, key: &str) -> io::Result<()> {
        for entry in read(path)? {
            let entry = entry?;
            let name = entry.file_name();
            // A name that is not UTF-8 was not made by a key.
            let Some(name) = name.to_str() else { continue };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                let Some(segment) = names::folder_key(name) else { continue };
                let inner = format!("{key}{segment}");
                if self.may_hold(&inner) {
                    self.folder(&entry.path(), &inner)?;
                }
            } else if kind.is_file() {
                let object = format!("{key}{name}");
                // A file put here by hand may have a name that no key leads to.
                if !Place::of(self.bucket, &object).hashed {
                    self.object(object);
                }
            }
        }
        Ok(())
    }

    /// Visits the folder of the keys that are not plain.
    fn hashed(&mut self, path: &Path) -> io::Result<()> {
        for entry in read(path)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(object) = name.to_str().and_then(names::key_file_object) else { continue };
            // The key is written before the object and removed after it, so it may stand alone.
            if !path.join(object).is_file() {
                continue;
            }
            match std::fs::read_to_string(entry.path()) {
                Ok(key) => self.object(key),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether a folder whose keys all begin with `key` can change the page.
    fn may_hold(&self, key: &str) -> bool {
        let prefix = self.query.prefix.as_str();
        if !key.starts_with(prefix) && !prefix.starts_with(key) {
            return false;
        }
        if let Some(after) = &self.query.after
            && key < after.as_str()
            && !after.starts_with(key)
        {
            return false;
        }
        if self.is_late(key) {
            return false;
        }
        match self.group(key) {
            Some(group) => !self.entries.contains_key(group) && !self.is_done(group),
            None => true,
        }
    }

    /// Takes a key into the page, if it belongs there.
    fn object(&mut self, key: String) {
        if !key.starts_with(&self.query.prefix)
            || self.query.after.as_ref().is_some_and(|after| key <= *after)
        {
            return;
        }
        let (name, kind) = match self.group(&key) {
            Some(group) if self.is_done(group) => return,
            Some(group) => (group.to_owned(), Kind::Prefix),
            None => (key, Kind::Object),
        };
        if self.is_late(&name) {
            return;
        }
        self.entries.insert(name, kind);
        if self.entries.len() > self.query.limit + 1 {
            self.entries.pop_last();
        }
    }

    /// Whether everything that begins with `name` lies behind the page.
    fn is_late(&self, name: &str) -> bool {
        self.entries.len() > self.query.limit
            && self.entries.last_key_value().is_some_and(|(last, _)| name > last.as_str())
    }

    /// Whether a rolled-up prefix was the last entry of the page before.
    fn is_done(&self, group: &str) -> bool {
        self.query.after.as_deref() == Some(group)
    }

    /// The prefix that `key` is rolled up into.
    fn group<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.query.delimiter.as_deref()?;
        let rest = key.strip_prefix(self.query.prefix.as_str())?;
        let end = rest.find(delimiter)? + delimiter.len();
        key.get(..self.query.prefix.len() + end)
    }
}

/// The entries of a folder; none, when it is gone or was never made.
fn read(path: &Path) -> io::Result<impl Iterator<Item = io::Result<std::fs::DirEntry>>> {
    match std::fs::read_dir(path) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A bucket folder with these keys in it.
    fn bucket(keys: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for key in keys {
            let place = Place::of("bucket", key);
            let path = folder.path().join(&place.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            if let Some(file) = place.key_file() {
                fs::write(folder.path().join(file), key).unwrap();
            }
        }
        folder
    }

    fn list(folder: &Path, query: &Query) -> Vec<String> {
        let page = walk("bucket", folder, query).unwrap();
        page.entries.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn keys_come_in_the_order_of_their_bytes() {
        let keys = ["a", "a!", "a/b", "a/", "a//c", "a0", "b/c/d", "z", "ü", "..", "c++"];
        let folder = bucket(&keys);
        let mut sorted = keys.to_vec();
        sorted.sort_unstable();
        assert_eq!(list(folder.path(), &Query { limit: 100, ..Query::default() }), sorted);
    }

    #[test]
    fn pages_together_are_the_whole_list() {
        let keys = ["a", "a/b", "a/c", "b", "b/", "b/c/d", "b/c/e", "c//d", "d/e", "e"];
        let folder = bucket(&keys);
        for delimiter in [None, Some("/".to_owned()), Some("c".to_owned())] {
            for prefix in ["", "a", "b/", "b/c/", "x"] {
                let query = Query {
                    prefix: prefix.to_owned(),
                    delimiter: delimiter.clone(),
                    after: None,
                    limit: 100,
                };
                let whole = list(folder.path(), &query);
                for limit in 1..4 {
                    let mut query = Query { limit, ..query.clone() };
                    let mut pages = Vec::new();
                    loop {
                        let page = walk("bucket", folder.path(), &query).unwrap();
                        query.after = page.next().map(str::to_owned);
                        pages.extend(page.entries.into_iter().map(|(name, _)| name));
                        if query.after.is_none() {
                            break;
                        }
                    }
                    assert_eq!(pages, whole, "{prefix:?} {delimiter:?} {limit}");
                }
            }
        }
    }

    #[test]
    fn common_prefixes_are_rolled_up() {
        let folder = bucket(&["a", "a/b", "a/c", "a//d", "b/c"]);
        let query = Query { delimiter: Some("/".to_owned()), limit: 10, ..Query::default() };
        let page = walk("bucket", folder.path(), &query).unwrap();
        let expected = [
            ("a".to_owned(), Kind::Object),
            ("a/".to_owned(), Kind::Prefix),
            ("b/".to_owned(), Kind::Prefix),
        ];
        assert_eq!(page.entries, expected);
        let query = Query { prefix: "a/".to_owned(), ..query };
        assert_eq!(list(folder.path(), &query), ["a//", "a/b", "a/c"]);
    }

    #[test]
    fn folders_without_objects_are_no_prefixes() {
        let folder = bucket(&["a"]);
        fs::create_dir_all(folder.path().join("left+/over+")).unwrap();
        fs::create_dir_all(folder.path().join("by-hand")).unwrap();
        let query = Query { delimiter: Some("/".to_owned()), limit: 10, ..Query::default() };
        assert_eq!(list(folder.path(), &query), ["a"]);
        fs::remove_file(folder.path().join("a")).unwrap();
        assert!(is_empty("bucket", folder.path()).unwrap());
    }

    #[test]
    fn names_survive_both_readings_of_a_plus() {
        assert_eq!(encode("a b+c/%ü"), "a%20b%2Bc/%25%C3%BC");
    }
}
