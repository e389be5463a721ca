//! A form, and what may be posted with it: that of AWS's worked example, in size and kind.

use countersign::{Form, PostField, PostPolicy, SignedForm};

pub(crate) fn policy() -> PostPolicy<'static> {
    PostPolicy::new("sigv4examplebucket")
        .starts_with(PostField::Key, "user/user1/")
        .equal(PostField::Acl, "public-read")
        .equal(
            PostField::SuccessActionRedirect,
            "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html",
        )
        .starts_with(PostField::ContentType, "image/")
        .equal(PostField::Meta("uuid"), "14365123651274")
        .equal(PostField::ServerSideEncryption, "AES256")
        .starts_with(PostField::Meta("tag"), "")
}

/// The form as a page posts it.
pub(crate) fn posted(signed: &SignedForm<'_>) -> Form {
    let mut form = Form::new(signed.bucket());
    for (name, value) in signed.fields() {
        form.push(name.to_string(), value.to_string()).expect("a field");
    }
    form.push("Content-Type", "image/jpeg").expect("a field");
    form.push("x-amz-meta-tag", "").expect("a field");
    form.file(Some("sunrise.jpg")).expect("a file");
    form
}
