//! Where keys come from: the command line, the environment, AWS's shared credentials file.
//!
//! AWS SDKs and Tools Reference Guide, "Shared config and credentials files", "Environment
//! variables".

use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context, bail};
use configparser::ini::{Ini, IniDefault};
use countersign::{AccessKeyId, CredentialError, Credentials, SecretKey, SessionToken};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::args::CredentialArgs;

/// A key that can sign: checked, and silent about its secrets.
#[derive(Debug, Deserialize)]
#[serde(try_from = "KeyText")]
pub(crate) struct Key {
    access_key_id: AccessKeyId,
    secret: SecretString,
    token: Option<SecretString>,
}

/// A key as it is written.
#[derive(Deserialize)]
struct KeyText {
    access_key_id: String,
    secret_access_key: SecretString,
    session_token: Option<SecretString>,
}

impl Key {
    fn new(
        access_key_id: &str,
        secret: SecretString,
        token: Option<SecretString>,
    ) -> Result<Self, CredentialError> {
        SecretKey::new(secret.expose_secret())?;
        token.as_ref().map(|token| SessionToken::new(token.expose_secret())).transpose()?;
        Ok(Self { access_key_id: AccessKeyId::new(access_key_id)?, secret, token })
    }

    pub(crate) const fn access_key_id(&self) -> AccessKeyId {
        self.access_key_id
    }

    pub(crate) fn credentials(&self) -> Credentials<'_> {
        let token = self.token.as_ref();
        Credentials {
            access_key_id: self.access_key_id,
            secret_key: SecretKey::new(self.secret.expose_secret()).expect("checked by `new`"),
            session_token: token
                .map(|token| SessionToken::new(token.expose_secret()).expect("checked by `new`")),
        }
    }
}

impl TryFrom<KeyText> for Key {
    type Error = CredentialError;

    fn try_from(text: KeyText) -> Result<Self, CredentialError> {
        Self::new(&text.access_key_id, text.secret_access_key, text.session_token)
    }
}

/// The keys a request may be signed with.
pub(crate) fn known_keys(args: &CredentialArgs) -> anyhow::Result<Vec<Key>> {
    if let Some(key) = of_args(args)? {
        return Ok(vec![key]);
    }
    if args.credentials.is_none()
        && let Some(key) = of_environment()?
    {
        return Ok(vec![key]);
    }
    let file = Profiles::find(args)?;
    let names = file.names();
    let keys = names.iter().filter_map(|name| file.key(name).transpose());
    let keys = keys.collect::<anyhow::Result<Vec<_>>>()?;
    if keys.is_empty() {
        bail!("{} has no keys", file.path.display());
    }
    Ok(keys)
}

/// The key to sign with.
pub(crate) fn signing_key(args: &CredentialArgs, profile: Option<&str>) -> anyhow::Result<Key> {
    if let Some(key) = of_args(args)? {
        return Ok(key);
    }
    if args.credentials.is_none()
        && profile.is_none()
        && let Some(key) = of_environment()?
    {
        return Ok(key);
    }
    let name = profile.map(str::to_owned).or_else(|| variable("AWS_PROFILE"));
    let name = name.as_deref().unwrap_or("default");
    let file = Profiles::find(args)?;
    let key = file.key(name)?;
    key.with_context(|| format!("{} has no key for the profile {name}", file.path.display()))
}

/// The region, by the command line or the environment.
pub(crate) fn region(arg: Option<&str>) -> anyhow::Result<String> {
    arg.map(str::to_owned)
        .or_else(|| variable("AWS_REGION"))
        .or_else(|| variable("AWS_DEFAULT_REGION"))
        .context("there is no region: --region or AWS_REGION")
}

fn of_args(args: &CredentialArgs) -> anyhow::Result<Option<Key>> {
    let Some(id) = &args.access_key_id else { return Ok(None) };
    let token = args.session_token.clone();
    // A secret of the command line goes with its own token or with none.
    let (secret, token) = match args.secret_access_key.clone() {
        Some(secret) => (Some(secret), token),
        None => (secret_variable("AWS_SECRET_ACCESS_KEY"), token.or_else(token_variable)),
    };
    let secret =
        secret.context("there is no secret: --secret-access-key or AWS_SECRET_ACCESS_KEY")?;
    Ok(Some(Key::new(id, secret, token)?))
}

fn of_environment() -> anyhow::Result<Option<Key>> {
    let Some(id) = variable("AWS_ACCESS_KEY_ID") else { return Ok(None) };
    let secret = secret_variable("AWS_SECRET_ACCESS_KEY");
    let secret = secret.context("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not")?;
    Ok(Some(Key::new(&id, secret, token_variable())?))
}

/// A variable of the environment; an empty one is as good as none.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn secret_variable(name: &str) -> Option<SecretString> {
    variable(name).map(SecretString::from)
}

fn token_variable() -> Option<SecretString> {
    secret_variable("AWS_SESSION_TOKEN")
}

/// A shared credentials file.
struct Profiles {
    path: PathBuf,
    ini: Ini,
}

