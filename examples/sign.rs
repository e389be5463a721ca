//! Signs an upload in its header and prints the request as it goes over the wire.
//!
//! `cargo run --example sign`

use countersign::{
    AccessKeyId, ContentSha256, CredentialScope, Credentials, Header, Request, SecretKey, Signer,
    Timestamp,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let credentials = Credentials {
        access_key_id: AccessKeyId::new("AKIAIOSFODNN7EXAMPLE")?,
        secret_key: SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")?,
        session_token: None,
    };
    let now = Timestamp::now();
    // The key is derived here, once; keep the signer for the day.
    let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "s3" };
    let signer = Signer::new(&credentials, scope)?;

    let body = b"Welcome to Amazon S3.";
    let headers = [
        Header { name: "Host", value: b"examplebucket.s3.amazonaws.com" },
        Header { name: "Content-Type", value: b"text/plain" },
    ];
    let request = Request { method: "PUT", target: "/hello.txt", headers: &headers };
    let signed = signer.sign(&request, ContentSha256::of(body), now)?;

    println!("{} {} HTTP/1.1", request.method, request.target);
    for header in request.headers {
        println!("{}: {}", header.name, String::from_utf8_lossy(header.value));
    }
    for (name, value) in signed.headers() {
        println!("{name}: {value}");
    }
    println!("\n{}", String::from_utf8_lossy(body));
    Ok(())
}
