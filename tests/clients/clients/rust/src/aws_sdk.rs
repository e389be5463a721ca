//! `aws-sdk-s3`, the AWS SDK for Rust, with its default settings but for retries. What comes from a
//! file is streamed: over http in signed chunks with a signed trailer, over https with an unsigned
//! trailer.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region, SharedHttpClient};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart, Delete,
    ObjectIdentifier,
};
use aws_smithy_http_client::{Builder, tls};
use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;

use crate::checks::{
    Checksum, Given, Key, PART, Refusals, Result, TREE, Trouble, attempt, equal, etag,
};

/// What the SDK calculates; of any other algorithm it has to be given the checksum.
const CALCULATED: [&str; 5] = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"];

type Response = aws_sdk_s3::config::http::HttpResponse;

impl<E> From<SdkError<E, Response>> for Trouble
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    fn from(error: SdkError<E, Response>) -> Trouble {
        match error.raw_response().map(|response| response.status().as_u16()) {
            Some(status @ 400..) => {
                Trouble::Refused(format!("{status} {}", error.code().unwrap_or_default()))
            }
            _ => Trouble::Failure(DisplayErrorContext(&error).to_string()),
        }
    }
}

/// For errors that no answer causes.
fn failed(error: impl std::error::Error) -> Trouble {
    Trouble::Failure(DisplayErrorContext(&error).to_string())
}

/// What an answer must have.
fn there<T>(what: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| Trouble::Failure(format!("no {what} in the answer")))
}

struct S3<'g> {
    given: &'g Given,
    client: Client,
}

pub(crate) async fn run() {
    let given = &Given::read();
    let http = http_client(given);
    let by = |key: &Key| S3 { given, client: client(given, &http, key) };
    let s3 = by(&given.key);
    attempt("create-bucket", s3.create_bucket()).await;
    attempt("head-bucket", s3.head_bucket()).await;
    attempt("location", s3.location()).await;
    attempt("list-buckets", s3.list_buckets()).await;
    attempt("put-empty", s3.put_file("empty.bin")).await;
    attempt("put-small", s3.put_file("small.txt")).await;
    attempt("put-1m", s3.put_file("1m.bin")).await;
    attempt("put-multipart", s3.put_multipart()).await;
    attempt("put-stream", s3.put_stream("12m.bin")).await;
    attempt("put-stream-small", s3.put_stream_small()).await;
    attempt("put-stream-part", s3.put_stream_part()).await;
    attempt("multipart-abort", s3.multipart_abort()).await;
    attempt("get", s3.check("12m.bin", &given.content("12m.bin"))).await;
    attempt("get-range", s3.get_range()).await;
    attempt("head", s3.head()).await;
    attempt("list-v1", s3.list_v1()).await;
    attempt("list-v2", s3.list_v2()).await;
    attempt("list-pages", s3.list_pages()).await;
    for (operation, key) in &given.odd_keys {
        attempt(operation, s3.odd_key(key)).await;
    }
    attempt("copy", s3.copy()).await;
    attempt("copy-multipart", s3.copy_multipart()).await;
    attempt("delete", s3.delete()).await;
    attempt("multi-delete", s3.multi_delete()).await;
    attempt("metadata", s3.metadata()).await;
    for known in &given.checksums {
        attempt(&known.operation, s3.checksum(known)).await;
    }
    attempt("checksum-wrong", s3.checksum_wrong()).await;
    attempt("presigned-get", s3.presigned_get()).await;
    attempt("presigned-put", s3.presigned_put()).await;
    attempt("presigned-headers", s3.presigned_headers()).await;
    attempt("presigned-expired", s3.presigned_expired()).await;
    attempt("presigned-tampered", s3.presigned_tampered()).await;
    if let Some(temporary) = &given.temporary {
        let without = Key { token: None, ..temporary.clone() };
        let foreign = Key { token: temporary.token.clone(), ..given.key.clone() };
        attempt("temporary-key", by(temporary).temporary()).await;
        attempt("temporary-no-token", s3.refused_to(&by(&without))).await;
        attempt("temporary-foreign", s3.refused_to(&by(&foreign))).await;
    }
    attempt("wrong-secret", s3.refused_to(&by(&given.wrong_secret()))).await;
    attempt("unknown-key", s3.refused_to(&by(&given.unknown_key()))).await;
    attempt("delete-bucket", s3.delete_bucket()).await;
}