impl Profiles {
    /// The file of the command line, the environment, or the home directory.
    fn find(args: &CredentialArgs) -> anyhow::Result<Self> {
        let path = (args.credentials.clone())
            .or_else(|| variable("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from))
            .or_else(|| Some(env::home_dir()?.join(".aws/credentials")))
            .context("there are no credentials")?;
        let text = fs::read_to_string(&path)
            .with_context(|| format!("there are no credentials: cannot read {}", path.display()))?;
        Self::parse(path, &text)
    }

    fn parse(path: PathBuf, text: &str) -> anyhow::Result<Self> {
        let mut rules = IniDefault::default();
        rules.case_sensitive = true;
        rules.delimiters = vec!['='];
        rules.enable_inline_comments = false;
        // An indented line belongs to the property before it: `s3 =` and what is nested in it.
        rules.multiline = true;
        // What stands before the first heading belongs to no profile.
        rules.default_section = String::new();
        let mut ini = Ini::new_from_defaults(rules);
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // What a parser says of a line may repeat it.
        if ini.read(text.to_owned()).is_err() {
            bail!("{} is not a credentials file", path.display());
        }
        Ok(Self { path, ini })
    }

    /// The profiles, in an order that is always the same.
    fn names(&self) -> Vec<String> {
        let mut names = self.ini.sections();
        names.retain(|name| !name.is_empty());
        names.sort_unstable();
        names
    }

    /// The key of a profile; not every profile has one.
    fn key(&self, profile: &str) -> anyhow::Result<Option<Key>> {
        let Some(id) = self.property(profile, "aws_access_key_id") else { return Ok(None) };
        let of_profile = || format!("{}: profile {profile}", self.path.display());
        let secret = self.property(profile, "aws_secret_access_key");
        let secret =
            secret.context("there is no aws_secret_access_key").with_context(of_profile)?;
        let token = self.property(profile, "aws_session_token").map(SecretString::from);
        Key::new(id, SecretString::from(secret), token).map(Some).with_context(of_profile)
    }

    /// A property, unless it is empty. Its name may be written in any case.
    fn property(&self, profile: &str, name: &str) -> Option<&str> {
        let properties = self.ini.get_map_ref().get(profile)?;
        let (_, value) = properties.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        value.as_deref().map(without_comment).filter(|value| !value.is_empty())
    }
}

/// The value before a comment, which begins with a blank and `#` or `;`.
fn without_comment(value: &str) -> &str {
    let comment = [" #", " ;", "\t#", "\t;"].iter().filter_map(|start| value.find(start)).min();
    comment.and_then(|at| value.get(..at)).unwrap_or(value).trim_end()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use secrecy::ExposeSecret;

    use super::{Key, Profiles};

    const FILE: &str = "\u{feff}# keys\r\n\
        aws_access_key_id = NOBODY\r\n\
        [ default ]\r\n\
        aws_access_key_id=AKIAIOSFODNN7EXAMPLE\r\n\
        aws_secret_access_key = a/b+c=#d;e:f ; not a part of it\r\n\
        [Odd Name]\r\n\
        AWS_Access_Key_Id = ASIAIOSFODNN7EXAMPLE\r\n\
        s3 =\r\n  \
          aws_session_token = nested\r\n\
        aws_secret_access_key = g\r\n\
        aws_session_token = h==\r\n\
        [role]\r\n\
        role_arn = arn:aws:iam::123456789012:role/a\r\n\
        [empty]\r\n\
        aws_access_key_id =\r\n";

    fn parse(text: &str) -> anyhow::Result<Profiles> {
        Profiles::parse(PathBuf::from("file"), text)
    }

    fn parts(key: &Key) -> (&str, &str, Option<&str>) {
        let token = key.token.as_ref().map(|token| token.expose_secret());
        (key.access_key_id.as_str(), key.secret.expose_secret(), token)
    }

    #[test]
    fn profiles_of_a_credentials_file() {
        let file = parse(FILE).expect("a good file");
        assert_eq!(file.names(), ["Odd Name", "default", "empty", "role"]);
        let key = |name| file.key(name).expect("a good profile");
        let default = key("default").expect("a key");
        assert_eq!(parts(&default), ("AKIAIOSFODNN7EXAMPLE", "a/b+c=#d;e:f", None));
        let odd = key("Odd Name").expect("a key");
        assert_eq!(parts(&odd), ("ASIAIOSFODNN7EXAMPLE", "g", Some("h==")));
        assert!(key("role").is_none() && key("empty").is_none() && key("other").is_none());
    }

    #[test]
    fn faults_do_not_repeat_secrets() {
        let half = parse("[a]\naws_access_key_id = b\n").expect("a good file");
        assert!(half.key("a").is_err());
        let blank = "[a]\naws_access_key_id = b c\naws_secret_access_key = hush\n";
        let error = parse(blank).expect("a good file").key("a").expect_err("a bad name");
        assert!(!format!("{error:?}").contains("hush"));
        for text in ["[hush\n", "= hush\n"] {
            let error = parse(text).err().expect("a bad file");
            assert!(!format!("{error:?}").contains("hush"), "{error:?}");
        }
        let good = parse(FILE).expect("a good file").key("default").expect("a key");
        assert!(!format!("{good:?}").contains("a/b"));
    }
}
