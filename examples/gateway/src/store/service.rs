//! The S3 operations: what `s3s` asks for, answered with what the other modules do.
//!
//! Each operation takes its locks, checks what has to hold, does the one thing and shapes the
//! answer. Whoever asks has been verified; that and how, this module deliberately does not know.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::StatusCode;
use s3s::dto::*;
use s3s::{Body, S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::conditions::{
    Conditions, VERSION, WriteConditions, check_part, check_part_number, check_version,
    content_range, copy_span, fresh_range, limit, page_size, source, span,
};
use super::listing::{self, Kind, Page, Query};
use super::multipart::{Attributes, Upload};
use super::objects::{ETAG_NOTE, Objects, ask, size};
use super::sums::{self, sums};
use super::{broken, passed};

/// Who owns every bucket and object: there is one tenant.
const OWNER: &str = "gateway";

impl Objects {
    /// A page of keys.
    async fn page(&self, bucket: &str, query: Query) -> S3Result<Page> {
        self.use_bucket(bucket).await?;
        let (bucket, folder) = (bucket.to_owned(), self.folder(bucket));
        let walk = move || listing::walk(&bucket, &folder, &query);
        tokio::task::spawn_blocking(walk)
            .await
            .map_err(|error| broken("listing", error))?
            .map_err(|error| broken("listing", error))
    }

    /// The objects and the common prefixes of a page, names encoded as asked for.
    async fn lines(
        &self,
        bucket: &str,
        page: &Page,
        encoding: Encoding,
        owner: Option<&Owner>,
    ) -> S3Result<(Vec<Object>, Vec<CommonPrefix>)> {
        let mut prefixes = Vec::new();
        let mut lines = Vec::new();
        for (name, kind) in &page.entries {
            match kind {
                Kind::Prefix => {
                    prefixes.push(CommonPrefix { prefix: Some(encoding.apply(name)) });
                }
                Kind::Object => lines.push(self.line(bucket, name, encoding, owner)),
            }
        }
        // A few at a time: each is two small files to read.
        let objects: Vec<Option<Object>> =
            futures_util::stream::iter(lines).buffered(16).try_collect().await?;
        Ok((objects.into_iter().flatten().collect(), prefixes))
    }

    /// One object of a page; none, if it was deleted since the walk.
    async fn line(
        &self,
        bucket: &str,
        key: &str,
        encoding: Encoding,
        owner: Option<&Owner>,
    ) -> S3Result<Option<Object>> {
        let _reading = self.locks.read(bucket, key).await;
        let head = match self.look(bucket, key).await {
            Ok(head) => head,
            Err(error) if *error.code() == S3ErrorCode::NoSuchKey => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Object {
            key: Some(encoding.apply(key)),
            e_tag: head.e_tag,
            last_modified: head.last_modified,
            size: head.content_length,
            owner: owner.cloned(),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            ..Object::default()
        }))
    }

    /// Checks that the object exists, for questions about what it cannot have.
    async fn exists(&self, bucket: &str, key: &str) -> S3Result<()> {
        let _reading = self.locks.read(bucket, key).await;
        self.look(bucket, key).await.map(drop)
    }

    fn location(&self) -> Option<BucketLocationConstraint> {
        // The first region has no name here; that is how S3 has always answered.
        (self.region != "us-east-1").then(|| BucketLocationConstraint::from(self.region.clone()))
    }
}

/// How names are written in an answer.
#[derive(Clone, Copy)]
enum Encoding {
    Plain,
    Url,
}

impl Encoding {
    fn asked(encoding: Option<&EncodingType>) -> S3Result<Self> {
        match encoding.map(EncodingType::as_str) {
            None => Ok(Encoding::Plain),
            Some(EncodingType::URL) => Ok(Encoding::Url),
            Some(_) => {
                Err(s3_error!(InvalidArgument, "Invalid Encoding Method specified in Request"))
            }
        }
    }

    fn apply(self, name: &str) -> String {
        match self {
            Encoding::Plain => name.to_owned(),
            Encoding::Url => listing::encode(name),
        }
    }

    fn apply_to(self, name: Option<String>) -> Option<String> {
        name.map(|name| self.apply(&name))
    }
}

/// What an object keeps besides its bytes, as it is asked for in a request.
macro_rules! attributes {
    ($input:expr) => {
        Attributes {
            metadata: $input.metadata,
            cache_control: $input.cache_control,
            content_disposition: $input.content_disposition,
            content_encoding: $input.content_encoding,
            content_language: $input.content_language,
            content_type: $input.content_type,
            expires: $input.expires,
            website_redirect_location: $input.website_redirect_location,
        }
    };
}

