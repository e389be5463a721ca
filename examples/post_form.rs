//! Prints a page that lets its visitor upload one picture under a prefix, for ten minutes.
//!
//! ```text
//! cargo run --example post_form --features post-policy -- [BUCKET [PREFIX [ENDPOINT]]] > upload.html
//! ```
//!
//! The credential is that of `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if it is set,
//! `AWS_SESSION_TOKEN`, the region that of `AWS_REGION`; without them it is the one of AWS's
//! documentation, which opens nothing.

use std::env;
use std::fmt::{self, Display, Write as _};
use std::time::Duration;

use countersign::{
    AccessKeyId, CredentialScope, Credentials, PostField, PostPolicy, SecretKey, SessionToken,
    Signer, SuccessStatus, Timestamp,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = env::args().skip(1);
    let bucket = arguments.next().unwrap_or_else(|| "examplebucket".into());
    let prefix = arguments.next().unwrap_or_else(|| "uploads/".into());
    let variable = |name: &str, other: &str| env::var(name).unwrap_or_else(|_| other.into());
    let region = variable("AWS_REGION", "us-east-1");
    let endpoint = arguments.next().unwrap_or(format!("https://s3.{region}.amazonaws.com"));

    let id = variable("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    let secret = variable("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    let token = env::var("AWS_SESSION_TOKEN").ok();
    let credentials = Credentials {
        access_key_id: AccessKeyId::new(&id)?,
        secret_key: SecretKey::new(&secret)?,
        session_token: token.as_deref().map(SessionToken::new).transpose()?,
    };
    let now = Timestamp::now();
    let scope = CredentialScope { date: now.date(), region: &region, service: "s3" };

    let policy = PostPolicy::new(&bucket)
        .starts_with(PostField::Key, &prefix)
        .starts_with(PostField::ContentType, "image/")
        .equal(PostField::Acl, "private")
        .success_action_status(SuccessStatus::Created)
        .content_length_range(1, 10 * 1024 * 1024)
        .expires_in(Duration::from_secs(600));
    let signer = Signer::new(&credentials, scope)?;
    let form = signer.sign_form(&policy, now)?;

    println!("<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>Upload</title>");
    let url = form.path_style_url(&endpoint);
    println!("<form action=\"{}\" method=\"post\" enctype=\"multipart/form-data\">", Escaped(&url));
    for (name, value) in form.fields() {
        println!(
            "  <input type=\"hidden\" name=\"{}\" value=\"{}\">",
            Escaped(name),
            Escaped(value)
        );
    }
    for (name, prefix) in form.open_fields() {
        // What the visitor fills in; the policy says how it has to begin.
        let (name, value) = (Escaped(name), Escaped(prefix));
        println!("  <label>{name} <input name=\"{name}\" value=\"{value}\" required></label>");
    }
    // Whatever follows the file is refused.
    println!("  <input type=\"file\" name=\"file\" required>\n  <button>Upload</button>\n</form>");
    println!("<p>Good until {}.", form.expires_at().extended());
    Ok(())
}

/// A text inside of HTML, or of an attribute in quotes.
struct Escaped<T>(T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>);
        impl fmt::Write for Escaping<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                text.chars().try_for_each(|character| match character {
                    '&' => self.0.write_str("&amp;"),
                    '<' => self.0.write_str("&lt;"),
                    '>' => self.0.write_str("&gt;"),
                    '"' => self.0.write_str("&quot;"),
                    other => self.0.write_char(other),
                })
            }
        }
        write!(Escaping(f), "{}", self.0)
    }
}
