//! `countersign verify`: from a raw request to a verdict.
//!
//! The ladder is the library's: a claim is read, a key is found, the claim is verified, then the
//! body. Each rung that gives way is a [`Stage`].

use std::io::{self, BufRead, Write};

use anyhow::Context;
use countersign::{
    AccessKeyId, BodyError, BodyVerifier, Claim, CredentialScope, Dialect, Error, Family, Form,
    FormError, ReadError, RequestError, SecretKey, SessionToken, SigningKey, Timestamp, Verified,
    VerifiedBody, Verifier, VerifyError,
};

use crate::args::{Show, Verify};
use crate::credentials::{Key, known_keys, region};
use crate::raw::{Fault, Head};
use crate::report::{Report, Stage};
use crate::tried::Mechanism;
use crate::{INVALID, OK, open, show};

/// What stands in for the key that is not there.
const DECOY: &str = "no key has this secret";

/// Verifies the one request of the command line.
pub(crate) fn run(args: &Verify) -> anyhow::Result<u8> {
    let (Some(path), Some(service)) = (&args.request, &args.service) else {
        anyhow::bail!("there is no request or no service");
    };
    let region = region(args.region.as_deref())?;
    let keys = known_keys(&args.credentials)?;
    let mut input = open(path)?;
    let head = Head::read(&mut input)?;
    let rules = Rules {
        verifier: Verifier::service(service, &region),
        now: args.at.unwrap_or_else(Timestamp::now),
        keys: &keys,
        show: args.show,
    };
    let Outcome { report, shown } = rules.verify(&head, input).context("cannot read")?;
    if let Some(text) = shown {
        show::print(&text)?;
    }
    if args.json {
        writeln!(io::stdout(), "{}", serde_json::to_string(&report)?)?;
    } else if args.show.is_some() {
        writeln!(io::stderr(), "{report}")?;
    } else {
        writeln!(io::stdout(), "{report}")?;
    }
    Ok(if report.is_valid() { OK } else { INVALID })
}

/// What a request is held against, and what is to be shown of it.
pub(crate) struct Rules<'a> {
    pub(crate) verifier: Verifier<'a>,
    pub(crate) now: Timestamp,
    pub(crate) keys: &'a [Key],
    pub(crate) show: Option<Show>,
}

/// What became of a request.
pub(crate) struct Outcome {
    pub(crate) report: Report,
    /// How it was read, if that was asked for and it made a claim.
    pub(crate) shown: Option<Vec<u8>>,
}

/// The rest of an input, from where the body begins.
pub(crate) type Input = Box<dyn BufRead + Send>;

/// Why a request is not valid, or not known to be.
pub(crate) enum Failure {
    Malformed(Fault),
    Refused(Stage, Error),
    Io(io::Error),
}

