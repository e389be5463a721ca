//! `object_store`, a client with a signer of its own. It knows objects and not buckets: those are
//! made, found and removed with URLs that it presigns.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{self, AmazonS3, AmazonS3Builder};
use object_store::buffered::BufWriter;
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer as _};
use object_store::{
    Attribute, Attributes, Certificate, ClientOptions, Error, GetOptions, GetRange,
    MultipartUpload as _, ObjectStore, ObjectStoreExt as _, PutOptions, RetryConfig,
};
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use tokio::io::AsyncWriteExt as _;

use crate::checks::{
    self, Given, Key, PART, Refusals, Result, TREE, Trouble, attempt, code, equal, etag, failure,
};

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        // The answer is only in the words of an error: "... status code: 403 Forbidden: <Error>...".
        let mut words = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            words = error.to_string();
            cause = error.source();
        }
        match words.split_once("status code: ").and_then(|(_, answer)| answer.get(..3)) {
            Some(status) => {
                Trouble::Refused(format!("{status} {}", code(&words).unwrap_or_default()))
            }
            None => failure(&error),
        }
    }
}

struct Store<'g> {
    given: &'g Given,
    store: Arc<AmazonS3>,
}

pub(crate) async fn run() {
    let given = &Given::read();
    let by = |key: &Key| Store::new(given, signing(given, key));
    let store = by(&given.key);
    attempt("create-bucket", store.on_bucket(Method::PUT)).await;
    attempt("head-bucket", store.on_bucket(Method::HEAD)).await;
    attempt("put-empty", store.put_file("empty.bin")).await;
    attempt("put-small", store.put_file("small.txt")).await;
    attempt("put-1m", store.put_file("1m.bin")).await;
    attempt("put-unsigned", store.put_unsigned()).await;
    attempt("put-multipart", store.put_multipart()).await;
    attempt("put-stream", store.put_stream()).await;
    attempt("multipart-abort", store.multipart_abort()).await;
    attempt("get", store.check("12m.bin", &given.content("12m.bin"))).await;
    attempt("get-range", store.get_range()).await;
    attempt("head", store.head()).await;
    attempt("list-v2", store.list_v2()).await;
    attempt("list-pages", store.list_pages()).await;
    // A path of its own has no empty parts.
    for (operation, key) in given.odd_keys.iter().filter(|(_, key)| !key.contains("//")) {
        attempt(operation, store.odd_key(key)).await;
    }
    attempt("copy", store.copy()).await;
    attempt("delete", store.delete()).await;
    attempt("multi-delete", store.multi_delete()).await;
    attempt("metadata", store.metadata()).await;
    for known in &given.checksums {
        if let Ok(algorithm) = known.algorithm.parse() {
            attempt(&known.operation, store.checksum(algorithm, known)).await;
        }
    }
    attempt("checksum-wrong", store.checksum_wrong()).await;
    attempt("presigned-get", store.presigned_get()).await;
    attempt("presigned-put", store.presigned_put()).await;
    attempt("presigned-headers", store.presigned_headers()).await;
    attempt("presigned-expired", store.presigned_expired()).await;
    attempt("presigned-tampered", store.presigned_tampered()).await;
    let anonymous = Store::new(given, options(given).with_skip_signature(true));
    attempt("anonymous", store.nothing_for(&anonymous)).await;
    if let Some(temporary) = &given.temporary {
        let without = Key { token: None, ..temporary.clone() };
        let foreign = Key { token: temporary.token.clone(), ..given.key.clone() };
        attempt("temporary-key", by(temporary).temporary()).await;
        attempt("temporary-no-token", store.refused_to(&by(&without))).await;
        attempt("temporary-foreign", store.refused_to(&by(&foreign))).await;
    }
    attempt("wrong-secret", store.refused_to(&by(&given.wrong_secret()))).await;
    attempt("unknown-key", store.refused_to(&by(&given.unknown_key()))).await;
    attempt("delete-bucket", store.delete_bucket()).await;
}

fn options(given: &Given) -> AmazonS3Builder {
    let mut client = ClientOptions::new()
        .with_allow_http(true)
        .with_connect_timeout(Duration::from_secs(5))
        .with_timeout(Duration::from_secs(30));
    if let Some(pem) = &given.ca {
        // Over https it speaks HTTP/2 where it may.
        let certificate = Certificate::from_pem(pem).expect("S3_CA");
        client = client.with_root_certificate(certificate).with_allow_http2();
    }
    AmazonS3Builder::new()
        .with_client_options(client)
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_endpoint(&given.endpoint)
        .with_region(&given.region)
        .with_bucket_name(&given.bucket)
}

fn signing(given: &Given, key: &Key) -> AmazonS3Builder {
    let options = options(given).with_access_key_id(&key.id).with_secret_access_key(&key.secret);
    match &key.token {
        Some(token) => options.with_token(token),
        None => options,
    }
}

