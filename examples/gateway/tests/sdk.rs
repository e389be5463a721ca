//! The official Rust SDK against the gateway: what it signs is accepted, and what it stores comes
//! back.

mod common;

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region, RequestChecksumCalculation};
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::operation::RequestId as _;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart, Delete,
    EncodingType, MetadataDirective, ObjectIdentifier,
};

use common::{BUCKET, Key, ODD_KEYS, REGION, Raw, Server, noise};

fn client_with(server: &Server, key: &Key, checksums: RequestChecksumCalculation) -> Client {
    let credentials =
        aws_sdk_s3::config::Credentials::new(&key.id, &key.secret, key.token.clone(), None, "test");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(server.endpoint())
        .region(Region::new(REGION))
        .credentials_provider(credentials)
        .force_path_style(true)
        .request_checksum_calculation(checksums)
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

fn client(server: &Server) -> Client {
    client_with(server, &server.key, RequestChecksumCalculation::WhenRequired)
}

async fn put(client: &Client, key: &str, body: &[u8]) {
    let body = ByteStream::from(body.to_vec());
    client.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap();
}

async fn get(client: &Client, key: &str) -> Vec<u8> {
    let object = client.get_object().bucket(BUCKET).key(key).send().await.unwrap();
    object.body.collect().await.unwrap().to_vec()
}

/// What the SDK does on its own: files are streamed in signed chunks, with a checksum behind them.
#[tokio::test]
async fn streams_by_default() {
    let server = Server::start().await;
    let client = client_with(&server, &server.key, RequestChecksumCalculation::WhenSupported);
    let folder = tempfile::tempdir().unwrap();
    for length in [0, 1, 70_000, 3_000_000] {
        let path = folder.path().join("file");
        let body = noise(length);
        std::fs::write(&path, &body).unwrap();
        let stream = ByteStream::from_path(&path).await.unwrap();
        let put = client.put_object().bucket(BUCKET).key("stream").body(stream);
        put.send().await.unwrap();
        assert_eq!(get(&client, "stream").await, body);
    }
    server.stop().await;
}

#[tokio::test]
async fn buckets() {
    let server = Server::start().await;
    let client = client(&server);
    for _ in 0..2 {
        client.create_bucket().bucket("another").send().await.unwrap();
    }
    let listed = client.list_buckets().send().await.unwrap();
    let names: Vec<_> = listed.buckets().iter().filter_map(|bucket| bucket.name()).collect();
    assert_eq!(names, ["another", BUCKET]);
    let head = client.head_bucket().bucket("another").send().await.unwrap();
    assert_eq!(head.bucket_region(), Some(REGION));
    let location = client.get_bucket_location().bucket("another").send().await.unwrap();
    assert_eq!(location.location_constraint().unwrap().as_str(), REGION);
    let missing = client.head_bucket().bucket("missing").send().await.unwrap_err();
    assert!(missing.into_service_error().is_not_found());

    put(&client, "k", b"v").await;
    let full = client.delete_bucket().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(full.code(), Some("BucketNotEmpty"));
    assert!(full.request_id().is_some());
    client.delete_bucket().bucket("another").send().await.unwrap();
    let gone = client.put_object().bucket("another").key("k").send().await.unwrap_err();
    assert_eq!(gone.code(), Some("NoSuchBucket"));
    server.stop().await;
}

#[tokio::test]
async fn put_get_head_range_delete() {
    let server = Server::start().await;
    let client = client(&server);
    // Around the limit up to which a body is kept in memory.
    for length in [0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 3_000_000] {
        let body = noise(length);
        let written = client
            .put_object()
            .bucket(BUCKET)
            .key("k")
            .content_type("text/x-test")
            .metadata("colour", "blue")
            .body(body.clone().into())
            .send()
            .await
            .unwrap();
        assert_eq!(get(&client, "k").await, body);
        let head = client.head_object().bucket(BUCKET).key("k").send().await.unwrap();
        assert_eq!(head.e_tag(), written.e_tag());
        assert_eq!(head.content_length(), i64::try_from(length).ok());
        assert_eq!(head.content_type(), Some("text/x-test"));
        assert_eq!(head.metadata().unwrap()["colour"], "blue");
    }
    let body = noise(3_000_000);
    for (range, span) in [
        ("bytes=0-0", 0..1),
        ("bytes=100-299999", 100..300_000),
        ("bytes=2999990-", 2_999_990..3_000_000),
        ("bytes=-10", 2_999_990..3_000_000),
        ("bytes=-9000000", 0..3_000_000),
        ("bytes=2999999-9000000", 2_999_999..3_000_000),
    ] {
        let part = client.get_object().bucket(BUCKET).key("k").range(range).send().await.unwrap();
        assert!(part.content_range().is_some(), "{range}");
        assert_eq!(part.body.collect().await.unwrap().to_vec(), body[span], "{range}");
    }
    let outside = client.get_object().bucket(BUCKET).key("k").range("bytes=3000000-");
    assert_eq!(outside.send().await.unwrap_err().code(), Some("InvalidRange"));

    let etag = client.head_object().bucket(BUCKET).key("k").send().await.unwrap();
    let etag = etag.e_tag().unwrap();
    let same = client.get_object().bucket(BUCKET).key("k").if_none_match(etag).send().await;
    assert_eq!(same.unwrap_err().raw_response().unwrap().status().as_u16(), 304);
    let other = client.get_object().bucket(BUCKET).key("k").if_match("\"other\"").send().await;
    assert_eq!(other.unwrap_err().code(), Some("PreconditionFailed"));
    let again = client.put_object().bucket(BUCKET).key("k").if_none_match("*").send().await;
    assert_eq!(again.unwrap_err().code(), Some("PreconditionFailed"));
    assert_eq!(get(&client, "k").await, body);

    for _ in 0..2 {
        client.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    }
    let gone = client.get_object().bucket(BUCKET).key("k").send().await.unwrap_err();
    assert!(gone.into_service_error().is_no_such_key());
    assert!(server.files().keys().all(|path| path.ends_with(".lock")), "{:?}", server.files());
    server.stop().await;
}

#[tokio::test]
async fn odd_keys() {
    let server = Server::start().await;
    let client = client(&server);
    let beside = server.beside();
    let long = "long/".repeat(200);
    let keys: Vec<&str> = ODD_KEYS.into_iter().chain([long.as_str()]).collect();
    for key in &keys {
        put(&client, key, key.as_bytes()).await;
    }
    for key in &keys {
        assert_eq!(get(&client, key).await, key.as_bytes(), "{key}");
    }
    // Nothing is outside the bucket but what the store notes beside it.
    let bucket = server.data().join("buckets").join(BUCKET);
    for path in server.files().keys().filter(|path| !path.starts_with(&bucket)) {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name == ".lock" || name.starts_with(".bucket-"), "{}", path.display());
    }
    assert_eq!(server.beside(), beside);

    let mut sorted = keys.clone();
    sorted.sort_unstable();
    for limit in [1, 4, 1000] {
        let mut listed = Vec::new();
        let mut pages =
            client.list_objects_v2().bucket(BUCKET).max_keys(limit).into_paginator().send();
        while let Some(page) = pages.next().await {
            for object in page.unwrap().contents() {
                assert_eq!(object.size(), i64::try_from(object.key().unwrap().len()).ok());
                assert!(object.e_tag().is_some() && object.last_modified().is_some());
                listed.push(object.key().unwrap().to_owned());
            }
        }
        assert_eq!(listed, sorted);
    }
    let encoded = client.list_objects().bucket(BUCKET).encoding_type(EncodingType::Url);
    let encoded = encoded.send().await.unwrap();
    let encoded: Vec<_> = encoded.contents().iter().filter_map(|object| object.key()).collect();
    assert!(encoded.contains(&"a%20b") && encoded.contains(&"a%2Bb"), "{encoded:?}");
    assert!(encoded.contains(&"a%2520b") && encoded.contains(&"dir//a"), "{encoded:?}");

    let page = client.list_objects_v2().bucket(BUCKET).prefix("dir/").delimiter("/");
    let page = page.send().await.unwrap();
    let keys_of: Vec<_> = page.contents().iter().filter_map(|object| object.key()).collect();
    let prefixes: Vec<_> = page.common_prefixes().iter().filter_map(|one| one.prefix()).collect();
    assert_eq!((keys_of, prefixes), (vec!["dir/", "dir/a"], vec!["dir//"]));

    for key in &keys {
        let copy = format!("copy/{key}");
        let source = format!("{BUCKET}/{}", percent_encoded(key));
        client.copy_object().bucket(BUCKET).key(&copy).copy_source(source).send().await.unwrap();
        assert_eq!(get(&client, &copy).await, key.as_bytes(), "{key}");
    }
    let copies = keys.iter().map(|key| format!("copy/{key}"));
    let all: Vec<ObjectIdentifier> = keys
        .iter()
        .map(|key| key.to_string())
        .chain(copies)
        .map(|key| ObjectIdentifier::builder().key(key).build().unwrap())
        .collect();
    let delete = Delete::builder().set_objects(Some(all.clone())).build().unwrap();
    let deleted = client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert_eq!((deleted.deleted().len(), deleted.errors().len()), (all.len(), 0));
    assert!(server.files().keys().all(|path| path.ends_with(".lock")), "{:?}", server.files());
    client.delete_bucket().bucket(BUCKET).send().await.unwrap();
    server.stop().await;
}

