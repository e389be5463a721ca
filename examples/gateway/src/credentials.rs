//! The credentials file: who may sign.
//!
//! It has the format the AWS tools share, so that `AWS_SHARED_CREDENTIALS_FILE` points any client
//! at it and there is one place for a secret.
//!
//! This module deliberately knows nothing of signatures or requests; what a key is used for is the
//! business of `keys.rs`.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use countersign::{AccessKeyId, SecretKey, SessionToken};
use zeroize::Zeroizing;

use crate::secret_file::{self, SecretFileError};

/// One profile of the file.
pub struct Profile {
    /// The name between the brackets.
    pub name: String,
    /// The name that requests are signed with.
    pub access_key_id: AccessKeyId,
    pub(crate) secret_key: Zeroizing<String>,
    /// Present for temporary credentials: requests must carry it.
    pub(crate) session_token: Option<Zeroizing<String>>,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile")
            .field("name", &self.name)
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// Why the credentials cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The file cannot be read or made, or others can read it.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// A line that is neither a profile, a setting nor a comment.
    #[error("{path}, line {line}: {reason}")]
    Line {
        /// Which file.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// What is wrong there. Never quotes the line: it may hold a secret.
        reason: &'static str,
    },
    /// A profile that cannot be used.
    #[error("{path}, profile [{profile}]: {reason}")]
    Profile {
        /// Which file.
        path: PathBuf,
        /// Which profile.
        profile: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no key in the file, so nobody could sign.
    #[error("{path} holds no access key")]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// The system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
}

/// Reads the file; makes it first, with one random key, if it is not there.
///
/// # Errors
/// When the file cannot be made or read, is readable by others, or holds no usable key.
pub fn open(path: &Path) -> Result<Vec<Profile>, CredentialsError> {
    if !secret_file::exists(path) {
        create(path)?;
    }
    read(path)
}

/// Reads the file.
///
/// # Errors
/// When it cannot be read, is readable by others, or holds no usable key.
pub fn read(path: &Path) -> Result<Vec<Profile>, CredentialsError> {
    let text = secret_file::read(path)?;
    let profiles = parse(path, &text)?;
    if profiles.is_empty() {
        return Err(CredentialsError::Empty { path: path.to_owned() });
    }
    Ok(profiles)
}

/// A random access key id and secret, in the shape AWS gives them.
///
/// # Errors
/// When the system gives no random numbers.
pub fn generate() -> Result<(String, Zeroizing<String>), CredentialsError> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    let mut name = [0_u8; 16];
    getrandom::fill(&mut name).map_err(CredentialsError::Random)?;
    let mut id = String::from("AKIA");
    for byte in name {
        let letter = BASE32.get(usize::from(byte % 32)).copied().unwrap_or(b'A');
        id.push(char::from(letter));
    }
    // 30 bytes are exactly 40 characters, without padding.
    let mut secret = Zeroizing::new([0_u8; 30]);
    getrandom::fill(secret.as_mut()).map_err(CredentialsError::Random)?;
    Ok((id, Zeroizing::new(STANDARD.encode(secret.as_slice()))))
}

/// Makes the file, with one random key.
fn create(path: &Path) -> Result<(), CredentialsError> {
    let (id, secret) = generate()?;
    let text = Zeroizing::new(format!(
        "# Made by gateway. Every profile in this file may sign requests.\n\
         [default]\naws_access_key_id = {id}\naws_secret_access_key = {}\n",
        *secret
    ));
    Ok(secret_file::make(path, &text)?)
}

/// A profile as it is being read.
#[derive(Default)]
struct Draft<'t> {
    name: &'t str,
    id: Option<&'t str>,
    secret: Option<&'t str>,
    token: Option<&'t str>,
}