fn path(key: &str) -> Result<Path> {
    Path::parse(key).map_err(|error| failure(&error))
}

/// For URLs that are good only together with these headers.
fn bound_to(headers: &[(&str, &str)]) -> Result<SignedUrlOptions> {
    let mut options = SignedUrlOptions::default();
    for (name, value) in headers {
        let name = name.parse::<HeaderName>().map_err(|error| failure(&error))?;
        let value = value.parse::<HeaderValue>().map_err(|error| failure(&error))?;
        options = options.with_signed_header(name, value);
    }
    Ok(options)
}

fn io(error: std::io::Error) -> Trouble {
    failure(&error)
}

impl Store<'_> {
    fn new(given: &Given, options: AmazonS3Builder) -> Store<'_> {
        Store { given, store: Arc::new(options.build().expect("object_store's configuration")) }
    }

    async fn url(&self, method: Method, key: &str, seconds: u64) -> Result<String> {
        let life = Duration::from_secs(seconds);
        Ok(self.store.signed_url(method, &path(key)?, life).await?.into())
    }

    async fn on_bucket(&self, method: Method) -> Result {
        let url = self.url(method.clone(), "", 60).await?;
        self.given.send(method, &url, &[], Bytes::new()).await?;
        Ok(())
    }

    async fn put(&self, key: &str, data: impl Into<Bytes>) -> Result<Option<String>> {
        Ok(self.store.put(&path(key)?, data.into().into()).await?.e_tag)
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        Ok(self.store.get(&path(key)?).await?.bytes().await?)
    }

    async fn check(&self, key: &str, wanted: &Bytes) -> Result {
        equal("object", &self.get(key).await?, wanted)
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let listing = self.store.list(Some(&path(prefix)?));
        let mut keys: Vec<String> =
            listing.map_ok(|meta| meta.location.to_string()).try_collect().await?;
        keys.sort_unstable();
        Ok(keys)
    }

    /// Its listing is of what lies under a path, so it is asked for the whole.
    async fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.keys("").await?.iter().any(|listed| listed == key))
    }

    async fn put_file(&self, name: &str) -> Result {
        let data = self.given.content(name);
        equal("ETag", &self.put(name, data.clone()).await?, &Some(etag(&data)))?;
        self.check(name, &data).await
    }

    async fn put_unsigned(&self) -> Result {
        let options = signing(self.given, &self.given.key).with_unsigned_payload(true);
        let unsigned = Store::new(self.given, options);
        let data = self.given.content("1m.bin");
        unsigned.put("unsigned.bin", data.clone()).await?;
        unsigned.check("unsigned.bin", &data).await
    }

    async fn put_multipart(&self) -> Result {
        let data = self.given.content("12m.bin");
        let mut upload = self.store.put_multipart(&path("12m.bin")?).await?;
        for start in (0..data.len()).step_by(PART) {
            upload.put_part(data.slice(start..data.len().min(start + PART)).into()).await?;
        }
        let etag = upload.complete().await?.e_tag.unwrap_or_default();
        equal("three parts in ETag", &etag.ends_with("-3\""), &true)?;
        self.check("12m.bin", &data).await
    }

    async fn put_stream(&self) -> Result {
        for name in ["12m.bin", "small.txt"] {
            let key = format!("stream/{name}");
            let store: Arc<dyn ObjectStore> = self.store.clone();
            let mut writer = BufWriter::with_capacity(store, path(&key)?, PART);
            let mut file = tokio::fs::File::open(self.given.file(name)).await.map_err(io)?;
            tokio::io::copy(&mut file, &mut writer).await.map_err(io)?;
            writer.shutdown().await.map_err(io)?;
            self.check(&key, &self.given.content(name)).await?;
        }
        Ok(())
    }

    async fn multipart_abort(&self) -> Result {
        let mut upload = self.store.put_multipart(&path("aborted.bin")?).await?;
        upload.put_part(self.given.content("1m.bin").into()).await?;
        upload.abort().await?;
        equal("object exists", &self.exists("aborted.bin").await?, &false)
    }

    async fn get_range(&self) -> Result {
        let (key, data) = (path("1m.bin")?, self.given.content("1m.bin"));
        let range = self.store.get_range(&key, 1000..5000).await?;
        equal("range", &range, &data.slice(1000..5000))?;
        let options = GetOptions { range: Some(GetRange::Suffix(77)), ..GetOptions::default() };
        let suffix = self.store.get_opts(&key, options).await?.bytes().await?;
        equal("suffix", &suffix, &data.slice(data.len() - 77..))
    }

    async fn head(&self) -> Result {
        let meta = self.store.head(&path("1m.bin")?).await?;
        equal("length", &meta.size, &(1 << 20))?;
        equal("ETag", &meta.e_tag, &Some(etag(&self.given.content("1m.bin"))))
    }

    async fn tree(&self) -> Result {
        for key in TREE {
            self.put(key, key).await?;
        }
        Ok(())
    }

    async fn list_v2(&self) -> Result {
        self.tree().await?;
        let level = self.store.list_with_delimiter(Some(&path("tree")?)).await?;
        let keys: Vec<_> = level.objects.iter().map(|meta| meta.location.as_ref()).collect();
        equal("keys", keys.as_slice(), &["tree/c", "tree/d e+f"])?;
        let prefixes: Vec<_> = level.common_prefixes.iter().map(Path::as_ref).collect();
        equal("prefixes", prefixes.as_slice(), &["tree/a", "tree/b"])?;
        equal("keys", self.keys("tree").await?.as_slice(), &TREE.map(str::to_owned))?;
        let (under, after) = (path("tree")?, path("tree/b/3")?);
        let after = self.store.list_with_offset(Some(&under), &after);
        let after: Vec<String> =
            after.map_ok(|meta| meta.location.to_string()).try_collect().await?;
        equal("keys after", after.as_slice(), &["tree/c", "tree/d e+f"].map(str::to_owned))
    }

    async fn list_pages(&self) -> Result {
        self.tree().await?;
        let mut found = Vec::new();
        let mut page_token = None;
        loop {
            let options =
                PaginatedListOptions { max_keys: Some(2), page_token, ..Default::default() };
            let page = self.store.list_paginated(Some("tree/"), options).await?;
            let keys = page.result.objects.iter().map(|meta| meta.location.to_string());
            found.push(keys.collect::<Vec<_>>());
            page_token = page.page_token;
            if page_token.is_none() {
                break;
            }
        }
        let wanted: Vec<Vec<_>> =
            TREE.chunks(2).map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()).collect();
        equal("pages", &found, &wanted)
    }

    async fn odd_key(&self, key: &str) -> Result {
        let data = Bytes::from(key.to_owned());
        self.put(key, data.clone()).await?;
        self.check(key, &data).await?;
        equal("listed", &self.exists(key).await?, &true)
    }

    async fn copy(&self) -> Result {
        let (source, data) = ("copy from +ü.txt", self.given.content("small.txt"));
        self.put(source, data.clone()).await?;
        self.store.copy(&path(source)?, &path("copy.txt")?).await?;
        self.check("copy.txt", &data).await?;
        self.store.rename(&path(source)?, &path("renamed.txt")?).await?;
        self.check("renamed.txt", &data).await?;
        equal("source exists", &self.exists(source).await?, &false)
    }

    async fn delete(&self) -> Result {
        self.put("doomed", "x").await?;
        self.store.delete(&path("doomed")?).await?;
        equal("object exists", &self.exists("doomed").await?, &false)
    }

    /// Removes these with one request.
    async fn remove(&self, keys: &[String]) -> Result {
        let paths = keys.iter().map(|key| Path::parse(key).map_err(Error::from));
        let paths: Vec<_> = paths.collect();
        let deleted = self.store.delete_stream(futures_util::stream::iter(paths).boxed());
        let mut deleted: Vec<String> =
            deleted.map_ok(|path| path.to_string()).try_collect().await?;
        deleted.sort_unstable();
        equal("deleted", deleted.as_slice(), keys)
    }

    async fn multi_delete(&self) -> Result {
        let doomed = ["doomed/1", "doomed/2 +ü&<>"].map(str::to_owned);
        for key in &doomed {
            self.put(key, "x").await?;
        }
        self.remove(&doomed).await?;
        equal("keys left", &self.keys("doomed").await?.len(), &0)
    }

    async fn metadata(&self) -> Result {
        let attributes = Attributes::from_iter([
            (Attribute::ContentType, "text/x-test; charset=utf-8"),
            (Attribute::ContentDisposition, "attachment; filename=\"a  b\""),
            (Attribute::Metadata("plain".into()), "value"),
            (Attribute::Metadata("spaces".into()), "two  spaces"),
            (Attribute::Metadata("comma".into()), "a,b"),
        ]);
        let options = PutOptions { attributes: attributes.clone(), ..PutOptions::default() };
        let key = path("metadata.txt")?;
        self.store.put_opts(&key, "x".into(), options).await?;
        equal("attributes", &self.store.get(&key).await?.attributes, &attributes)
    }

    async fn checksum(&self, algorithm: aws::Checksum, known: &checks::Checksum) -> Result {
        let options = signing(self.given, &self.given.key).with_checksum_algorithm(algorithm);
        let checked = Store::new(self.given, options);
        let data = self.given.content("200k.bin");
        checked.put("checksum.bin", data.clone()).await?;
        self.check("checksum.bin", &data).await?;
        // It cannot ask for the checksum; who has a URL that it presigned, can.
        let header = ("x-amz-checksum-mode", "ENABLED");
        let asked = bound_to(&[header])?;
        let life = Duration::from_secs(60);
        let key = path("checksum.bin")?;
        let url = self.store.signed_url_opts(Method::HEAD, &key, life, &asked).await?;
        let name = format!("x-amz-checksum-{algorithm}");
        let answer = self.given.header(Method::HEAD, url.as_str(), &[header], &name).await?;
        equal("checksum", &answer, &known.kept)
    }

    /// The checksum of another body, signed into URLs.
    async fn checksum_wrong(&self) -> Result {
        let mut refusals = Refusals::default();
        for known in &self.given.checksums {
            let name = format!("x-amz-{}", known.operation);
            let header = (name.as_str(), known.value.as_str());
            let signed = bound_to(&[header])?;
            let life = Duration::from_secs(60);
            let key = path("never.txt")?;
            let url = self.store.signed_url_opts(Method::PUT, &key, life, &signed).await?;
            let body = Bytes::from_static(b"x");
            refusals.add(self.given.send(Method::PUT, url.as_str(), &[header], body).await)?;
        }
        equal("object exists", &self.exists("never.txt").await?, &false)?;
        refusals.end()
    }

    async fn presigned_get(&self) -> Result {
        let object = self.given.fetch(&self.url(Method::GET, "1m.bin", 300).await?).await?;
        equal("object", &object, &self.given.content("1m.bin"))
    }

    async fn presigned_put(&self) -> Result {
        let data = self.given.content("1m.bin");
        let url = self.url(Method::PUT, "presigned.bin", 300).await?;
        self.given.send(Method::PUT, &url, &[], data.clone()).await?;
        self.check("presigned.bin", &data).await
    }

    /// A header that the signature covers must be sent, and as signed.
    async fn presigned_headers(&self) -> Result {
        let signed = [("content-type", "text/plain"), ("x-amz-meta-a", "b")];
        let options = bound_to(&signed)?;
        let (key, life) = (path("never.txt")?, Duration::from_secs(60));
        let url = self.store.signed_url_opts(Method::PUT, &key, life, &options).await?;
        let send = async |headers: &[(&str, &str)]| {
            self.given.send(Method::PUT, url.as_str(), headers, Bytes::from_static(b"x")).await
        };
        send(&signed).await?;
        self.check("never.txt", &Bytes::from_static(b"x")).await?;
        self.store.delete(&key).await?;
        let mut refusals = Refusals::default();
        refusals.add(send(&[]).await)?;
        refusals.add(send(&[signed[0], ("x-amz-meta-a", "c")]).await)?;
        refusals.add(send(&[signed[0], signed[1], ("x-amz-meta-c", "d")]).await)?;
        equal("object exists", &self.exists("never.txt").await?, &false)?;
        refusals.end()
    }

    async fn presigned_expired(&self) -> Result {
        self.given.expired(&self.url(Method::GET, "1m.bin", 1).await?).await
    }

    async fn presigned_tampered(&self) -> Result {
        let url = self.url(Method::GET, "1m.bin", 300).await?;
        self.given.tampered(&url, "1m.bin", "small.txt").await
    }

    async fn temporary(&self) -> Result {
        let data = Bytes::from_static(b"temporary");
        self.put("temporary.txt", data.clone()).await?;
        self.check("temporary.txt", &data).await?;
        let object = self.given.fetch(&self.url(Method::GET, "temporary.txt", 300).await?).await?;
        equal("object", &object, &data)
    }

    /// Neither reads nor writes for this one.
    async fn nothing_for(&self, by: &Store<'_>) -> Result {
        let mut refusals = Refusals::default();
        refusals.add(by.get("1m.bin").await)?;
        refusals.add(by.put("never.txt", "x").await)?;
        refusals.add(by.keys("").await)?;
        equal("object exists", &self.exists("never.txt").await?, &false)?;
        refusals.end()
    }

    /// Nor do its URLs.
    async fn refused_to(&self, by: &Store<'_>) -> Result {
        let mut refusals = Refusals::default();
        refusals.add(self.given.fetch(&by.url(Method::GET, "1m.bin", 300).await?).await)?;
        match self.nothing_for(by).await {
            Err(Trouble::Refused(codes)) => refusals.add::<()>(Err(Trouble::Refused(codes)))?,
            other => return other,
        }
        refusals.end()
    }

    async fn delete_bucket(&self) -> Result {
        // One with an empty part is not among the keys, and was not made.
        let keys = self.keys("").await?;
        self.remove(&keys).await?;
        self.on_bucket(Method::DELETE).await
    }
}