fn percent_encoded(key: &str) -> String {
    percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[tokio::test]
async fn copies_keep_or_replace_attributes() {
    let server = Server::start().await;
    let client = client(&server);
    let body = ByteStream::from_static(b"v");
    let put = client.put_object().bucket(BUCKET).key("k").metadata("a", "1").body(body);
    put.content_type("text/plain").send().await.unwrap();
    let copy =
        |key: &str| client.copy_object().bucket(BUCKET).key(key).copy_source(format!("{BUCKET}/k"));
    copy("kept").send().await.unwrap();
    let kept = client.head_object().bucket(BUCKET).key("kept").send().await.unwrap();
    assert_eq!(kept.metadata().unwrap()["a"], "1");
    assert_eq!(kept.content_type(), Some("text/plain"));
    assert_eq!(copy("k").send().await.unwrap_err().code(), Some("InvalidRequest"));
    let replace = MetadataDirective::Replace;
    copy("k").metadata_directive(replace).metadata("b", "2").send().await.unwrap();
    let replaced = client.head_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(replaced.metadata().unwrap().get("a"), None);
    assert_eq!(replaced.metadata().unwrap()["b"], "2");
    assert_eq!(get(&client, "k").await, b"v");
    server.stop().await;
}

/// What is not there any more is neither overwritten nor deleted.
#[tokio::test]
async fn conditions_of_copies_and_deletes() {
    let server = Server::start().await;
    let client = client(&server);
    put(&client, "from", b"new").await;
    put(&client, "to", b"old").await;
    let etag = client.head_object().bucket(BUCKET).key("to").send().await.unwrap();
    let etag = etag.e_tag().unwrap();
    let wrong = "\"00000000000000000000000000000000\"";
    let copy = |key: &str| {
        client.copy_object().bucket(BUCKET).key(key).copy_source(format!("{BUCKET}/from"))
    };
    let before = server.files();
    for refused in [copy("to").if_none_match("*"), copy("to").if_match(wrong)] {
        assert_eq!(refused.send().await.unwrap_err().code(), Some("PreconditionFailed"));
    }
    let absent = copy("absent").if_match(etag).send().await.unwrap_err();
    assert_eq!(absent.code(), Some("NoSuchKey"));
    let delete = |key: &str| client.delete_object().bucket(BUCKET).key(key);
    let refused = delete("to").if_match(wrong).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("PreconditionFailed"));
    let sized = delete("to").if_match_size(3).send().await.unwrap_err();
    assert_eq!(sized.code(), Some("NotImplemented"));
    let all = |object: ObjectIdentifier| {
        let delete = Delete::builder().objects(object).build().unwrap();
        client.delete_objects().bucket(BUCKET).delete(delete).send()
    };
    let object = || ObjectIdentifier::builder().key("to");
    for (object, code) in [
        (object().e_tag(wrong), "PreconditionFailed"),
        (object().e_tag(etag).size(4), "NotImplemented"),
        (object().version_id("1"), "NoSuchVersion"),
    ] {
        let answer = all(object.build().unwrap()).await.unwrap();
        assert!(answer.deleted().is_empty());
        assert_eq!(answer.errors()[0].code(), Some(code));
    }
    assert_eq!(server.files(), before);

    copy("to").if_match(etag).send().await.unwrap();
    copy("other").if_none_match("*").send().await.unwrap();
    assert_eq!(get(&client, "to").await, b"new");
    let head = client.head_object().bucket(BUCKET).key("to").send().await.unwrap();
    let answer = all(object().e_tag(head.e_tag().unwrap()).build().unwrap()).await.unwrap();
    assert_eq!(answer.deleted().len(), 1);
    delete("other").if_match("*").send().await.unwrap();
    assert!(server.object("to").await.is_none() && server.object("other").await.is_none());
    server.stop().await;
}

