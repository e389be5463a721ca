//! `object_store`, a client with a signer of its own, against the gateway.

mod common;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::signer::Signer as _;
use object_store::{
    Attribute, Attributes, Error, GetOptions, GetRange, MultipartUpload as _, ObjectStore,
    ObjectStoreExt as _, PutMode, PutOptions, PutPayload, WriteMultipart,
};

use common::{BUCKET, REGION, Raw, Server, noise};

fn client(server: &Server) -> AmazonS3 {
    AmazonS3Builder::new()
        .with_endpoint(server.endpoint())
        .with_allow_http(true)
        .with_region(REGION)
        .with_bucket_name(BUCKET)
        .with_access_key_id(&server.key.id)
        .with_secret_access_key(&server.key.secret)
        .build()
        .unwrap()
}

#[tokio::test]
async fn put_get_range_head_list_copy_delete() {
    let server = Server::start().await;
    let store = client(&server);
    // What its own paths allow of odd keys.
    let keys = ["plain", "a b+c", "dir/ü", "dir/x=1;y,z", "dir/sub/100%", "c++", "q?a&b", "日本"];
    for key in keys {
        let body = PutPayload::from(key.as_bytes().to_vec());
        store.put(&Path::from(key), body).await.unwrap();
    }
    for key in keys {
        let path = Path::from(key);
        let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes, key.as_bytes());
        let meta = store.head(&path).await.unwrap();
        assert_eq!(meta.size, key.len() as u64);
        assert!(meta.e_tag.is_some());
    }
    let mut listed: Vec<Path> =
        store.list(None).map_ok(|meta| meta.location).try_collect().await.unwrap();
    listed.sort();
    let mut expected: Vec<Path> = keys.iter().map(|key| Path::from(*key)).collect();
    expected.sort();
    assert_eq!(listed, expected);
    let level = store.list_with_delimiter(Some(&Path::from("dir"))).await.unwrap();
    assert_eq!(level.objects.len(), 2);
    assert_eq!(level.common_prefixes, [Path::from("dir/sub")]);
    let after = store.list_with_offset(None, &Path::from("dir"));
    assert!(
        after
            .try_collect::<Vec<_>>()
            .await
            .unwrap()
            .iter()
            .all(|meta| { meta.location > Path::from("dir") })
    );

    let body = noise(400_000);
    let path = Path::from("ranges");
    store.put(&path, body.clone().into()).await.unwrap();
    assert_eq!(store.get_range(&path, 10..300_000).await.unwrap(), body[10..300_000]);
    let options = GetOptions { range: Some(GetRange::Suffix(7)), ..GetOptions::default() };
    let suffix = store.get_opts(&path, options).await.unwrap().bytes().await.unwrap();
    assert_eq!(suffix, body[399_993..]);
    let parts = store.get_ranges(&path, &[0..5, 300_000..300_010]).await.unwrap();
    assert_eq!(parts[1], body[300_000..300_010]);

    let copy = Path::from("dir/copy of+ranges");
    store.copy(&path, &copy).await.unwrap();
    assert_eq!(store.get(&copy).await.unwrap().bytes().await.unwrap(), body);
    store.rename(&copy, &Path::from("renamed")).await.unwrap();
    assert!(matches!(store.get(&copy).await.unwrap_err(), Error::NotFound { .. }));

    let all = store.list(None).map_ok(|meta| meta.location).boxed();
    let deleted: Vec<Path> = store.delete_stream(all).try_collect().await.unwrap();
    assert_eq!(deleted.len(), keys.len() + 2);
    assert!(server.files().keys().all(|path| path.ends_with(".lock")), "{:?}", server.files());
    server.stop().await;
}

#[tokio::test]
async fn conditions_and_attributes() {
    let server = Server::start().await;
    let store = client(&server);
    let path = Path::from("k");
    let attributes = Attributes::from_iter([
        (Attribute::ContentType, "text/plain"),
        (Attribute::Metadata("a".into()), "b"),
    ]);
    let options = PutOptions { attributes: attributes.clone(), ..PutOptions::default() };
    let first = store.put_opts(&path, "one".into(), options).await.unwrap();
    assert_eq!(store.get(&path).await.unwrap().attributes, attributes);
    let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    let again = store.put_opts(&path, "two".into(), create).await.unwrap_err();
    assert!(matches!(again, Error::AlreadyExists { .. }), "{again}");
    let update = PutOptions { mode: PutMode::Update(first.into()), ..PutOptions::default() };
    store.put_opts(&path, "three".into(), update.clone()).await.unwrap();
    let stale = store.put_opts(&path, "four".into(), update).await.unwrap_err();
    assert!(matches!(stale, Error::Precondition { .. }), "{stale}");
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "three");
    let etag = store.head(&path).await.unwrap().e_tag;
    let options = GetOptions { if_none_match: etag, ..GetOptions::default() };
    let same = store.get_opts(&path, options).await.unwrap_err();
    assert!(matches!(same, Error::NotModified { .. }), "{same}");
    server.stop().await;
}

#[tokio::test]
async fn multipart() {
    let server = Server::start().await;
    let store: Arc<dyn ObjectStore> = Arc::new(client(&server));
    let before = server.files();
    let path = Path::from("big");
    let body = noise(12_000_000);
    let mut writer = WriteMultipart::new(store.put_multipart(&path).await.unwrap());
    writer.write(&body);
    writer.finish().await.unwrap();
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), body);
    store.delete(&path).await.unwrap();
    let mut upload = store.put_multipart(&path).await.unwrap();
    upload.put_part("part".into()).await.unwrap();
    upload.abort().await.unwrap();
    assert_eq!(server.files(), before);
    server.stop().await;
}

#[tokio::test]
async fn presigned() {
    let server = Server::start().await;
    let store = client(&server);
    let path = Path::from("a b+c");
    let target = async |method: &str| {
        let method = method.parse().unwrap();
        let url = store.signed_url(method, &path, Duration::from_secs(60)).await.unwrap();
        url.as_str().strip_prefix(&server.endpoint()).unwrap().to_owned()
    };
    let put = Raw::new(server.address, "PUT", &target("PUT").await, &[], b"body");
    assert_eq!(server.send(put).await.status, 200);
    let get = Raw::new(server.address, "GET", &target("GET").await, &[], b"");
    assert_eq!(server.send(get).await.text(), "body");
    server.stop().await;
}
