//! Starting, stopping, reloading, and what is written to the log.

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign::{ContentSha256, Timestamp};
use gateway::Gateway;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tracing_subscriber::fmt::MakeWriter;

use common::{Answer, Key, Server, config, noise};

#[tokio::test]
async fn a_request_may_finish_after_stop() {
    let server = Server::start().await;
    let body = noise(500_000);
    let raw = server.sign("PUT", "/bucket/k", &[], &body);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&raw.head()).await.unwrap();
    stream.write_all(&body[..200_000]).await.unwrap();
    // So that the request has begun when the gateway is told to stop.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let folder = server.folder;
    let stopping = tokio::spawn(server.gateway.stop());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(TcpStream::connect(server.address).await.is_err());
    stream.write_all(&body[200_000..]).await.unwrap();
    assert_eq!(Answer::read(&mut stream).await.status, 200);
    stopping.await.unwrap();
    let stored = folder.path().join("data/buckets/bucket/k");
    assert_eq!(std::fs::read(stored).unwrap(), body);
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let server = Server::start().await;
    let put = server.sign("PUT", "/bucket/a//b?x-id=PutObject", &[], b"body");
    assert_eq!(server.send(put).await.status, 200);
    let folder = server.folder;
    let second = Gateway::start(&config(folder.path(), &[])).await;
    assert!(second.is_err(), "two gateways share a folder");
    server.gateway.stop().await;
    // What a crash may leave behind.
    std::fs::write(folder.path().join("data/staging/left"), b"over").unwrap();
    let gateway = Gateway::start(&config(folder.path(), &[])).await.unwrap();
    assert!(!folder.path().join("data/staging/left").exists());
    let server = Server::of(gateway, None, folder);
    assert_eq!(server.object("a//b").await.unwrap(), b"body");
    server.stop().await;
}

#[tokio::test]
async fn credentials_are_read_again() {
    let server = Server::start().await;
    let path = server.credentials();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(&server.key.secret, "rotated")).unwrap();
    let get = |key: &Key| {
        let mut raw = server.plain("GET", "/bucket", &[], b"");
        raw.sign(key, ContentSha256::EMPTY, Timestamp::now());
        raw
    };
    let rotated = Key { secret: "rotated".to_owned(), ..server.key.clone() };
    assert_eq!(server.send(get(&server.key)).await.status, 200);
    server.gateway.reload().unwrap();
    assert_eq!(server.send(get(&server.key)).await.status, 403);
    assert_eq!(server.send(get(&rotated)).await.status, 200);
    std::fs::write(&path, "nonsense").unwrap();
    assert!(server.gateway.reload().is_err());
    assert_eq!(server.send(get(&rotated)).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn virtual_hosts() {
    let server = Server::start_with(&["--domain", "s3.test"]).await;
    for host in ["bucket.s3.test", "bucket.s3.test:9000", "Bucket.S3.test"] {
        let host = [("host", host)];
        let put = server.send(server.sign("PUT", "/virtual/k", &host, b"body")).await;
        assert_eq!(put.status, 200, "{}", put.text());
        assert_eq!(server.object("virtual/k").await.unwrap(), b"body");
        let delete = server.send(server.sign("DELETE", "/virtual/k", &host, b"")).await;
        assert_eq!(delete.status, 204);
    }
    for host in ["s3.test", "localhost", "xs3.test"] {
        let host = [("host", host)];
        let list = server.send(server.sign("GET", "/bucket?list-type=2", &host, b"")).await;
        assert_eq!(list.status, 200, "{}", list.text());
    }
    server.stop().await;
}

/// A log that is kept.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Kept {
    type Writer = Kept;

    fn make_writer(&'w self) -> Kept {
        self.clone()
    }
}

#[tokio::test]
async fn the_log_has_one_line_per_request_and_no_secrets() {
    let kept = Kept::default();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("trace,h2=info,hyper=info")
        .with_ansi(false)
        .with_writer(kept.clone())
        .finish();
    // The other tests of this file may log into it as well; they have keys of their own.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let server = Server::start().await;
    let target = server.presign("GET", "/bucket/log-presigned", &[]);
    assert_eq!(server.send(server.plain("GET", &target, &[], b"")).await.status, 404);
    let put = server.sign("PUT", "/bucket/log-put", &[("x-amz-meta-a", "b")], b"body");
    let authorization = |raw: &common::Raw| {
        let found = raw.headers.iter().find(|(name, _)| name == "authorization");
        found.unwrap().1.split("Signature=").nth(1).unwrap().to_owned()
    };
    let mut signatures = vec![authorization(&put)];
    assert_eq!(server.send(put).await.status, 200);
    let mut forged = server.plain("PUT", "/bucket/log-forged", &[], b"body");
    let key =
        Key { secret: "wrong".into(), token: Some("tokentoken".into()), ..server.key.clone() };
    forged.sign(&key, ContentSha256::of(b"body"), Timestamp::now());
    signatures.push(authorization(&forged));
    assert_eq!(server.send(forged).await.status, 400);
    signatures.push(target.split("X-Amz-Signature=").nth(1).unwrap()[..64].to_owned());
    let secret = server.key.secret.clone();
    let id = server.key.id.clone();
    server.stop().await;

    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let lines = |path: &str| {
        let field = format!("path={path} ");
        // Others are for those who look for a fault.
        let told = |line: &&str| line.contains(": request ") && line.contains(&field);
        log.lines().filter(told).collect::<Vec<_>>()
    };
    let [presigned] = lines("/bucket/log-presigned")[..] else { panic!("{log}") };
    assert!(presigned.contains("method=GET"));
    assert!(presigned.contains("status=404"));
    assert!(presigned.contains(&format!("key={id}")));
    assert!(presigned.contains("error=NoSuchKey"));
    assert!(presigned.contains("ms="));
    let [put] = lines("/bucket/log-put")[..] else { panic!("{log}") };
    assert!(put.contains("status=200") && !put.contains("error="));
    // A name that is not proven is not named.
    let [forged] = lines("/bucket/log-forged")[..] else { panic!("{log}") };
    assert!(forged.contains("status=400") && !forged.contains("key="), "{forged}");
    for hidden in signatures.iter().map(String::as_str).chain([
        secret.as_str(),
        "tokentoken",
        "Signature=",
        "X-Amz-Credential",
        "X-Amz-Security-Token",
    ]) {
        assert!(!log.contains(hidden), "{hidden}");
    }
}