fn http_client(given: &Given) -> SharedHttpClient {
    let Some(pem) = &given.ca else { return Builder::new().build_http() };
    let trust = tls::TrustStore::empty().with_pem_certificate(pem.as_slice());
    let context = tls::TlsContext::builder().with_trust_store(trust).build();
    Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .tls_context(context.expect("S3_CA"))
        .build_https()
}

fn client(given: &Given, http: &SharedHttpClient, key: &Key) -> Client {
    let credentials =
        aws_sdk_s3::config::Credentials::new(&key.id, &key.secret, key.token.clone(), None, "run");
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_timeout(Duration::from_secs(30));
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http.clone())
        .endpoint_url(&given.endpoint)
        .region(Region::new(given.region.clone()))
        .credentials_provider(credentials)
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts.build())
        .build();
    Client::from_conf(config)
}

fn presigning(seconds: u64) -> Result<PresigningConfig> {
    PresigningConfig::expires_in(Duration::from_secs(seconds)).map_err(failed)
}

/// For `x-amz-copy-source`.
fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Gives an upload this checksum.
fn with_checksum(put: PutObjectFluentBuilder, known: &Checksum) -> Result<PutObjectFluentBuilder> {
    let value = known.value.as_str();
    Ok(match known.algorithm.as_str() {
        "CRC32" => put.checksum_crc32(value),
        "CRC32C" => put.checksum_crc32_c(value),
        "CRC64NVME" => put.checksum_crc64_nvme(value),
        "SHA1" => put.checksum_sha1(value),
        "SHA256" => put.checksum_sha256(value),
        "SHA512" => put.checksum_sha512(value),
        "MD5" => put.checksum_md5(value),
        "XXHASH64" => put.checksum_xxhash64(value),
        "XXHASH3" => put.checksum_xxhash3(value),
        "XXHASH128" => put.checksum_xxhash128(value),
        other => return Err(Trouble::Failure(format!("unknown algorithm {other}"))),
    })
}

fn checksum_of<'a>(answer: &'a GetObjectOutput, algorithm: &str) -> Option<&'a str> {
    match algorithm {
        "CRC32" => answer.checksum_crc32(),
        "CRC32C" => answer.checksum_crc32_c(),
        "CRC64NVME" => answer.checksum_crc64_nvme(),
        "SHA1" => answer.checksum_sha1(),
        "SHA256" => answer.checksum_sha256(),
        "SHA512" => answer.checksum_sha512(),
        "MD5" => answer.checksum_md5(),
        "XXHASH64" => answer.checksum_xxhash64(),
        "XXHASH3" => answer.checksum_xxhash3(),
        "XXHASH128" => answer.checksum_xxhash128(),
        _ => None,
    }
}