impl Attributes {
    /// The write of an object that has these attributes.
    fn put(self, bucket: String, key: String, body: StreamingBlob) -> PutObjectInput {
        PutObjectInput {
            bucket,
            key,
            body: Some(body),
            metadata: self.metadata,
            cache_control: self.cache_control,
            content_disposition: self.content_disposition,
            content_encoding: self.content_encoding,
            content_language: self.content_language,
            content_type: self.content_type,
            expires: self.expires,
            website_redirect_location: self.website_redirect_location,
            ..PutObjectInput::default()
        }
    }
}

/// An answer for a configuration that nothing here can have.
macro_rules! absent {
    ($($method:ident($input:ty) -> $output:ty = $code:ident, $message:literal;)*) => {$(
        fn $method<'life0, 'async_trait>(
            &'life0 self,
            request: S3Request<$input>,
        ) -> futures_util::future::BoxFuture<'async_trait, S3Result<S3Response<$output>>>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            Box::pin(async move {
                self.use_bucket(&request.input.bucket).await?;
                Err(not_configured(stringify!($code), $message))
            })
        }
    )*};
}

/// An answer that is the same for every bucket.
macro_rules! constant {
    ($($method:ident($input:ty) -> $output:ty = $value:expr;)*) => {$(
        fn $method<'life0, 'async_trait>(
            &'life0 self,
            request: S3Request<$input>,
        ) -> futures_util::future::BoxFuture<'async_trait, S3Result<S3Response<$output>>>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            Box::pin(async move {
                self.use_bucket(&request.input.bucket).await?;
                Ok(S3Response::new($value))
            })
        }
    )*};
}

#[async_trait::async_trait]
impl S3 for Objects {
    // ---- buckets

