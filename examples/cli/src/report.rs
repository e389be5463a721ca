//! What is said of a request: an object for programs, a text for people.

use std::fmt;

use countersign::{AccessKeyId, ContentSha256, Hint, VerifiedBody};
use serde::{Serialize, Serializer};

use crate::tried::Mechanism;

/// A verdict and its reasons; the fields are those of the object.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    verdict: Verdict,
    mechanism: Option<Mechanism>,
    #[serde(serialize_with = "as_text")]
    access_key_id: Option<AccessKeyId>,
    #[serde(serialize_with = "as_mode")]
    content: Option<ContentSha256>,
    stage: Option<Stage>,
    code: Option<&'static str>,
    status: Option<u16>,
    message: Option<String>,
    decoded_length: Option<u64>,
    /// What is wrong or, if nothing is, what is not proven either. For people.
    #[serde(skip)]
    remark: Option<String>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Valid,
    Invalid,
}

/// Where a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// Its head makes no claim, or none that meets the rules.
    Read,
    /// There is no key of that name.
    Key,
    /// The claim is not true.
    Verify,
    /// The body went wrong while it came.
    Feed,
    /// The body, having come, is not the one that was signed.
    Finish,
}

impl Report {
    /// Nothing is known yet, so nothing is valid.
    const NOTHING: Self = Self {
        verdict: Verdict::Invalid,
        mechanism: None,
        access_key_id: None,
        content: None,
        stage: None,
        code: None,
        status: None,
        message: None,
        decoded_length: None,
        remark: None,
    };

    /// Of a request that can be read.
    pub(crate) const fn of(mechanism: Mechanism) -> Self {
        Self { mechanism: Some(mechanism), ..Self::NOTHING }
    }

    /// Of an input that holds no request.
    pub(crate) fn unreadable(reason: impl fmt::Display) -> Self {
        Self {
            stage: Some(Stage::Read),
            code: Some("BadRequest"),
            status: Some(400),
            message: Some(reason.to_string()),
            ..Self::NOTHING
        }
    }

    /// Adds what the request says of itself; a form says nothing of its content.
    pub(crate) const fn claim(&mut self, name: AccessKeyId, content: Option<ContentSha256>) {
        self.access_key_id = Some(name);
        self.content = content;
    }

    /// The request is not valid, and the service would answer so.
    pub(crate) fn refuse(&mut self, stage: Stage, answer: &Hint<'_>, reason: impl fmt::Display) {
        self.stage = Some(stage);
        self.code = Some(answer.code());
        self.status = Some(answer.status());
        self.message = Some(answer.message().to_string());
        self.remark = Some(reason.to_string());
    }

    /// The request is valid.
    pub(crate) fn accept(&mut self, body: &VerifiedBody) {
        self.verdict = Verdict::Valid;
        self.decoded_length = Some(body.len());
        let open = "the signature does not cover the body";
        self.remark = (!body.is_signed()).then(|| open.to_owned());
    }

    pub(crate) fn is_valid(&self) -> bool {
        self.verdict == Verdict::Valid
    }
}

fn as_text<S: Serializer>(id: &Option<AccessKeyId>, to: S) -> Result<S::Ok, S::Error> {
    id.as_ref().map(AccessKeyId::as_str).serialize(to)
}

fn as_mode<S: Serializer>(content: &Option<ContentSha256>, to: S) -> Result<S::Ok, S::Error> {
    content.map(mode).serialize(to)
}

/// The name of a content mode.
fn mode(content: ContentSha256) -> String {
    match content {
        ContentSha256::Digest(_) => "digest".to_owned(),
        word => word.to_string(),
    }
}

impl fmt::Display for Report {
    /// Messages repeat what came in: control characters are not shown to the terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verdict, key) = match self.verdict {
            Verdict::Valid => ("valid", "key"),
            Verdict::Invalid => ("invalid", "claimed key"),
        };
        f.write_str(verdict)?;
        if let Some(remark) = &self.remark {
            write!(f, ": {remark}")?;
        }
        let answer = self.status.zip(self.code).map(|(status, code)| format!("{status} {code}"));
        let stage = self.stage.map(|stage| format!("{stage:?}").to_lowercase());
        let lines = [
            ("stage", stage),
            ("answer", answer),
            ("message", self.message.clone()),
            ("mechanism", self.mechanism.map(|mechanism| mechanism.as_str().to_owned())),
            (key, self.access_key_id.map(|id| id.to_string())),
            ("content", self.content.map(mode)),
            ("body", self.decoded_length.map(|len| format!("{len} bytes"))),
        ];
        for (name, value) in lines {
            let Some(value) = value else { continue };
            let value = value.replace(|c: char| c.is_control(), "\u{fffd}");
            write!(f, "\n  {name:<11}  {value}")?;
        }
        Ok(())
    }
}