/// A list is of what is there, whatever happens to it meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_while_objects_change() {
    let server = Server::start().await;
    let client = client(&server);
    let bodies = [&b"short"[..], b"something longer"];
    let etags = bodies.map(|body| {
        let mut md5 = countersign::Checksummer::new(countersign::ChecksumAlgorithm::Md5);
        md5.update(body);
        let md5 = md5.finish();
        md5.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    });
    // A key that is not a path has to be found as well.
    for key in ["plain", "odd//key"] {
        put(&client, key, bodies[0]).await;
    }
    let done = std::sync::atomic::AtomicBool::new(false);
    let over = || done.load(std::sync::atomic::Ordering::Relaxed);
    let writing = async {
        for round in 1..200 {
            for key in ["plain", "odd//key"] {
                put(&client, key, bodies[round % 2]).await;
            }
            put(&client, "comes/and/goes", b"x").await;
            client.delete_object().bucket(BUCKET).key("comes/and/goes").send().await.unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let listing = async {
        while !over() {
            let list = client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
            let keys: Vec<_> = list.contents().iter().filter_map(|object| object.key()).collect();
            assert!(keys.contains(&"plain") && keys.contains(&"odd//key"), "{keys:?}");
            for object in list.contents().iter().filter(|o| o.key() != Some("comes/and/goes")) {
                let etag = object.e_tag().unwrap().trim_matches('"');
                let body = bodies[etags.iter().position(|known| known == etag).unwrap()];
                assert_eq!(object.size(), i64::try_from(body.len()).ok(), "{object:?}");
            }
        }
    };
    tokio::join!(writing, listing);
    server.stop().await;
}

/// A page goes on behind the last upload of the one before, though that has ended.
#[tokio::test]
async fn uploads_are_aborted_page_by_page() {
    let server = Server::start().await;
    let client = client(&server);
    for key in ["a", "m", "m", "m", "m", "m", "z"] {
        client.create_multipart_upload().bucket(BUCKET).key(key).send().await.unwrap();
    }
    let (mut key, mut id, mut ended) = (None, None, 0);
    loop {
        let page = client.list_multipart_uploads().bucket(BUCKET).max_uploads(2);
        let page = page.set_key_marker(key).set_upload_id_marker(id).send().await.unwrap();
        for upload in page.uploads() {
            let abort = client.abort_multipart_upload().bucket(BUCKET).key(upload.key().unwrap());
            abort.upload_id(upload.upload_id().unwrap()).send().await.unwrap();
            ended += 1;
        }
        if page.is_truncated() != Some(true) {
            break;
        }
        key = page.next_key_marker().map(str::to_owned);
        id = page.next_upload_id_marker().map(str::to_owned);
    }
    assert_eq!(ended, 7);
    let none = client.list_multipart_uploads().bucket(BUCKET).max_uploads(0).send().await.unwrap();
    assert_eq!(none.is_truncated(), Some(false));
    let folders = client.list_multipart_uploads().bucket(BUCKET).delimiter("/").send().await;
    assert_eq!(folders.unwrap_err().code(), Some("NotImplemented"));
    server.stop().await;
}

/// Of two that complete an upload one is too late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_is_completed_once() {
    let server = Server::start().await;
    let client = client(&server);
    for round in 0..10 {
        let begun = client.create_multipart_upload().bucket(BUCKET).key("m").send().await.unwrap();
        let id = begun.upload_id().unwrap();
        let part = client.upload_part().bucket(BUCKET).key("m").upload_id(id).part_number(1);
        let body = ByteStream::from(noise(1_000_000));
        let part = part.body(body).send().await.unwrap();
        let complete = || {
            let part = CompletedPart::builder().part_number(1).e_tag(part.e_tag().unwrap());
            let parts = CompletedMultipartUpload::builder().parts(part.build()).build();
            let complete = client.complete_multipart_upload().bucket(BUCKET).key("m");
            complete.upload_id(id).multipart_upload(parts).send()
        };
        let abort = client.abort_multipart_upload().bucket(BUCKET).key("m").upload_id(id).send();
        let (one, two, abort) = tokio::join!(complete(), complete(), abort);
        let codes = [
            one.err().and_then(|error| error.code().map(str::to_owned)),
            two.err().and_then(|error| error.code().map(str::to_owned)),
            abort.err().and_then(|error| error.code().map(str::to_owned)),
        ];
        let won = codes.iter().filter(|code| code.is_none()).count();
        let late = codes.iter().flatten().filter(|code| *code == "NoSuchUpload").count();
        assert_eq!((won, late), (1, 2), "round {round}: {codes:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn multipart() {
    let server = Server::start().await;
    let client = client(&server);
    put(&client, "source", b"0123456789").await;
    let before = server.files();
    let begun = client.create_multipart_upload().bucket(BUCKET).key("m").metadata("p", "q");
    let begun = begun.send().await.unwrap();
    let id = begun.upload_id().unwrap();
    let uploads = client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
    assert_eq!(uploads.uploads()[0].upload_id(), Some(id));
    let first = noise(5 * 1024 * 1024);
    let part = |number: i32, body: &[u8]| {
        let body = ByteStream::from(body.to_vec());
        let part = client.upload_part().bucket(BUCKET).key("m").upload_id(id);
        part.part_number(number).body(body).send()
    };
    let one = part(1, &first).await.unwrap();
    // Numbers may have gaps.
    let two = part(4, b"end").await.unwrap();
    let three = client
        .upload_part_copy()
        .bucket(BUCKET)
        .key("m")
        .upload_id(id)
        .part_number(9)
        .copy_source(format!("{BUCKET}/source"))
        .copy_source_range("bytes=2-4")
        .send()
        .await
        .unwrap();
    let listed = client.list_parts().bucket(BUCKET).key("m").upload_id(id).send().await.unwrap();
    let numbers: Vec<_> = listed.parts().iter().filter_map(|part| part.part_number()).collect();
    assert_eq!(numbers, [1, 4, 9]);
    assert_eq!(listed.parts()[0].e_tag(), one.e_tag());

    let complete = |parts: &[(i32, Option<&str>)]| {
        let parts = parts.iter().map(|(number, etag)| {
            CompletedPart::builder().part_number(*number).set_e_tag(etag.map(str::to_owned)).build()
        });
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let complete = client.complete_multipart_upload().bucket(BUCKET).key("m").upload_id(id);
        complete.multipart_upload(parts).send()
    };
    let wrong = complete(&[(1, two.e_tag())]).await.unwrap_err();
    assert_eq!(wrong.code(), Some("InvalidPart"));
    let small = complete(&[(4, two.e_tag()), (9, None)]).await.unwrap_err();
    assert_eq!(small.code(), Some("EntityTooSmall"));
    let third = three.copy_part_result().unwrap().e_tag();
    let done = complete(&[(1, one.e_tag()), (9, third)]).await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""));
    let object = client.get_object().bucket(BUCKET).key("m").send().await.unwrap();
    assert_eq!(object.e_tag(), done.e_tag());
    assert_eq!(object.metadata().unwrap().len(), 1);
    let body = object.body.collect().await.unwrap().to_vec();
    assert_eq!(body, [first.as_slice(), b"234"].concat());

    let begun = client.create_multipart_upload().bucket(BUCKET).key("x").send().await.unwrap();
    let id = begun.upload_id().unwrap();
    let part = client.upload_part().bucket(BUCKET).key("x").upload_id(id).part_number(1);
    part.body(ByteStream::from_static(b"x")).send().await.unwrap();
    let stray = client.upload_part().bucket(BUCKET).key("other").upload_id(id).part_number(1);
    let stray = stray.body(ByteStream::from_static(b"x")).send().await.unwrap_err();
    assert_eq!(stray.code(), Some("NoSuchUpload"));
    client.abort_multipart_upload().bucket(BUCKET).key("x").upload_id(id).send().await.unwrap();
    client.delete_object().bucket(BUCKET).key("m").send().await.unwrap();
    assert_eq!(server.files(), before);
    server.stop().await;
}