impl S3<'_> {
    fn put(&self, key: &str, body: impl Into<ByteStream>) -> PutObjectFluentBuilder {
        self.client.put_object().bucket(&self.given.bucket).key(key).body(body.into())
    }

    async fn put_bytes(&self, key: &str, body: impl Into<Bytes>) -> Result {
        self.put(key, ByteStream::from(body.into())).send().await?;
        Ok(())
    }

    /// A file's content as a stream: what is read from disk is hashed while it is sent.
    async fn stream(&self, name: &str) -> Result<ByteStream> {
        ByteStream::from_path(self.given.file(name)).await.map_err(failed)
    }

    async fn get(&self, key: &str, range: Option<&str>) -> Result<Bytes> {
        let get = self.client.get_object().bucket(&self.given.bucket).key(key);
        let answer = get.set_range(range.map(str::to_owned)).send().await?;
        Ok(answer.body.collect().await.map_err(failed)?.into_bytes())
    }

    async fn check(&self, key: &str, wanted: &Bytes) -> Result {
        equal("object", &self.get(key, None).await?, wanted)
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let list = self.client.list_objects_v2().bucket(&self.given.bucket).prefix(prefix);
        let answer = list.send().await?;
        Ok(answer.contents().iter().filter_map(|object| object.key()).map(str::to_owned).collect())
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.keys(key).await?.iter().any(|listed| listed == key))
    }

    async fn create_bucket(&self) -> Result {
        self.client.create_bucket().bucket(&self.given.bucket).send().await?;
        Ok(())
    }

    async fn head_bucket(&self) -> Result {
        self.client.head_bucket().bucket(&self.given.bucket).send().await?;
        Ok(())
    }

    async fn location(&self) -> Result {
        let answer = self.client.get_bucket_location().bucket(&self.given.bucket).send().await?;
        let location = answer.location_constraint().map_or("", |location| location.as_str());
        let location = if location.is_empty() { "us-east-1" } else { location };
        equal("location", location, &self.given.region)
    }

    async fn list_buckets(&self) -> Result {
        let answer = self.client.list_buckets().send().await?;
        let bucket = self.given.bucket.as_str();
        equal("own", &answer.buckets().iter().any(|one| one.name() == Some(bucket)), &true)
    }

    async fn put_file(&self, name: &str) -> Result {
        let data = self.given.content(name);
        let answer = self.put(name, data.clone()).send().await?;
        equal("ETag", &answer.e_tag, &Some(etag(&data)))?;
        self.check(name, &data).await
    }

    async fn put_stream(&self, name: &str) -> Result {
        let key = format!("stream/{name}");
        self.put(&key, self.stream(name).await?).send().await?;
        self.check(&key, &self.given.content(name)).await
    }

    async fn put_stream_small(&self) -> Result {
        for name in ["empty.bin", "small.txt", "200k.bin"] {
            self.put_stream(name).await?;
        }
        Ok(())
    }

    async fn begin(&self, key: &str) -> Result<String> {
        let begun = self.client.create_multipart_upload().bucket(&self.given.bucket).key(key);
        there("upload id", begun.send().await?.upload_id)
    }

    async fn part(
        &self,
        key: &str,
        id: &str,
        number: i32,
        body: ByteStream,
    ) -> Result<CompletedPart> {
        let part = self.client.upload_part().bucket(&self.given.bucket).key(key).upload_id(id);
        let answer = part.part_number(number).body(body).send().await?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(answer.e_tag)
            .set_checksum_crc32(answer.checksum_crc32)
            .build())
    }

    async fn complete(&self, key: &str, id: &str, parts: Vec<CompletedPart>) -> Result<String> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.client.complete_multipart_upload().bucket(&self.given.bucket).key(key);
        there("ETag", complete.upload_id(id).multipart_upload(parts).send().await?.e_tag)
    }

    async fn put_multipart(&self) -> Result {
        let (key, data) = ("12m.bin", self.given.content("12m.bin"));
        let id = self.begin(key).await?;
        let mut parts = Vec::new();
        for (number, start) in (1..).zip((0..data.len()).step_by(PART)) {
            let body = data.slice(start..data.len().min(start + PART));
            parts.push(self.part(key, &id, number, body.into()).await?);
        }
        let etag = self.complete(key, &id, parts).await?;
        equal("end of ETag", &etag[etag.len() - 3..], "-3\"")?;
        self.check(key, &data).await
    }

    async fn put_stream_part(&self) -> Result {
        let key = "stream-part.bin";
        let id = self.begin(key).await?;
        let part = self.part(key, &id, 1, self.stream("1m.bin").await?).await?;
        self.complete(key, &id, vec![part]).await?;
        self.check(key, &self.given.content("1m.bin")).await
    }

    async fn multipart_abort(&self) -> Result {
        let key = "aborted.bin";
        let id = self.begin(key).await?;
        let part = self.part(key, &id, 1, self.given.content("1m.bin").into()).await?;
        let known = self.client.list_parts().bucket(&self.given.bucket).key(key).upload_id(&id);
        let listed = known.send().await?;
        let listed: Vec<_> = listed.parts().iter().map(|one| one.e_tag()).collect();
        equal("parts", listed.as_slice(), &[part.e_tag()])?;
        let abort = self.client.abort_multipart_upload().bucket(&self.given.bucket).key(key);
        abort.upload_id(&id).send().await?;
        equal("object exists", &self.exists(key).await?, &false)
    }

    async fn get_range(&self) -> Result {
        let data = self.given.content("1m.bin");
        let range = self.get("1m.bin", Some("bytes=1000-4999")).await?;
        equal("range", &range, &data.slice(1000..5000))?;
        let suffix = self.get("1m.bin", Some("bytes=-77")).await?;
        equal("suffix", &suffix, &data.slice(data.len() - 77..))
    }

    async fn head(&self) -> Result {
        let head = self.client.head_object().bucket(&self.given.bucket).key("1m.bin");
        let answer = head.send().await?;
        equal("length", &answer.content_length, &Some(1 << 20))?;
        equal("ETag", &answer.e_tag, &Some(etag(&self.given.content("1m.bin"))))
    }

    async fn tree(&self) -> Result {
        for key in TREE {
            self.put_bytes(key, key).await?;
        }
        Ok(())
    }

    async fn list_v1(&self) -> Result {
        self.tree().await?;
        let list = self.client.list_objects().bucket(&self.given.bucket).prefix("tree/");
        let answer = list.send().await?;
        let keys: Vec<_> = answer.contents().iter().filter_map(|object| object.key()).collect();
        equal("keys", keys.as_slice(), &TREE)
    }

    async fn list_v2(&self) -> Result {
        self.tree().await?;
        let list = self.client.list_objects_v2().bucket(&self.given.bucket);
        let answer = list.prefix("tree/").delimiter("/").send().await?;
        let keys: Vec<_> = answer.contents().iter().filter_map(|object| object.key()).collect();
        equal("keys", keys.as_slice(), &["tree/c", "tree/d e+f"])?;
        let prefixes: Vec<_> =
            answer.common_prefixes().iter().filter_map(|one| one.prefix()).collect();
        equal("prefixes", prefixes.as_slice(), &["tree/a/", "tree/b/"])?;
        equal("odd prefix", self.keys("tree/d e+").await?.as_slice(), &["tree/d e+f".to_owned()])
    }

    async fn list_pages(&self) -> Result {
        self.tree().await?;
        let list = self.client.list_objects_v2().bucket(&self.given.bucket).prefix("tree/");
        let mut pages = list.into_paginator().page_size(2).send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page?;
            let keys = page.contents().iter().filter_map(|object| object.key());
            found.push(keys.map(str::to_owned).collect::<Vec<_>>());
        }
        let wanted: Vec<Vec<_>> =
            TREE.chunks(2).map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()).collect();
        equal("pages", &found, &wanted)
    }

    async fn odd_key(&self, key: &str) -> Result {
        let data = Bytes::from(key.to_owned());
        self.put_bytes(key, data.clone()).await?;
        self.check(key, &data).await?;
        equal("listed", &self.exists(key).await?, &true)
    }

    async fn copy(&self) -> Result {
        let (source, data) = ("copy from +ü.txt", self.given.content("small.txt"));
        self.put_bytes(source, data.clone()).await?;
        let copy = self.client.copy_object().bucket(&self.given.bucket).key("copy.txt");
        copy.copy_source(format!("{}/{}", self.given.bucket, escaped(source))).send().await?;
        self.check("copy.txt", &data).await
    }

    async fn copy_multipart(&self) -> Result {
        let (key, data) = ("12m-copy.bin", self.given.content("12m.bin"));
        let id = self.begin(key).await?;
        let mut parts = Vec::new();
        for (number, range) in [(1, 0..PART), (2, PART..data.len())] {
            let copy = self.client.upload_part_copy().bucket(&self.given.bucket).key(key);
            let answer = copy
                .upload_id(&id)
                .part_number(number)
                .copy_source(format!("{}/12m.bin", self.given.bucket))
                .copy_source_range(format!("bytes={}-{}", range.start, range.end - 1))
                .send()
                .await?;
            let result = there("part", answer.copy_part_result)?;
            let part = CompletedPart::builder().part_number(number).set_e_tag(result.e_tag);
            parts.push(part.build());
        }
        self.complete(key, &id, parts).await?;
        self.check(key, &data).await
    }

    async fn remove(&self, key: &str) -> Result {
        self.client.delete_object().bucket(&self.given.bucket).key(key).send().await?;
        Ok(())
    }

    async fn delete(&self) -> Result {
        self.put_bytes("doomed", "x").await?;
        self.remove("doomed").await?;
        equal("object exists", &self.exists("doomed").await?, &false)?;
        self.remove("doomed").await
    }

    async fn multi_delete(&self) -> Result {
        let doomed = ["doomed/1", "doomed/2 +ü&<>"];
        let mut delete = Delete::builder();
        for key in doomed {
            self.put_bytes(key, "x").await?;
            delete = delete.objects(ObjectIdentifier::builder().key(key).build().map_err(failed)?);
        }
        let delete = delete.build().map_err(failed)?;
        let answer =
            self.client.delete_objects().bucket(&self.given.bucket).delete(delete).send().await?;
        let mut deleted: Vec<_> = answer.deleted().iter().filter_map(|one| one.key()).collect();
        deleted.sort_unstable();
        equal("deleted", deleted.as_slice(), &doomed)?;
        equal("keys left", &self.keys("doomed/").await?.len(), &0)
    }

    async fn metadata(&self) -> Result {
        let sent = [("plain", "value"), ("spaces", "two  spaces"), ("comma", "a,b")];
        let mut put = self.put("metadata.txt", ByteStream::from_static(b"x"));
        for (name, value) in sent {
            put = put.metadata(name, value);
        }
        put.content_type("text/x-test; charset=utf-8").send().await?;
        let head = self.client.head_object().bucket(&self.given.bucket).key("metadata.txt");
        let answer = head.send().await?;
        let metadata = answer.metadata().cloned().unwrap_or_default();
        let wanted = sent.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        equal("metadata", &metadata, &wanted)?;
        equal("type", answer.content_type().unwrap_or(""), "text/x-test; charset=utf-8")
    }

    async fn checksum(&self, known: &Checksum) -> Result {
        let algorithm = known.algorithm.as_str();
        let data = self.given.content("200k.bin");
        // In the head of a body that is there whole; behind one that is streamed.
        let mut uploads = vec![with_checksum(self.put("checksum.bin", data.clone()), known)?];
        if CALCULATED.contains(&algorithm) {
            let asked = ChecksumAlgorithm::from(algorithm);
            let whole = self.put("checksum.bin", data.clone());
            let streamed = self.put("checksum.bin", self.stream("200k.bin").await?);
            uploads.extend([whole, streamed].map(|put| put.checksum_algorithm(asked.clone())));
        }
        for upload in uploads {
            upload.send().await?;
            let get = self.client.get_object().bucket(&self.given.bucket).key("checksum.bin");
            let answer = get.checksum_mode(ChecksumMode::Enabled).send().await?;
            equal("checksum", &checksum_of(&answer, algorithm), &known.kept.as_deref())?;
            let body = answer.body.collect().await.map_err(failed)?.into_bytes();
            equal("object", &body, &data)?;
            self.remove("checksum.bin").await?;
        }
        Ok(())
    }

    async fn checksum_wrong(&self) -> Result {
        let mut refusals = Refusals::default();
        for known in &self.given.checksums {
            let put = self.put("never.txt", ByteStream::from_static(b"x"));
            refusals.add(with_checksum(put, known)?.send().await.map_err(Into::into))?;
        }
        equal("object exists", &self.exists("never.txt").await?, &false)?;
        refusals.end()
    }

    async fn presign(&self, key: &str, seconds: u64) -> Result<String> {
        let get = self.client.get_object().bucket(&self.given.bucket).key(key);
        Ok(get.presigned(presigning(seconds)?).await?.uri().to_owned())
    }

    async fn presigned_get(&self) -> Result {
        let object = self.given.fetch(&self.presign("1m.bin", 300).await?).await?;
        equal("object", &object, &self.given.content("1m.bin"))?;
        for (_, key) in &self.given.odd_keys {
            let object = self.given.fetch(&self.presign(key, 300).await?).await?;
            equal("odd object", &object, &key.clone().into())?;
        }
        Ok(())
    }

    async fn presigned_put(&self) -> Result {
        let data = self.given.content("1m.bin");
        let put = self.client.put_object().bucket(&self.given.bucket).key("presigned.bin");
        let put = put.presigned(presigning(300)?).await?;
        let headers: Vec<_> = put.headers().collect();
        self.given.send(Method::PUT, put.uri(), &headers, data.clone()).await?;
        self.check("presigned.bin", &data).await
    }

    /// A header that the signature covers must be sent, and as signed.
    async fn presigned_headers(&self) -> Result {
        let put = self.client.put_object().bucket(&self.given.bucket).key("never.txt");
        let put = put.content_type("text/plain").metadata("a", "b");
        let put = put.presigned(presigning(300)?).await?;
        let send = async |headers: &[(&str, &str)]| {
            self.given.send(Method::PUT, put.uri(), headers, Bytes::from_static(b"x")).await
        };
        let signed: Vec<_> = put.headers().collect();
        send(&signed).await?;
        self.check("never.txt", &Bytes::from_static(b"x")).await?;
        self.remove("never.txt").await?;
        let changed: Vec<_> = signed
            .iter()
            .map(|(name, value)| (*name, if *name == "x-amz-meta-a" { "c" } else { *value }))
            .collect();
        let more = [signed.as_slice(), &[("x-amz-meta-c", "d")]].concat();
        let mut refusals = Refusals::default();
        refusals.add(send(&[]).await)?;
        refusals.add(send(&changed).await)?;
        refusals.add(send(&more).await)?;
        equal("object exists", &self.exists("never.txt").await?, &false)?;
        refusals.end()
    }

    async fn presigned_expired(&self) -> Result {
        self.given.expired(&self.presign("1m.bin", 1).await?).await
    }

    async fn presigned_tampered(&self) -> Result {
        self.given.tampered(&self.presign("1m.bin", 300).await?, "1m.bin", "small.txt").await
    }

    async fn temporary(&self) -> Result {
        let data = Bytes::from_static(b"temporary");
        self.put_bytes("temporary.txt", data.clone()).await?;
        self.put_stream("small.txt").await?;
        self.check("temporary.txt", &data).await?;
        let object = self.given.fetch(&self.presign("temporary.txt", 300).await?).await?;
        equal("object", &object, &data)
    }

    /// Neither reads nor writes for this one.
    async fn refused_to(&self, by: &S3<'_>) -> Result {
        let mut refusals = Refusals::default();
        refusals.add(by.get("1m.bin", None).await)?;
        refusals.add(by.put_bytes("never.txt", "x").await)?;
        let stream = by.put("never.txt", by.stream("200k.bin").await?);
        refusals.add(stream.send().await.map_err(Into::into))?;
        refusals.add(by.keys("").await)?;
        refusals.add(self.given.fetch(&by.presign("1m.bin", 300).await?).await)?;
        equal("object exists", &self.exists("never.txt").await?, &false)?;
        refusals.end()
    }

    async fn delete_bucket(&self) -> Result {
        for key in self.keys("").await? {
            self.remove(&key).await?;
        }
        self.client.delete_bucket().bucket(&self.given.bucket).send().await?;
        Ok(())
    }
}
