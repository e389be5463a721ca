//! Uploads bytes that are made while they are sent, in signed chunks with a checksum behind them, and
//! keeps none: `SignLayer` over hyper's client.
//!
//! ```text
//! cargo run --release -p gateway --bin upload -- \
//!     --credentials gateway-credentials --size 5368709120 http://127.0.0.1:9000/bucket/key
//! ```

use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use clap::Parser;
use countersign::tower::{FixedCredential, SignBody, SignLayer, SignTrailers};
use countersign::{AccessKeyId, ChecksumAlgorithm, ContentSha256, Credentials, SecretKey};
use http::{Request, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::{Layer as _, ServiceExt as _};

/// Uploads bytes that are made while they are sent.
#[derive(Parser)]
struct Options {
    /// Where to: http, path style.
    url: Uri,
    /// Credentials file; its first key signs.
    #[arg(long, default_value = "gateway-credentials")]
    credentials: PathBuf,
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// How many bytes.
    #[arg(long, default_value_t = 1 << 30)]
    size: u64,
    /// Bytes of a chunk.
    #[arg(long, default_value_t = 64 * 1024)]
    chunk: usize,
    /// Send chunks without signatures.
    #[arg(long)]
    unsigned: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let options = Options::parse();
    let text = std::fs::read_to_string(&options.credentials)?;
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_once('='));
        value.map(|(_, value)| value.trim()).ok_or("no key in the credentials file")
    };
    let credential = FixedCredential::new(&Credentials {
        access_key_id: AccessKeyId::new(value("aws_access_key_id")?)?,
        secret_key: SecretKey::new(value("aws_secret_access_key")?)?,
        session_token: None,
    });
    let content = match options.unsigned {
        true => ContentSha256::StreamingUnsignedTrailer,
        false => ContentSha256::StreamingSignedTrailer,
    };
    let layer = SignLayer::new("s3", options.region, credential).body(SignBody::Chunked {
        content,
        chunk_len: options.chunk,
        trailers: SignTrailers::Checksum(ChecksumAlgorithm::Crc64Nvme),
    });
    let client = layer.layer(Client::builder(TokioExecutor::new()).build_http());
    let body = Made { left: options.size, piece: Bytes::from(vec![b'x'; 64 * 1024]) };
    let started = Instant::now();
    let answer = client.oneshot(Request::put(options.url).body(body)?).await?;
    let status = answer.status();
    let text = answer.into_body().collect().await?.to_bytes();
    println!("{status}, {} bytes, {:.1} s", options.size, started.elapsed().as_secs_f64());
    if status.is_success() { Ok(()) } else { Err(String::from_utf8_lossy(&text).into()) }
}

/// A body that is made when it is asked for.
struct Made {
    left: u64,
    piece: Bytes,
}

impl Body for Made {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.piece.len());
        if len == 0 {
            return Poll::Ready(None);
        }
        self.left -= len as u64;
        Poll::Ready(Some(Ok(Frame::data(self.piece.slice(..len)))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