#[tokio::test]
async fn checksums() {
    let server = Server::start().await;
    // The SDK's default: a CRC of every body, in a header, as bodies in memory are not streamed.
    let client = client_with(&server, &server.key, RequestChecksumCalculation::WhenSupported);
    let written = client.put_object().bucket(BUCKET).key("k").body(noise(300_000).into());
    let written = written.send().await.unwrap();
    assert!(written.checksum_crc32().is_some());
    assert_eq!(get(&client, "k").await, noise(300_000));
    let wrong = client.put_object().bucket(BUCKET).key("k").checksum_crc32("AAAAAA==");
    let wrong = wrong.body(noise(10).into()).send().await.unwrap_err();
    assert_eq!(wrong.code(), Some("BadDigest"));
    assert_eq!(get(&client, "k").await, noise(300_000));
    server.stop().await;
}

/// Checksums of parts and of what they make are compared, or the upload is not completed.
#[tokio::test]
async fn checksums_of_parts() {
    let server = Server::start().await;
    let client = client_with(&server, &server.key, RequestChecksumCalculation::WhenSupported);
    let crc = |bytes: &[u8]| {
        let mut sum = countersign::Checksummer::new(countersign::ChecksumAlgorithm::Crc32);
        sum.update(bytes);
        sum.finish()
    };
    let body = noise(1000);
    let whole = crc(&body).to_string();
    let composed = format!("{}-1", crc(crc(&body).as_bytes()));
    for kind in [None, Some(ChecksumType::Composite), Some(ChecksumType::FullObject)] {
        let begun = client.create_multipart_upload().bucket(BUCKET).key("m");
        let begun = begun.checksum_algorithm(ChecksumAlgorithm::Crc32);
        let begun = begun.set_checksum_type(kind.clone()).send().await.unwrap();
        let id = begun.upload_id().unwrap();
        let part = client.upload_part().bucket(BUCKET).key("m").upload_id(id).part_number(1);
        let part = part.checksum_algorithm(ChecksumAlgorithm::Crc32);
        let part = part.body(body.clone().into()).send().await.unwrap();
        assert_eq!(part.checksum_crc32(), Some(whole.as_str()));
        let parts = client.list_parts().bucket(BUCKET).key("m").upload_id(id).send().await.unwrap();
        assert_eq!(parts.parts()[0].checksum_crc32(), Some(whole.as_str()));
        let complete = |of_part: &str, of_object: Option<&str>| {
            let part = CompletedPart::builder().part_number(1).e_tag(part.e_tag().unwrap());
            let part = part.checksum_crc32(of_part).build();
            let parts = CompletedMultipartUpload::builder().parts(part).build();
            let complete = client.complete_multipart_upload().bucket(BUCKET).key("m");
            let complete = complete.upload_id(id).multipart_upload(parts);
            complete.set_checksum_crc32(of_object.map(str::to_owned)).send()
        };
        let is_whole = kind == Some(ChecksumType::FullObject);
        let (right, wrong) = match is_whole {
            true => (&whole, &composed),
            false => (&composed, &whole),
        };
        let refused = complete("AAAAAA==", Some(right)).await.unwrap_err();
        assert_eq!(refused.code(), Some("InvalidPart"), "{kind:?}");
        let refused = complete(&whole, Some(wrong)).await.unwrap_err();
        assert_eq!(refused.code(), Some("BadDigest"), "{kind:?}");
        assert!(server.object("m").await.is_none());
        complete(&whole, Some(right)).await.unwrap();
        let head = client.head_object().bucket(BUCKET).key("m");
        let head = head.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
        assert_eq!(head.checksum_crc32(), is_whole.then_some(whole.as_str()));
        client.delete_object().bucket(BUCKET).key("m").send().await.unwrap();
    }
    server.stop().await;
}