fn parse(path: &Path, text: &str) -> Result<Vec<Profile>, CredentialsError> {
    let wrong = |line: usize, reason| CredentialsError::Line {
        path: path.to_owned(),
        line: line + 1,
        reason,
    };
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    for (number, raw) in text.lines().enumerate() {
        let line = raw.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            let Some(name) = name.strip_suffix(']') else {
                return Err(wrong(number, "a profile name ends with ]"));
            };
            drafts.push(Draft { name: name.trim(), ..Draft::default() });
            continue;
        }
        // An indented line belongs to the setting above it, and none that nests is about keys.
        if raw.starts_with([' ', '\t']) {
            continue;
        }
        let Some((setting, value)) = line.split_once('=') else {
            return Err(wrong(number, "expected name = value"));
        };
        let Some(draft) = drafts.last_mut() else {
            return Err(wrong(number, "a setting belongs below a [profile]"));
        };
        let place = match setting.trim().to_ascii_lowercase().as_str() {
            "aws_access_key_id" => &mut draft.id,
            "aws_secret_access_key" => &mut draft.secret,
            "aws_session_token" => &mut draft.token,
            // The tools keep other settings here too.
            _ => continue,
        };
        if place.replace(value.trim()).is_some() {
            return Err(wrong(number, "this setting stands twice in its profile"));
        }
    }
    let mut names = HashSet::new();
    let mut profiles = Vec::new();
    for draft in drafts {
        let wrong = |reason| CredentialsError::Profile {
            path: path.to_owned(),
            profile: draft.name.to_owned(),
            reason,
        };
        let (id, secret) = match (draft.id, draft.secret) {
            (Some(id), Some(secret)) => (id, secret),
            (None, None) => continue,
            _ => return Err(wrong("an access key id and its secret belong together")),
        };
        let access_key_id =
            AccessKeyId::new(id).map_err(|_| wrong("the access key id is not valid"))?;
        SecretKey::new(secret).map_err(|_| wrong("the secret access key is not valid"))?;
        if let Some(token) = draft.token {
            SessionToken::new(token).map_err(|_| wrong("the session token is not valid"))?;
        }
        // Two secrets for one name would make the outcome depend on their order.
        if !names.insert(id) {
            return Err(wrong("this access key id is in another profile already"));
        }
        profiles.push(Profile {
            name: draft.name.to_owned(),
            access_key_id,
            secret_key: Zeroizing::new(secret.to_owned()),
            session_token: draft.token.map(|token| Zeroizing::new(token.to_owned())),
        });
    }
    Ok(profiles)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Profile>, CredentialsError> {
        super::parse(Path::new("file"), text)
    }

    #[test]
    fn a_first_run_makes_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/credentials");
        let first = open(&path).unwrap();
        assert_eq!(first.len(), 1);
        assert_eq!(first[0].name, "default");
        let id = first[0].access_key_id.to_string();
        assert!(id.starts_with("AKIA") && id.len() == 20, "{id}");
        assert_eq!(first[0].secret_key.len(), 40);
        let second = open(&path).unwrap();
        assert_eq!(second[0].access_key_id.to_string(), id);
    }

    #[test]
    fn every_profile_is_a_key() {
        let text = "\
            # comment\n[default]\naws_access_key_id=AKIAIOSFODNN7EXAMPLE\n\
            aws_secret_access_key = a/b+c=d\nregion = eu-west-1\n\n\
            [other]\nAWS_ACCESS_KEY_ID = ASIAIOSFODNN7EXAMPLE\n\
            aws_secret_access_key = secret\naws_session_token = token==\n\
            s3 =\n  addressing_style = path\n\
            [role]\nrole_arn = arn\n";
        let profiles = parse(text).unwrap();
        assert_eq!(profiles.len(), 2);
        assert_eq!(*profiles[0].secret_key, "a/b+c=d");
        assert!(profiles[0].session_token.is_none());
        assert_eq!(profiles[1].session_token.as_ref().unwrap().as_str(), "token==");
    }

    #[test]
    fn what_is_not_clear_is_refused() {
        for text in [
            "aws_access_key_id = A",
            "[a",
            "[a]\nnonsense",
            "[a]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE",
            "[a]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key =",
            "[a]\naws_access_key_id = A,B\naws_secret_access_key = s",
            "[a]\naws_access_key_id = X\naws_access_key_id = Y\naws_secret_access_key = s",
            "[a]\naws_access_key_id = AKIA1\naws_secret_access_key = s\n\
             [b]\naws_access_key_id = AKIA1\naws_secret_access_key = t",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let text = "[a]\naws_access_key_id = AKIA1\naws_secret_access_key = hidden\n\
                    aws_session_token = hidden";
        let profiles = parse(text).unwrap();
        assert!(!format!("{profiles:?}").contains("hidden"));
        let error = parse("[a]\naws_secret_access_key hidden").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hidden"));
    }
}