impl Rules<'_> {
    /// Verifies a request whose body is the rest of the input.
    ///
    /// # Errors
    /// If the input cannot be read to its end.
    pub(crate) fn verify(&self, head: &Head, body: Input) -> io::Result<Outcome> {
        let mechanism = Mechanism::of(head, &self.verifier);
        let mut outcome = Outcome { report: Report::of(mechanism), shown: None };
        let mut form = None;
        let climbed = match mechanism {
            Mechanism::Form => self.climb_form(head, body, &mut form, &mut outcome),
            _ => self.climb(head, body, &mut outcome),
        };
        match climbed {
            Ok(body) => outcome.report.accept(&body),
            Err(Failure::Malformed(fault)) => {
                let error = Error::Read(ReadError::Request(RequestError::from(fault)));
                outcome.report.refuse(Stage::Read, &error.hint(self.family()), fault);
            }
            Err(Failure::Refused(stage, error)) => {
                self.refuse(head, form.as_ref(), stage, error, &mut outcome);
            }
            Err(Failure::Io(error)) => return Err(error),
        }
        Ok(outcome)
    }

    fn climb(
        &self,
        head: &Head,
        mut body: Input,
        outcome: &mut Outcome,
    ) -> Result<VerifiedBody, Failure> {
        let headers = head.headers().map_err(Failure::Malformed)?;
        let request = head.request(&headers).map_err(Failure::Malformed)?;
        let mut whole = Vec::new();
        // Only S3's requests always say what their body is.
        let claim = match self.verifier.dialect() {
            Dialect::S3 => self.verifier.read(&request, self.now),
            Dialect::Standard => {
                body.read_to_end(&mut whole)?;
                self.verifier.read_whole(&request, &whole, self.now)
            }
        }?;
        outcome.report.claim(claim.claimed_access_key_id(), Some(claim.content()));
        outcome.shown = self
            .show
            .map(|show| show::text(show, &claim.canonical_request(), claim.string_to_sign()));
        let verifier = self.prove(claim)?.into_checked_body()?;
        let verifier = match self.verifier.dialect() {
            Dialect::S3 => feed(verifier, &mut *body)?,
            Dialect::Standard => verifier,
        };
        verifier.finish().map_err(|error| Failure::Refused(Stage::Finish, error.into()))
    }

    fn prove<'r>(&self, claim: Claim<'r>) -> Result<Verified<'r>, VerifyError> {
        let Derived { key, token } = self.key(claim.claimed_access_key_id(), &claim.scope());
        match (key, token) {
            (Err(decoy), _) => Err(claim.refuse_unknown_key(&decoy)),
            (Ok(key), Some(token)) => claim.verify_session(&key, token),
            (Ok(key), None) => claim.verify(&key),
        }
    }

    /// The key of a name, and the token that belongs to it.
    pub(crate) fn key(&self, name: AccessKeyId, scope: &CredentialScope<'_>) -> Derived<'_> {
        let Some(key) = self.keys.iter().find(|key| key.access_key_id() == name) else {
            let decoy = SecretKey::new(DECOY).expect("it is not empty");
            return Derived { key: Err(SigningKey::derive(&decoy, scope)), token: None };
        };
        let credentials = key.credentials();
        let key = SigningKey::derive(&credentials.secret_key, scope);
        Derived { key: Ok(key), token: credentials.session_token }
    }

    fn refuse(
        &self,
        head: &Head,
        form: Option<&Form>,
        stage: Stage,
        error: Error,
        outcome: &mut Outcome,
    ) {
        let report = &mut outcome.report;
        let hint = error.hint(self.family());
        if let Some(form) = form {
            return report.refuse(stage, &hint.about_form(&self.verifier, form), error);
        }
        let headers = head.headers().unwrap_or_default();
        match (error, head.request(&headers)) {
            (Error::Read(_), Ok(request)) => {
                report.refuse(stage, &hint.about(&self.verifier, &request, self.now), error);
            }
            // What more there is to say after the claim was read is its canonical request, which
            // holds the session token.
            _ => report.refuse(stage, &hint, error),
        }
    }

    fn family(&self) -> Family {
        Family::of(self.verifier.dialect())
    }
}

/// A key for a scope.
pub(crate) struct Derived<'k> {
    /// The key, or what stands in for one.
    pub(crate) key: Result<SigningKey, SigningKey>,
    pub(crate) token: Option<SessionToken<'k>>,
}

/// Feeds all of a body.
fn feed(mut verifier: BodyVerifier, body: &mut dyn BufRead) -> Result<BodyVerifier, Failure> {
    loop {
        let input = body.fill_buf()?;
        let len = input.len();
        if len == 0 {
            return Ok(verifier);
        }
        let mut rest = input;
        while !rest.is_empty() {
            // The data goes nowhere: only the verdict is wanted.
            let fed = verifier.feed(rest)?;
            rest = rest.get(fed.consumed..).unwrap_or_default();
        }
        body.consume(len);
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::Refused(Stage::Read, error.into())
    }
}

impl From<FormError> for Failure {
    fn from(error: FormError) -> Self {
        Self::Refused(Stage::Read, error.into())
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        let stage = if error == VerifyError::UnknownAccessKey { Stage::Key } else { Stage::Verify };
        Self::Refused(stage, error.into())
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        Self::Refused(Stage::Feed, error.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