/// Whoever reads while others write gets one of the objects, whole, with its own ETag.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_writes() {
    let server = Server::start().await;
    let client = client(&server);
    put(&client, "k", &noise(1000)).await;
    let writers = (1..=8).map(|size: usize| {
        let client = client.clone();
        tokio::spawn(async move {
            for _ in 0..5 {
                put(&client, "k", &noise(size * 100_000)).await;
            }
        })
    });
    let readers = (0..4).map(|_| {
        let client = client.clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                let object = client.get_object().bucket(BUCKET).key("k").send().await.unwrap();
                let etag = object.e_tag().unwrap().trim_matches('"').to_owned();
                let body = object.body.collect().await.unwrap().to_vec();
                assert_eq!(body, noise(body.len()));
                assert_eq!(etag, md5(&body));
            }
        })
    });
    for task in writers.chain(readers).collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let racers = (0..16).map(|_| {
        let client = client.clone();
        let put = async move {
            client.put_object().bucket(BUCKET).key("once").if_none_match("*").send().await.is_ok()
        };
        tokio::spawn(put)
    });
    let mut winners = 0;
    for racer in racers.collect::<Vec<_>>() {
        winners += usize::from(racer.await.unwrap());
    }
    assert_eq!(winners, 1);
    server.stop().await;
}

