//! Makes a URL that lets its holder fetch one object for ten minutes.
//!
//! `cargo run --example presign`

use std::time::Duration;

use countersign::{
    AccessKeyId, CredentialScope, Credentials, Header, Request, SecretKey, Signer, Timestamp,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let credentials = Credentials {
        access_key_id: AccessKeyId::new("AKIAIOSFODNN7EXAMPLE")?,
        secret_key: SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")?,
        session_token: None,
    };
    let now = Timestamp::now();
    let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "s3" };
    let host = "examplebucket.s3.amazonaws.com";
    let headers = [Header { name: "host", value: host.as_bytes() }];
    let target = "/photos/2013/May/a%20picture.jpg?response-content-disposition=attachment";
    let request = Request { method: "GET", target, headers: &headers };

    let presigned =
        Signer::new(&credentials, scope)?.presign(&request, Duration::from_secs(600), now)?;
    println!("https://{host}{}", presigned.target());
    Ok(())
}
