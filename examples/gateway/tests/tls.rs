//! TLS: what is negotiated, what is trusted, and what happens to those who do not speak it.

mod common;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use countersign::{ContentSha256, Timestamp};
use gateway::Gateway;
use http::Version;
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use common::{Key, Raw, Server, config, noise};

/// A gateway with a certificate of its own making.
async fn start() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (file("cert.pem"), file("key.pem"));
    let options = ["--tls-self-signed", "--tls-cert", &certificate, "--tls-key", &key];
    let gateway = Gateway::start(&config(folder.path(), &options)).await.unwrap();
    Server::of(gateway, None, folder)
}

type Https = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client that trusts this certificate and nothing else.
fn client(certificate: &Path, http2: bool) -> Https {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_only();
    let connector =
        if http2 { builder.enable_http2().build() } else { builder.enable_http1().build() };
    Client::builder(TokioExecutor::new()).build(connector)
}

async fn send(
    client: &Https,
    server: &Server,
    method: &str,
    target: &str,
    body: &[u8],
) -> Result<(u16, Version, Bytes), hyper_util::client::legacy::Error> {
    let mut raw = Raw::new(server.address, method, target, &[], body);
    raw.sign(&server.key, ContentSha256::of(body), Timestamp::now());
    let mut request =
        http::Request::builder().method(method).uri(format!("https://{}{target}", server.address));
    for (name, value) in &raw.headers {
        // The client takes the host from the URI, and HTTP/2 has no such field.
        if name != "host" {
            request = request.header(name, value);
        }
    }
    let response = client.request(request.body(Full::from(body.to_vec())).unwrap()).await?;
    let (status, version) = (response.status().as_u16(), response.version());
    Ok((status, version, response.into_body().collect().await.unwrap().to_bytes()))
}

#[tokio::test]
async fn both_versions_of_http() {
    let server = start().await;
    let certificate = server.gateway.certificate().unwrap().to_owned();
    let body = noise(1_000_000);
    for (http2, version) in [(false, Version::HTTP_11), (true, Version::HTTP_2)] {
        let client = client(&certificate, http2);
        let put = |method, target, body| send(&client, &server, method, target, body);
        assert_eq!(put("PUT", "/bucket", &[][..]).await.unwrap().0, 200);
        let (status, spoken, _) = put("PUT", "/bucket/k", &body).await.unwrap();
        assert_eq!((status, spoken), (200, version));
        let (status, _, read) = put("GET", "/bucket/k", b"").await.unwrap();
        assert_eq!((status, read.as_ref()), (200, body.as_slice()));
    }
    // Verified all the same.
    let stranger = Server { key: Key::new("AKIANOBODY", "secret", None), ..server };
    let (status, _, answer) =
        send(&client(&certificate, true), &stranger, "GET", "/bucket/k", b"").await.unwrap();
    assert_eq!(status, 403);
    assert!(String::from_utf8_lossy(&answer).contains("<Code>InvalidAccessKeyId</Code>"));
    stranger.stop().await;
}

#[tokio::test]
async fn without_tls_nothing_is_answered() {
    let server = start().await;
    let raw = server.sign("GET", "/", &[], b"");
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, &raw.bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await;
    // An alert at most.
    assert!(answer.first().is_none_or(|first| *first == 0x15), "{answer:?}");
    server.stop().await;
}

#[tokio::test]
async fn another_certificate_is_taken_up() {
    let server = start().await;
    let certificate = server.gateway.certificate().unwrap().to_owned();
    let first = client(&certificate, false);
    assert_eq!(send(&first, &server, "GET", "/", b"").await.unwrap().0, 200);
    // Half of a new pair changes nothing.
    let key = server.folder.path().join("key.pem");
    let second = start().await;
    let other = second.gateway.certificate().unwrap().to_owned();
    std::fs::copy(&other, &certificate).unwrap();
    assert!(server.gateway.reload().is_err());
    assert_eq!(send(&first, &server, "GET", "/", b"").await.unwrap().0, 200);
    std::fs::copy(second.folder.path().join("key.pem"), &key).unwrap();
    server.gateway.reload().unwrap();
    assert_eq!(send(&client(&other, false), &server, "GET", "/", b"").await.unwrap().0, 200);
    second.stop().await;
    server.stop().await;
}