    async fn list_buckets(
        &self,
        request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let ListBucketsInput { continuation_token, max_buckets, prefix, .. } =
            request.input.clone();
        let mut output = self.files.list_buckets(request).await.map_err(passed)?.output;
        let after = continuation_token.as_deref().map(read_token).transpose()?;
        let mut buckets = output.buckets.take().unwrap_or_default();
        buckets.sort_by(|a, b| a.name.cmp(&b.name));
        buckets.retain(|bucket| {
            let name = bucket.name.as_deref().unwrap_or_default();
            name.starts_with(prefix.as_deref().unwrap_or_default())
                && after.as_deref().is_none_or(|after| name > after)
        });
        if let Some(most) = max_buckets.and_then(|most| usize::try_from(most).ok())
            && most > 0
            && buckets.len() > most
        {
            buckets.truncate(most);
            output.continuation_token =
                buckets.last().and_then(|bucket| bucket.name.as_deref()).map(token);
        }
        output.buckets = Some(buckets);
        output.owner = Some(owner());
        output.prefix = prefix;
        Ok(S3Response::new(output))
    }

    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let input = request.input;
        if let Some(asked) = input
            .create_bucket_configuration
            .as_ref()
            .and_then(|configuration| configuration.location_constraint.as_ref())
            && !asked.as_str().is_empty()
            && asked.as_str() != self.region
        {
            return Err(s3_error!(
                InvalidLocationConstraint,
                "The specified location-constraint is not valid"
            ));
        }
        if let Some(asked) = &input.create_bucket_configuration
            && (asked.bucket.is_some() || asked.location.is_some())
        {
            return Err(s3_error!(NotImplemented, "Directory buckets are not implemented"));
        }
        let location = Some(format!("/{}", input.bucket));
        // Some clients do this before every write, and need not wait for each other.
        {
            let _using = self.locks.use_bucket(&input.bucket).await;
            if self.use_bucket(&input.bucket).await.is_ok() {
                return Ok(S3Response::new(CreateBucketOutput { location }));
            }
        }
        let _owned = self.locks.own_bucket(&input.bucket).await;
        match self.files.create_bucket(ask(input)).await {
            Ok(_) => {}
            // There is one owner, so whoever asks again owns it already.
            Err(error) if *error.code() == S3ErrorCode::BucketAlreadyExists => {}
            Err(error) => return Err(passed(error)),
        }
        self.area.keep_buckets().await.map_err(|error| broken("bucket", error))?;
        Ok(S3Response::new(CreateBucketOutput { location }))
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.use_bucket(&request.input.bucket).await?;
        Ok(S3Response::new(HeadBucketOutput {
            bucket_region: Some(self.region.clone()),
            ..HeadBucketOutput::default()
        }))
    }

    async fn delete_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        let bucket = request.input.bucket.clone();
        let _owned = self.locks.own_bucket(&bucket).await;
        self.use_bucket(&bucket).await?;
        let (name, folder) = (bucket.clone(), self.folder(&bucket));
        let empty = tokio::task::spawn_blocking(move || listing::is_empty(&name, &folder))
            .await
            .map_err(|error| broken("bucket", error))?
            .map_err(|error| broken("bucket", error))?;
        if !empty {
            return Err(s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty"));
        }
        for (id, _) in self.uploads.list(&bucket).await? {
            self.uploads.end(&id).await?;
        }
        let deleted = self.files.delete_bucket(request).await.map_err(passed)?;
        self.area.keep_buckets().await.map_err(|error| broken("bucket", error))?;
        Ok(deleted)
    }

    constant! {
        get_bucket_acl(GetBucketAclInput) -> GetBucketAclOutput =
            GetBucketAclOutput { grants: Some(grants()), owner: Some(owner()) };
        get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput =
            GetBucketVersioningOutput::default();
        get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput =
            GetBucketLoggingOutput::default();
        get_bucket_notification_configuration(GetBucketNotificationConfigurationInput)
            -> GetBucketNotificationConfigurationOutput =
            GetBucketNotificationConfigurationOutput::default();
        get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput)
            -> GetBucketAccelerateConfigurationOutput =
            GetBucketAccelerateConfigurationOutput::default();
        get_bucket_request_payment(GetBucketRequestPaymentInput)
            -> GetBucketRequestPaymentOutput =
            GetBucketRequestPaymentOutput { payer: Some(Payer::from_static(Payer::BUCKET_OWNER)) };
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.use_bucket(&request.input.bucket).await?;
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint: self.location() }))
    }

    absent! {
        get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput =
            NoSuchBucketPolicy, "The bucket policy does not exist";
        get_bucket_policy_status(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput =
            NoSuchBucketPolicy, "The bucket policy does not exist";
        get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput =
            NoSuchCORSConfiguration, "The CORS configuration does not exist";
        get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput)
            -> GetBucketLifecycleConfigurationOutput =
            NoSuchLifecycleConfiguration, "The lifecycle configuration does not exist";
        get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput =
            NoSuchTagSet, "The TagSet does not exist";
        get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput =
            NoSuchWebsiteConfiguration,
            "The specified bucket does not have a website configuration";
        get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput =
            ServerSideEncryptionConfigurationNotFoundError,
            "The server side encryption configuration was not found";
        get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput =
            ReplicationConfigurationNotFoundError,
            "The replication configuration was not found";
        get_bucket_ownership_controls(GetBucketOwnershipControlsInput)
            -> GetBucketOwnershipControlsOutput =
            OwnershipControlsNotFoundError, "The bucket ownership controls were not found";
        get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput =
            NoSuchPublicAccessBlockConfiguration,
            "The public access block configuration was not found";
        get_object_lock_configuration(GetObjectLockConfigurationInput)
            -> GetObjectLockConfigurationOutput =
            ObjectLockConfigurationNotFoundError,
            "Object Lock configuration does not exist for this bucket";
    }

    // ---- listing

    async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = request.input;
        let encoding = Encoding::asked(input.encoding_type.as_ref())?;
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().filter(|delimiter| !delimiter.is_empty()),
            after: input.marker.clone().filter(|marker| !marker.is_empty()),
            limit: limit(input.max_keys)?,
        };
        let delimited = query.delimiter.is_some();
        let page = self.page(&input.bucket, query).await?;
        let (contents, prefixes) =
            self.lines(&input.bucket, &page, encoding, Some(&owner())).await?;
        // Without a delimiter the last key is the marker, so S3 does not repeat it.
        let next = page.next().filter(|_| delimited).map(|name| encoding.apply(name));
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(encoding.apply(input.prefix.as_deref().unwrap_or_default())),
            marker: Some(encoding.apply(input.marker.as_deref().unwrap_or_default())),
            max_keys: Some(page_size(input.max_keys)),
            is_truncated: Some(page.more),
            contents: Some(contents),
            common_prefixes: Some(prefixes),
            delimiter: encoding.apply_to(input.delimiter),
            next_marker: next,
            encoding_type: input.encoding_type,
            request_charged: None,
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let encoding = Encoding::asked(input.encoding_type.as_ref())?;
        let after = match input.continuation_token.as_deref() {
            Some(token) => Some(read_token(token)?),
            None => input.start_after.clone().filter(|key| !key.is_empty()),
        };
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().filter(|delimiter| !delimiter.is_empty()),
            after,
            limit: limit(input.max_keys)?,
        };
        let page = self.page(&input.bucket, query).await?;
        let owner = (input.fetch_owner == Some(true)).then(owner);
        let (contents, prefixes) =
            self.lines(&input.bucket, &page, encoding, owner.as_ref()).await?;
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encoding.apply(input.prefix.as_deref().unwrap_or_default())),
            max_keys: Some(page_size(input.max_keys)),
            key_count: i32::try_from(contents.len() + prefixes.len()).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(page.more),
            next_continuation_token: page.next().map(token),
            contents: Some(contents),
            common_prefixes: Some(prefixes),
            delimiter: encoding.apply_to(input.delimiter),
            encoding_type: input.encoding_type,
            start_after: encoding.apply_to(input.start_after),
            request_charged: None,
        }))
    }

    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let input = request.input;
        let encoding = Encoding::asked(input.encoding_type.as_ref())?;
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().filter(|delimiter| !delimiter.is_empty()),
            after: input.key_marker.clone().filter(|marker| !marker.is_empty()),
            limit: limit(input.max_keys)?,
        };
        let page = self.page(&input.bucket, query).await?;
        let (objects, prefixes) =
            self.lines(&input.bucket, &page, encoding, Some(&owner())).await?;
        let versions = objects
            .into_iter()
            .map(|object| ObjectVersion {
                key: object.key,
                e_tag: object.e_tag,
                size: object.size,
                last_modified: object.last_modified,
                owner: object.owner,
                is_latest: Some(true),
                version_id: Some(VERSION.to_owned()),
                storage_class: Some(ObjectVersionStorageClass::from_static(
                    ObjectVersionStorageClass::STANDARD,
                )),
                ..ObjectVersion::default()
            })
            .collect();
        Ok(S3Response::new(ListObjectVersionsOutput {
            name: Some(input.bucket),
            prefix: Some(encoding.apply(input.prefix.as_deref().unwrap_or_default())),
            key_marker: Some(encoding.apply(input.key_marker.as_deref().unwrap_or_default())),
            version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
            max_keys: Some(page_size(input.max_keys)),
            is_truncated: Some(page.more),
            next_key_marker: page.next().map(|name| encoding.apply(name)),
            next_version_id_marker: page.more.then(|| VERSION.to_owned()),
            versions: Some(versions),
            common_prefixes: Some(prefixes),
            delimiter: encoding.apply_to(input.delimiter),
            encoding_type: input.encoding_type,
            ..ListObjectVersionsOutput::default()
        }))
    }

    // ---- objects

    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let mut input = request.input;
        if input.write_offset_bytes.is_some() {
            return Err(s3_error!(NotImplemented, "Appending to an object is not implemented"));
        }
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let conditions = WriteConditions {
            matches: input.if_match.take(),
            none_match: input.if_none_match.take(),
        };
        // Asked again when it counts; asked here so that nothing is copied in vain.
        self.may_write(&bucket, &key, &conditions).await?;
        let prepared = self.prepare(input).await?;
        Ok(S3Response::new(self.commit(prepared, &bucket, &key, &conditions).await?))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        check_version(input.version_id.as_deref())?;
        let mut head = {
            let _reading = self.locks.read(&input.bucket, &input.key).await;
            self.look(&input.bucket, &input.key).await?
        };
        Conditions {
            matches: input.if_match.as_ref(),
            none_match: input.if_none_match.as_ref(),
            modified_since: input.if_modified_since.as_ref(),
            unmodified_since: input.if_unmodified_since.as_ref(),
        }
        .check_read(&head)?;
        check_part(input.part_number, &head)?;
        let range = fresh_range(input.range, &request.headers, &head);
        if range.is_some() {
            let whole = size(&head);
            let span = span(range, whole)?;
            head.content_length = length(span.end - span.start);
            head.content_range = Some(content_range(&span, whole));
        }
        if !asks_checksum(input.checksum_mode.as_ref()) || range.is_some() {
            forget_checksums(&mut head);
        }
        Ok(S3Response::new(head))
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        check_version(input.version_id.as_deref())?;
        let _reading = self.locks.read(&input.bucket, &input.key).await;
        let mut head = self.look(&input.bucket, &input.key).await?;
        Conditions {
            matches: input.if_match.as_ref(),
            none_match: input.if_none_match.as_ref(),
            modified_since: input.if_modified_since.as_ref(),
            unmodified_since: input.if_unmodified_since.as_ref(),
        }
        .check_read(&head)?;
        check_part(input.part_number, &head)?;
        let whole = size(&head);
        let range = fresh_range(input.range, &request.headers, &head);
        let span = span(range, whole)?;
        let body = self.open_span(&input.bucket, &input.key, span.clone()).await?;
        if !asks_checksum(input.checksum_mode.as_ref()) || range.is_some() {
            forget_checksums(&mut head);
        }
        Ok(S3Response::new(GetObjectOutput {
            body: Some(body),
            content_length: length(span.end - span.start),
            content_range: range.map(|_| content_range(&span, whole)),
            accept_ranges: head.accept_ranges,
            cache_control: head.cache_control,
            checksum_crc32: head.checksum_crc32,
            checksum_crc32c: head.checksum_crc32c,
            checksum_crc64nvme: head.checksum_crc64nvme,
            checksum_sha1: head.checksum_sha1,
            checksum_sha256: head.checksum_sha256,
            checksum_type: head.checksum_type,
            content_disposition: head.content_disposition,
            content_encoding: head.content_encoding,
            content_language: head.content_language,
            content_type: head.content_type,
            e_tag: head.e_tag,
            expires: head.expires,
            last_modified: head.last_modified,
            metadata: head.metadata,
            website_redirect_location: head.website_redirect_location,
            ..GetObjectOutput::default()
        }))
    }

    async fn get_object_attributes(
        &self,
        request: S3Request<GetObjectAttributesInput>,
    ) -> S3Result<S3Response<GetObjectAttributesOutput>> {
        let input = request.input;
        check_version(input.version_id.as_deref())?;
        let _reading = self.locks.read(&input.bucket, &input.key).await;
        let head = self.look(&input.bucket, &input.key).await?;
        // Clients send one header with commas; s3s splits repeated headers only.
        let asked = |name: &str| {
            let mut all = input.object_attributes.iter().flat_map(|list| list.as_str().split(','));
            all.any(|asked| asked.trim() == name)
        };
        let checksum = Checksum {
            checksum_crc32: head.checksum_crc32,
            checksum_crc32c: head.checksum_crc32c,
            checksum_crc64nvme: head.checksum_crc64nvme,
            checksum_sha1: head.checksum_sha1,
            checksum_sha256: head.checksum_sha256,
            checksum_type: head.checksum_type,
        };
        Ok(S3Response::new(GetObjectAttributesOutput {
            checksum: asked(ObjectAttributes::CHECKSUM).then_some(checksum),
            e_tag: head.e_tag.filter(|_| asked(ObjectAttributes::ETAG)),
            last_modified: head.last_modified,
            object_size: head.content_length.filter(|_| asked(ObjectAttributes::OBJECT_SIZE)),
            storage_class: asked(ObjectAttributes::STORAGE_CLASS)
                .then(|| StorageClass::from_static(StorageClass::STANDARD)),
            ..GetObjectAttributesOutput::default()
        }))
    }

    async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = request.input;
        let (from_bucket, from_key) = source(&input.copy_source)?;
        let replace = input
            .metadata_directive
            .as_ref()
            .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
        if from_bucket == input.bucket && from_key == input.key && !replace {
            return Err(s3_error!(
                InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself \
                 without changing the object's metadata, storage class, website redirect location \
                 or encryption attributes."
            ));
        }
        // s3s has no place for the conditions of where it goes.
        let conditions = WriteConditions::of(&request.headers)?;
        let to = (input.bucket.clone(), input.key.clone());
        self.may_write(&to.0, &to.1, &conditions).await?;
        let (head, body) = {
            let _reading = self.locks.read(&from_bucket, &from_key).await;
            let head = self.look(&from_bucket, &from_key).await?;
            Conditions {
                matches: input.copy_source_if_match.as_ref(),
                none_match: input.copy_source_if_none_match.as_ref(),
                modified_since: input.copy_source_if_modified_since.as_ref(),
                unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
            }
            .check_change(&head)?;
            let body = self.open_span(&from_bucket, &from_key, 0..size(&head)).await?;
            (head, body)
        };
        let attributes = if replace { attributes!(input) } else { attributes!(head) };
        let put = PutObjectInput {
            storage_class: input.storage_class,
            ..attributes.put(input.bucket, input.key, body)
        };
        let prepared = self.prepare(put).await?;
        let modified = prepared.modified().await?;
        let written = self.commit(prepared, &to.0, &to.1, &conditions).await?;
        let result = CopyObjectResult {
            e_tag: written.e_tag,
            last_modified: Some(modified),
            ..CopyObjectResult::default()
        };
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(result),
            ..CopyObjectOutput::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        check_version(input.version_id.as_deref())?;
        let unknown = input.if_match_size.is_some() || input.if_match_last_modified_time.is_some();
        let conditions = delete_conditions(input.if_match, unknown)?;
        self.delete(&input.bucket, &input.key, &conditions).await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        self.use_bucket(&bucket).await?;
        if delete.objects.is_empty() || delete.objects.len() > 1000 {
            return Err(s3_error!(
                MalformedXML,
                "The XML you provided was not well-formed or did not validate against our \
                 published schema"
            ));
        }
        let quiet = delete.quiet == Some(true);
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in delete.objects {
            let unknown = object.size.is_some() || object.last_modified_time.is_some();
            let conditions = check_version(object.version_id.as_deref())
                .and_then(|()| delete_conditions(object.e_tag.map(ETagCondition::ETag), unknown));
            let result = match conditions {
                Ok(conditions) => self.delete(&bucket, &object.key, &conditions).await,
                Err(error) => Err(error),
            };
            match result {
                Ok(()) if quiet => {}
                Ok(()) => deleted.push(DeletedObject {
                    key: Some(object.key),
                    version_id: object.version_id,
                    ..DeletedObject::default()
                }),
                Err(error) => errors.push(Error {
                    code: Some(error.code().as_str().to_owned()),
                    message: error.message().map(str::to_owned),
                    key: Some(object.key),
                    version_id: object.version_id,
                }),
            }
        }
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: Some(deleted),
            errors: Some(errors),
            request_charged: None,
        }))
    }

    async fn get_object_acl(
        &self,
        request: S3Request<GetObjectAclInput>,
    ) -> S3Result<S3Response<GetObjectAclOutput>> {
        self.exists(&request.input.bucket, &request.input.key).await?;
        Ok(S3Response::new(GetObjectAclOutput {
            grants: Some(grants()),
            owner: Some(owner()),
            request_charged: None,
        }))
    }

    async fn get_object_tagging(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        self.exists(&request.input.bucket, &request.input.key).await?;
        Ok(S3Response::new(GetObjectTaggingOutput::default()))
    }

    // ---- multipart

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        let _using = self.locks.use_bucket(&input.bucket).await;
        self.use_bucket(&input.bucket).await?;
        let upload = Upload {
            bucket: input.bucket.clone(),
            key: input.key.clone(),
            initiated: std::time::SystemTime::now().into(),
            attributes: attributes!(input),
            whole: is_whole(input.checksum_type.as_ref()),
        };
        let id = self.uploads.begin(&upload).await?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm: input.checksum_algorithm,
            checksum_type: input.checksum_type,
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        self.uploads.find(&input.upload_id, &input.bucket, &input.key).await?;
        check_part_number(input.part_number)?;
        let body = input.body.unwrap_or_else(|| StreamingBlob::from(Body::empty()));
        // Checked while the body was spooled, so they may be kept and repeated.
        let sums = sums!(input);
        let part = self.uploads.write(&input.upload_id, input.part_number, sums, body).await?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(part.etag()),
            checksum_crc32: part.sums.checksum_crc32,
            checksum_crc32c: part.sums.checksum_crc32c,
            checksum_crc64nvme: part.sums.checksum_crc64nvme,
            checksum_sha1: part.sums.checksum_sha1,
            checksum_sha256: part.sums.checksum_sha256,
            ..UploadPartOutput::default()
        }))
    }

    async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let input = request.input;
        let (bucket, key) = source(&input.copy_source)?;
        self.uploads.find(&input.upload_id, &input.bucket, &input.key).await?;
        check_part_number(input.part_number)?;
        let body = {
            let _reading = self.locks.read(&bucket, &key).await;
            let head = self.look(&bucket, &key).await?;
            Conditions {
                matches: input.copy_source_if_match.as_ref(),
                none_match: input.copy_source_if_none_match.as_ref(),
                modified_since: input.copy_source_if_modified_since.as_ref(),
                unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
            }
            .check_change(&head)?;
            let span = copy_span(input.copy_source_range.as_deref(), size(&head))?;
            self.open_span(&bucket, &key, span).await?
        };
        let none = Checksum::default();
        let part = self.uploads.write(&input.upload_id, input.part_number, none, body).await?;
        let result = CopyPartResult {
            e_tag: Some(part.etag()),
            last_modified: Some(part.modified),
            ..CopyPartResult::default()
        };
        Ok(S3Response::new(UploadPartCopyOutput {
            copy_part_result: Some(result),
            ..UploadPartCopyOutput::default()
        }))
    }

    async fn list_parts(
        &self,
        request: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let input = request.input;
        self.uploads.find(&input.upload_id, &input.bucket, &input.key).await?;
        let limit = limit(input.max_parts)?;
        let after = input.part_number_marker.unwrap_or(0);
        let mut parts: Vec<Part> = self
            .uploads
            .parts(&input.upload_id)
            .await?
            .into_iter()
            .filter(|(number, _)| *number > after)
            .map(|(number, part)| Part {
                part_number: Some(number),
                e_tag: Some(part.etag()),
                size: length(part.size),
                last_modified: Some(part.modified),
                checksum_crc32: part.sums.checksum_crc32,
                checksum_crc32c: part.sums.checksum_crc32c,
                checksum_crc64nvme: part.sums.checksum_crc64nvme,
                checksum_sha1: part.sums.checksum_sha1,
                checksum_sha256: part.sums.checksum_sha256,
            })
            .collect();
        let more = limit > 0 && parts.len() > limit;
        parts.truncate(limit);
        Ok(S3Response::new(ListPartsOutput {
            is_truncated: Some(more),
            next_part_number_marker: parts.last().and_then(|part| part.part_number),
            part_number_marker: Some(after),
            max_parts: Some(page_size(input.max_parts)),
            parts: Some(parts),
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            owner: Some(owner()),
            initiator: Some(initiator()),
            storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
            ..ListPartsOutput::default()
        }))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        self.use_bucket(&input.bucket).await?;
        if input.delimiter.as_ref().is_some_and(|delimiter| !delimiter.is_empty()) {
            return Err(s3_error!(NotImplemented, "Uploads are not listed by folders"));
        }
        let encoding = Encoding::asked(input.encoding_type.as_ref())?;
        let limit = limit(input.max_uploads)?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let key_marker = input.key_marker.clone().unwrap_or_default();
        let id_marker = input.upload_id_marker.clone().filter(|_| !key_marker.is_empty());
        let mut all = self.uploads.list(&input.bucket).await?;
        all.retain(|(_, upload)| upload.key.starts_with(&prefix));
        // The markers name the last upload of the page before, which may have ended since.
        let start = match &id_marker {
            Some(marker) => {
                all.partition_point(|(id, upload)| (&upload.key, id) <= (&key_marker, marker))
            }
            None if key_marker.is_empty() => 0,
            None => all.partition_point(|(_, upload)| upload.key <= key_marker),
        };
        let mut rest = all.split_off(start.min(all.len()));
        let more = limit > 0 && rest.len() > limit;
        rest.truncate(limit);
        let next = more.then(|| rest.last().cloned()).flatten();
        let uploads = rest
            .into_iter()
            .map(|(id, upload)| MultipartUpload {
                key: Some(encoding.apply(&upload.key)),
                upload_id: Some(id),
                initiated: Some(upload.initiated),
                owner: Some(owner()),
                initiator: Some(initiator()),
                storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
                ..MultipartUpload::default()
            })
            .collect();
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: Some(encoding.apply(&prefix)),
            key_marker: Some(encoding.apply(&key_marker)),
            upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
            next_key_marker: next.as_ref().map(|(_, upload)| encoding.apply(&upload.key)),
            next_upload_id_marker: next.map(|(id, _)| id),
            max_uploads: Some(page_size(input.max_uploads)),
            is_truncated: Some(more),
            uploads: Some(uploads),
            encoding_type: input.encoding_type,
            ..ListMultipartUploadsOutput::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        self.use_bucket(&input.bucket).await?;
        // Until it has ended: its parts are read twice, and whoever completes it as well is too late.
        let _held = self.uploads.hold(&input.upload_id).await;
        let upload = self.uploads.find(&input.upload_id, &input.bucket, &input.key).await?;
        let list = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let chosen = self.uploads.choose(&input.upload_id, &list).await?;
        if input.mpu_object_size.is_some_and(|size| length(chosen.size()) != Some(size)) {
            return Err(s3_error!(
                InvalidRequest,
                "The provided 'x-amz-mp-object-size' header value does not match what was computed"
            ));
        }
        // Of the whole object when it says so, or did when it began; else it is made of the parts' checksums.
        // CRC-64/NVME is never made of others.
        let whole = match &input.checksum_type {
            None => upload.whole || input.checksum_crc64nvme.is_some(),
            kind => is_whole(kind.as_ref()),
        };
        let said = sums!(input);
        let holds = if said == Checksum::default() {
            true
        } else if whole {
            let mut hasher = sums::hasher(&said);
            chosen.checksum(&mut hasher).await?;
            hasher.finalize() == said
        } else {
            chosen.composes(&said)
        };
        if !holds {
            return Err(s3_error!(
                BadDigest,
                "The checksum you specified did not match the calculated checksum."
            ));
        }
        // One of the whole object is kept with it.
        let declared = if whole { said.clone() } else { Checksum::default() };
        let conditions =
            WriteConditions { matches: input.if_match, none_match: input.if_none_match };
        self.may_write(&input.bucket, &input.key, &conditions).await?;
        let etag = chosen.etag();
        let mut attributes = upload.attributes;
        attributes
            .metadata
            .get_or_insert_with(HashMap::new)
            .insert(ETAG_NOTE.to_owned(), etag.clone());
        let body = StreamingBlob::wrap(Box::pin(chosen.read()));
        let put = PutObjectInput {
            checksum_crc32: declared.checksum_crc32.clone(),
            checksum_crc32c: declared.checksum_crc32c.clone(),
            checksum_crc64nvme: declared.checksum_crc64nvme.clone(),
            checksum_sha1: declared.checksum_sha1.clone(),
            checksum_sha256: declared.checksum_sha256.clone(),
            ..attributes.put(input.bucket.clone(), input.key.clone(), body)
        };
        let prepared = self.prepare(put).await?;
        self.commit(prepared, &input.bucket, &input.key, &conditions).await?;
        self.uploads.end(&input.upload_id).await?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, listing::encode(&input.key))),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(etag)),
            checksum_crc32: said.checksum_crc32,
            checksum_crc32c: said.checksum_crc32c,
            checksum_crc64nvme: said.checksum_crc64nvme,
            checksum_sha1: said.checksum_sha1,
            checksum_sha256: said.checksum_sha256,
            checksum_type: input.checksum_type,
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = request.input;
        let _held = self.uploads.hold(&input.upload_id).await;
        self.uploads.find(&input.upload_id, &input.bucket, &input.key).await?;
        self.uploads.end(&input.upload_id).await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