fn md5(body: &[u8]) -> String {
    use s3s::crypto::{Checksum as _, Md5};
    let mut md5 = Md5::new();
    md5.update(body);
    md5.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn presigned() {
    let server = Server::start().await;
    let client = client(&server);
    let expires = || PresigningConfig::expires_in(Duration::from_secs(60)).unwrap();
    let send = async |url: &str, method: &str, headers: &[(&str, &str)], body: &[u8]| {
        let target = url.strip_prefix(&server.endpoint()).unwrap().to_owned();
        server.send(Raw::new(server.address, method, &target, headers, body)).await
    };
    let put = client.put_object().bucket(BUCKET).key("a b+c").metadata("m", "n");
    let put = put.presigned(expires()).await.unwrap();
    let headers: Vec<(&str, &str)> = put.headers().collect();
    let answer = send(put.uri(), "PUT", &headers, b"presigned").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(get(&client, "a b+c").await, b"presigned");
    let head = client.head_object().bucket(BUCKET).key("a b+c").send().await.unwrap();
    assert_eq!(head.metadata().unwrap()["m"], "n");

    let get_it = client
        .get_object()
        .bucket(BUCKET)
        .key("a b+c")
        .response_content_type("text/x-asked")
        .presigned(expires())
        .await
        .unwrap();
    let answer = send(get_it.uri(), "GET", &[], b"").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "presigned"));
    assert_eq!(answer.header("content-type"), Some("text/x-asked"));
    // Good for one method only, and for nothing that was changed.
    send(get_it.uri(), "DELETE", &[], b"").await.assert_refused(403, "SignatureDoesNotMatch");
    let other = get_it.uri().replace("x-asked", "x-other");
    send(&other, "GET", &[], b"").await.assert_refused(403, "SignatureDoesNotMatch");

    let head_it = client.head_object().bucket(BUCKET).key("a b+c").presigned(expires());
    let answer = send(head_it.await.unwrap().uri(), "HEAD", &[], b"").await;
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("9")));
    let delete = client.delete_object().bucket(BUCKET).key("a b+c").presigned(expires());
    let answer = send(delete.await.unwrap().uri(), "DELETE", &[], b"").await;
    assert_eq!(answer.status, 204);
    assert_eq!(server.object("a%20b%2Bc").await, None);
    server.stop().await;
}

#[tokio::test]
async fn wrong_keys() {
    let server = Server::start().await;
    let before = server.files();
    let wrong = Key { secret: "wrong".to_owned(), ..server.key.clone() };
    let unknown = Key::new("AKIAUNKNOWN", &server.key.secret, None);
    let token = Key { token: Some("token".to_owned()), ..server.key.clone() };
    for (key, code) in
        [(wrong, "SignatureDoesNotMatch"), (unknown, "InvalidAccessKeyId"), (token, "InvalidToken")]
    {
        let client = client_with(&server, &key, RequestChecksumCalculation::WhenRequired);
        let put = client.put_object().bucket(BUCKET).key("k").body(noise(10).into());
        assert_eq!(put.send().await.unwrap_err().code(), Some(code));
        let list = client.list_objects_v2().bucket(BUCKET).send().await;
        assert_eq!(list.unwrap_err().code(), Some(code));
    }
    assert_eq!(server.files(), before);
    server.stop().await;
}
