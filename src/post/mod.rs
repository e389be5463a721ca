//! (feature `post-policy`) Browser uploads: forms that carry a signed policy, both ways.
//!
//! A page posts a file straight to a bucket. What it may post stands in a policy, which somebody
//! else signed before: [`PostPolicy`] and [`Signer::sign_form`](crate::Signer::sign_form) on that
//! side (`issue.rs`). On the other the ladder is that of a head: a [`Form`] is read to a
//! [`FormClaim`], with a key to a [`VerifiedForm`] (`claim.rs`); only then is the policy decoded
//! (`policy.rs`), once, and its conditions make a [`CheckedForm`] of it (`checked.rs`), which alone
//! shows what was posted and makes the machine for the file.
//!
//! How a form is written as `multipart/form-data` is not known here; with the feature `multipart`,
//! `http::FormUpload` reads it. Nor is which bucket a request addresses: the caller says.
//!
//! Amazon S3 API Reference, "Browser-Based Uploads Using POST (AWS Signature Version 4)".

mod action;
mod checked;
mod claim;
mod error;
mod field;
mod form;
mod issue;
mod json;
mod policy;

pub use action::{Redirect, SuccessAction, SuccessStatus};
pub use checked::CheckedForm;
pub use claim::{FormClaim, VerifiedForm};
pub use error::{ConditionOperator, FormError, PolicyError};
pub use field::PostField;
pub use form::{Form, FormField};
pub use issue::{FormValue, PostPolicy, SignedForm};

pub(crate) use policy::PolicyText;