/// What has to hold before something is deleted; all but ETags is for directory buckets.
fn delete_conditions(matches: Option<ETagCondition>, unknown: bool) -> S3Result<WriteConditions> {
    if unknown {
        return Err(s3_error!(NotImplemented, "Deletes by size or age are not implemented"));
    }
    Ok(WriteConditions { matches, none_match: None })
}

fn owner() -> Owner {
    Owner { display_name: Some(OWNER.to_owned()), id: Some(OWNER.to_owned()) }
}

fn initiator() -> Initiator {
    Initiator { display_name: Some(OWNER.to_owned()), id: Some(OWNER.to_owned()) }
}

/// The owner may do everything, and nobody else is known.
fn grants() -> Vec<Grant> {
    vec![Grant {
        grantee: Some(Grantee {
            display_name: Some(OWNER.to_owned()),
            email_address: None,
            id: Some(OWNER.to_owned()),
            type_: Type::from_static(Type::CANONICAL_USER),
            uri: None,
        }),
        permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
    }]
}

/// A configuration that does not exist. The code is a name, because s3s does not know them all.
fn not_configured(code: &'static str, message: &'static str) -> S3Error {
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::NotImplemented);
    let mut error = S3Error::with_message(code, message);
    error.set_status_code(StatusCode::NOT_FOUND);
    error
}

/// Token of a page. Opaque to clients, and safe in XML whatever the key contains.
fn token(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

fn read_token(token: &str) -> S3Result<String> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|key| String::from_utf8(key).ok())
        .ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))
}

fn length(bytes: u64) -> Option<i64> {
    i64::try_from(bytes).ok()
}

fn is_whole(kind: Option<&ChecksumType>) -> bool {
    kind.is_some_and(|kind| kind.as_str() == ChecksumType::FULL_OBJECT)
}

fn asks_checksum(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

fn forget_checksums(head: &mut HeadObjectOutput) {
    head.checksum_crc32 = None;
    head.checksum_crc32c = None;
    head.checksum_crc64nvme = None;
    head.checksum_sha1 = None;
    head.checksum_sha256 = None;
    head.checksum_type = None;
}
