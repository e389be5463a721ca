//! The canonical query string, and the parameters that a presigned URL adds to it.
//!
//! The raw query is cut at `&`, empty pieces fall away, a piece is cut at its first `=`; names and
//! values are decoded and encoded once and sorted by encoded name, then by encoded value. All
//! parameters stay, repeated ones too.
//!
//! AWS IAM User Guide, "Create a signed AWS API request": canonical query string; Amazon S3 API
//! Reference, "Authenticating Requests: Using Query Parameters".

use core::cmp::Ordering;
use core::fmt;

use super::added::put_decimal;
use super::encode::{
    Decoded, Escape, Part, PlusSign, check, compare, encode, is_canonical, is_strange, recode,
};
use super::headers::{Fields, Separator};
use super::uri::show_decoded;
use super::{ALGORITHM, Shown, Sink};
use crate::bounded::Bounded;
use crate::bytes;
use crate::credential::{AccessKeyId, CredentialScope, SessionTokenField};
use crate::request::{Limits, RequestError};
use crate::signature::Signature;
use crate::time::Timestamp;

/// The query of a target, checked: it can be written and read without failing.
///
/// `X-Amz-Signature` is in no canonical query.
#[derive(Clone, Copy)]
pub(crate) struct Query<'a> {
    raw: &'a str,
    plus: PlusSign,
    /// Whether the query is its own canonical form, but for the signature.
    canonical: bool,
    /// How many parameters there are.
    count: u8,
    /// Whether one of them is not its own canonical form.
    odd: bool,
    /// Whether a name may be one of a signature's, in whatever spelling.
    may_authenticate: bool,
    /// Whether there are the names of Signature Version 2.
    version_2: bool,
    /// Whether session tokens are left out as well.
    tokens_left_out: bool,
    /// Where the parameter of the signature stands.
    signature: Option<(u16, u16)>,
    /// Where the values of a signature's parameters begin and end, by their names; nowhere is 0.
    values: [(u16, u16); AuthenticationName::ALL.len()],
    /// Where the value of `X-Amz-Content-Sha256` does.
    content: (u16, u16),
    /// Whether there is one of them.
    authenticates: bool,
    /// Whether one of those stands twice, without `=`, or under another spelling of its name.
    ambiguous: bool,
    /// The parameters in canonical order, if they have to be sorted and are few.
    few: [Place; FEW],
}

/// What is kept of a query that was read.
#[derive(Clone, Copy)]
pub(crate) struct KeptQuery<'a> {
    raw: &'a str,
    plus: PlusSign,
    canonical: bool,
    odd: bool,
    tokens_left_out: bool,
}

impl<'a> KeptQuery<'a> {
    /// The query, looked at once more, to be written.
    pub(super) fn read(&self) -> Query<'a> {
        let Self { raw, plus, tokens_left_out, .. } = *self;
        let query = Query::parse(raw, plus, &Limits::WIDEST);
        // The same call succeeded before.
        Query { tokens_left_out, ..query.unwrap_or(Query::new(plus)) }
    }

    /// The parameters in canonical order.
    pub(crate) fn sorted(&self) -> impl Iterator<Item = Parameter<'a>> + use<'a> {
        let raw = self.raw.as_bytes();
        // Without the keys, which are larger.
        let mut places = Bounded::<_, { Limits::MAX_PARAMETERS }>::filled_with(Place::NOWHERE);
        places.replace_with(Sorted::all(raw, self.plus, self.odd).iter().copied());
        (0..).map_while(move |nth| places.as_slice().get(nth).map(|place| place.parameter(raw)))
    }

    /// The same, but for the signature, which may stand anywhere in a query that is canonical.
    pub(crate) fn covered(&self) -> impl Iterator<Item = Parameter<'a>> + use<'a> {
        let raw = self.raw.as_bytes();
        let as_they_came = self.canonical.then(|| Places::of(raw));
        let sorted = (!self.canonical).then(|| self.sorted());
        let as_they_came = as_they_came.into_iter().flatten().map(|place| place.parameter(raw));
        let signature = AuthenticationName::Signature.as_str().as_bytes();
        let all = as_they_came.chain(sorted.into_iter().flatten());
        all.filter(move |parameter| parameter.name != signature)
    }

    #[cfg(feature = "tower")]
    pub(crate) const fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// What a `+` means in this query.
    pub(crate) const fn plus(&self) -> PlusSign {
        self.plus
    }
}

/// One parameter, still encoded.
#[derive(Clone, Copy, Default)]
pub(crate) struct Parameter<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
}

/// Where up to `N` parameters stand, in canonical order.
struct Sorted<const N: usize> {
    /// As they came.
    places: [Place; N],
    /// In canonical order: the order of the first fifteen bytes of the encoded name, and the index
    /// of the place.
    keys: Bounded<u128, N>,
}

impl<const N: usize> Sorted<N> {
    /// The bits of a key that are the index.
    const INDEX: u128 = 0xff;

    const NONE: Self = Self { places: [Place::NOWHERE; N], keys: Bounded::filled_with(0) };

    fn place(&self, key: u128) -> Option<&Place> {
        self.places.get((key & Self::INDEX) as usize)
    }

    fn iter(&self) -> impl Iterator<Item = &Place> {
        self.keys.as_slice().iter().filter_map(|key| self.place(*key))
    }

    /// Adds a place, if there is room.
    #[inline(always)]
    fn push(&mut self, place: Place, key: u128) {
        let nth = self.keys.as_slice().len();
        if let Some(into) = self.places.get_mut(nth) {
            *into = place;
            let _ = self.keys.push(key & !Self::INDEX | nth as u128);
        }
    }

    /// Puts the places in order.
    fn sort(&mut self, raw: &[u8], plus: PlusSign) {
        let Self { places, keys } = self;
        let place = |key: &u128| places.get((key & Self::INDEX) as usize);
        each_run(keys.as_mut_slice(), |run| {
            // Those that begin alike are told apart by what follows, if they are written as they are
            // sorted,
            if run.iter().filter_map(place).all(|place| !place.is_odd) {
                for key in run.iter_mut() {
                    let next = place(key).map_or(0, |place| place.next_key(raw));
                    *key = next & !Self::INDEX | *key & Self::INDEX;
                }
            }
            // and else by all of it.
            each_run(run, |run| {
                run.sort_unstable_by(|a, b| {
                    let places = place(a).zip(place(b));
                    places.map_or(Ordering::Equal, |(a, b)| a.compare(b, raw, plus))
                });
            });
        });
    }
}

/// Sorts keys, and hands over those that are the same but for the index.
#[inline(always)]
fn each_run(keys: &mut [u128], each: impl FnMut(&mut [u128])) {
    keys.sort_unstable();
    let alike = |a: &u128, b: &u128| a >> 8 == b >> 8;
    if keys.windows(2).any(|pair| matches!(pair, [a, b] if alike(a, b))) {
        keys.chunk_by_mut(alike).filter(|run| run.len() > 1).for_each(each);
    }
}

impl Sorted<{ Limits::MAX_PARAMETERS }> {
    /// All parameters of a query that was checked, however many there are, and whether any of them is
    /// `odd`.
    fn all(raw: &[u8], plus: PlusSign, odd: bool) -> Self {
        let mut sorted = Self::NONE;
        for place in Places::of(raw) {
            let place = Place { is_odd: odd && !place.is_canonical(raw, plus), ..place };
            sorted.push(place, place.key(place.parameter(raw).name, plus));
        }
        sorted.sort(raw, plus);
        sorted
    }
}

/// As many parameters as most queries have.
const FEW: usize = 16;

/// Where a parameter stands in a query.
#[derive(Clone, Copy)]
struct Place {
    start: u16,
    name_end: u16,
    end: u16,
    /// Whether it may not be its own canonical form.
    is_odd: bool,
}

impl Place {
    const NOWHERE: Self = Self { start: 0, name_end: 0, end: 0, is_odd: false };

    /// A place in a query whose length was checked, or will be before it is used.
    #[inline(always)]
    fn new(start: usize, name_end: usize, end: usize, is_odd: bool) -> Self {
        let [start, name_end, end] = [start, name_end, end].map(|at| at as u16);
        Self { start, name_end, end, is_odd }
    }

    #[inline(always)]
    fn piece<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        raw.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }

    #[inline(always)]
    fn parameter<'a>(&self, raw: &'a [u8]) -> Parameter<'a> {
        let Self { start, name_end, end, .. } = *self;
        Parameter::at(raw, usize::from(start), usize::from(name_end), usize::from(end))
    }

    /// Whether it is its own canonical form.
    fn is_canonical(&self, raw: &[u8], plus: PlusSign) -> bool {
        let Parameter { name, value } = self.parameter(raw);
        let stays = |text| is_canonical(text, Part::Query(plus));
        self.name_end < self.end && stays(name) && stays(value)
    }

    /// A number with the order of the first sixteen bytes of the encoded name.
    #[inline(always)]
    fn key(&self, name: &[u8], plus: PlusSign) -> u128 {
        if self.is_odd { encoded_key(name, plus) } else { text_key(name) }
    }

    /// The same for the bytes behind those that a key keeps, if it is its own canonical form.
    #[inline(always)]
    fn next_key(&self, raw: &[u8]) -> u128 {
        text_key(self.parameter(raw).name.get(15..).unwrap_or_default())
    }

    /// Whether it is the later one of two that are their own canonical form.
    #[inline(never)]
    fn is_behind(&self, other: &Self, raw: &[u8]) -> bool {
        self.parameter(raw).compare_text(&other.parameter(raw)).is_gt()
    }

    fn compare(&self, other: &Self, raw: &[u8], plus: PlusSign) -> Ordering {
        let (a, b) = (self.parameter(raw), other.parameter(raw));
        if self.is_odd | other.is_odd { a.compare(&b, plus) } else { a.compare_text(&b) }
    }
}

impl<'a> Query<'a> {
    /// The query of a target that has none.
    #[inline(always)]
    pub(crate) const fn new(plus: PlusSign) -> Self {
        Self {
            raw: "",
            plus,
            canonical: true,
            count: 0,
            odd: false,
            may_authenticate: false,
            version_2: false,
            tokens_left_out: false,
            signature: None,
            values: [(0, 0); AuthenticationName::ALL.len()],
            content: (0, 0),
            authenticates: false,
            ambiguous: false,
            few: [Place::NOWHERE; FEW],
        }
    }

    /// Cuts and checks the query of a target, once. It is large, and stays where it is.
    #[inline(always)]
    pub(crate) fn read(&mut self, raw: &'a str, limits: &Limits) -> Result<(), RequestError> {
        if raw.is_empty() {
            return Ok(());
        }
        self.raw = raw;
        self.look(limits)
    }

    /// The same for those who are in no hurry.
    pub(crate) fn parse(
        raw: &'a str,
        plus: PlusSign,
        limits: &Limits,
    ) -> Result<Self, RequestError> {
        let mut query = Self::new(plus);
        query.read(raw, limits)?;
        Ok(query)
    }

    /// What is to be kept of it.
    #[inline(always)]
    pub(crate) const fn kept(&self) -> KeptQuery<'a> {
        let Self { raw, plus, canonical, odd, tokens_left_out, .. } = *self;
        KeptQuery { raw, plus, canonical, odd, tokens_left_out }
    }

    /// Looks at each parameter once: at the bytes that do not stay as they are, which are those
    /// between the parts, and escapes.
    fn look(&mut self, limits: &Limits) -> Result<(), RequestError> {
        match self.recognize(limits.parameters) {
            Some(end) if end > self.raw.len() => Ok(()),
            Some(end) => self.look_behind(end, limits),
            None => {
                // Whatever was found is found again.
                *self = Self { raw: self.raw, ..Self::new(self.plus) };
                self.look_behind(0, limits)
            }
        }
    }

    /// Reads what nearly every presigned URL begins with: a signature's parameters, in canonical
    /// order and form, but that the signature itself may stand last. Gives where the rest begins:
    /// behind the end, if there is none. `None` says nothing of the query.
    #[inline(always)]
    fn recognize(&mut self, limit: usize) -> Option<usize> {
        use AuthenticationName::{
            Algorithm, Credential, Date, Expires, SecurityToken, Signature, SignedHeaders,
        };
        /// The signature stands there or last; what has no name among them is the content.
        const NAMES: [Option<AuthenticationName>; 9] = [
            Some(Algorithm),
            None,
            Some(Credential),
            Some(Date),
            Some(Expires),
            Some(SecurityToken),
            Some(Signature),
            Some(SignedHeaders),
            Some(Signature),
        ];
        let (raw, part) = (self.raw.as_bytes(), Part::Query(self.plus));
        let usual = limit > AuthenticationName::ALL.len() && raw.len() <= usize::from(u16::MAX);
        if !usual || Algorithm.begins(raw).is_none() {
            return Some(0);
        }
        let mut changed = part.changed(raw);
        let mut start = 0;
        for name in &NAMES {
            let Some(rest) = raw.get(start..) else { break };
            let begins = match name {
                Some(name) => name.begins(rest),
                None => {
                    let begin = Self::CONTENT_BEGIN.as_bytes();
                    rest.starts_with(begin).then_some(Self::CONTENT.len())
                }
            };
            let Some(len) = begins else { continue };
            let name_end = start + len;
            // The one behind the name.
            changed.next();
            let end = loop {
                let at = changed.next().unwrap_or(raw.len());
                match raw.get(at) {
                    Some(b'&') | None => break at,
                    Some(_) if Escape::at(raw, at, part) == Some(Escape::Canonical) => {}
                    Some(_) => return None,
                }
            };
            let place = Place::new(start, name_end, end, false);
            let value = match name {
                Some(name) => self.values.get_mut(*name as usize)?,
                None => &mut self.content,
            };
            // The signature stands once.
            if value.0 != 0 {
                break;
            }
            *value = (place.name_end + 1, place.end);
            if *name == Some(Signature) {
                self.signature = Some((place.start, place.end));
            }
            self.count += 1;
            start = end + 1;
        }
        (self.may_authenticate, self.authenticates) = (true, true);
        Some(start)
    }

    /// Adds the parameters that have been recognized to those that may have to be sorted, and gives
    /// the last one but for the signature.
    #[inline(never)]
    fn add_recognized(&self, few: &mut Sorted<FEW>) -> (u128, Place) {
        let raw = self.raw.as_bytes();
        let names = AuthenticationName::ALL.map(AuthenticationName::as_str);
        let found = names.into_iter().zip(self.values).chain([(Self::CONTENT, self.content)]);
        let mut last = (0, Place::NOWHERE);
        for (name, (value, end)) in found.filter(|(_, (value, _))| *value != 0) {
            // Before a value stand its name and what separates it.
            let name_end = usize::from(value).saturating_sub(1);
            let start = name_end.saturating_sub(name.len());
            let place = Place::new(start, name_end, usize::from(end), false);
            let key = text_key(place.parameter(raw).name);
            few.push(place, key);
            if key > last.0 && self.signature != Some((place.start, place.end)) {
                last = (key, place);
            }
        }
        last
    }

    /// Looks at what follows what was recognized, from `first` on.
    fn look_behind(&mut self, first: usize, limits: &Limits) -> Result<(), RequestError> {
        let (raw, part) = (self.raw.as_bytes(), Part::Query(self.plus));
        let mut changed = part.changed(raw.get(first..).unwrap_or_default());
        let (mut count, mut start, mut is_odd) = (usize::from(self.count), first, false);
        let mut name_end = None;
        let mut version_2 = (false, false);
        let mut well_formed = true;
        let mut few = Sorted::<FEW>::NONE;
        let mut before = match first {
            0 => (0, Place::NOWHERE),
            _ => self.add_recognized(&mut few),
        };
        loop {
            let at = changed.next().map_or(raw.len(), |at| first + at);
            let byte = raw.get(at);
            match byte {
                Some(b'=') if name_end.is_none() => {
                    name_end = Some(at);
                    continue;
                }
                Some(b'&') | None => {}
                Some(byte) => {
                    let escape = Escape::at(raw, at, part);
                    if escape != Some(Escape::Canonical) {
                        is_odd = true;
                        well_formed &= escape.is_some() && !is_strange(*byte);
                    }
                    continue;
                }
            }
            if start < at {
                if count >= limits.parameters {
                    check(raw)?;
                    return Err(RequestError::TooManyParameters);
                }
                is_odd |= name_end.is_none();
                self.odd |= is_odd;
                let place = Place::new(start, name_end.unwrap_or(at), at, is_odd);
                let name = raw.get(start..name_end.unwrap_or(at)).unwrap_or_default();
                let key = place.key(name, self.plus);
                few.push(place, key);
                count += 1;
                let mut is_signature = false;
                // Where nothing is odd, only a name that is written so is one of a signature's.
                if is_amz(key) || is_odd && may_authenticate(name) {
                    self.may_authenticate = true;
                    self.note(name, name_end.map(|equals| (equals + 1, at)));
                    if name == AuthenticationName::Signature.as_str().as_bytes() {
                        self.signature = u16::try_from(start).ok().zip(u16::try_from(at).ok());
                        is_signature = true;
                    }
                } else {
                    version_2.0 |= name == b"AWSAccessKeyId";
                    version_2.1 |= name == b"Signature";
                }
                if self.canonical && !is_signature {
                    self.canonical =
                        before.0 < key || before.0 == key && !before.1.is_behind(&place, raw);
                    before = (key, place);
                }
            } else {
                self.canonical = false;
            }
            if byte.is_none() {
                break;
            }
            (start, is_odd, name_end) = (at + 1, false, None);
        }
        self.version_2 = version_2 == (true, true);
        // No limit is above what these are wide enough for.
        self.count = count as u8;
        if !well_formed {
            // Which of the faults is named does not depend on the order in which they stand.
            check(raw)?;
        }
        self.canonical &= !self.odd;
        if u16::try_from(raw.len()).is_err() {
            return Err(RequestError::HeadTooLong);
        }
        if !self.canonical && count <= FEW {
            few.sort(raw, self.plus);
            for (place, sorted) in self.few.iter_mut().zip(few.iter()) {
                *place = *sorted;
            }
        }
        Ok(())
    }

    /// Notes where the value of a parameter begins that may be one of a signature's.
    #[inline(always)]
    fn note(&mut self, name: &[u8], value: Option<(usize, usize)>) {
        let place = match AuthenticationName::of(name, self.plus) {
            Some((name, Spelling::Literal)) => {
                self.authenticates = true;
                self.values.get_mut(name as usize)
            }
            Some((_, Spelling::Alias)) => None,
            None if name == Self::CONTENT.as_bytes() => Some(&mut self.content),
            None => return,
        };
        match place.zip(value) {
            Some((place @ (0, _), (start, end))) => {
                // What is longer is refused at the end.
                let position = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
                *place = (position(start), position(end));
            }
            _ => self.ambiguous = true,
        }
    }

    /// Whether a parameter of a signature stands twice, without `=`, or under another spelling of
    /// its name.
    pub(crate) const fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// Whether a parameter of a signature has a value, if the query is not ambiguous.
    pub(crate) const fn authenticates(&self) -> bool {
        self.authenticates
    }

    /// The value of a parameter of a signature, if the query is not ambiguous.
    #[inline]
    pub(crate) fn value(&self, name: AuthenticationName) -> Option<&'a [u8]> {
        self.between(*self.values.get(name as usize)?)
    }

    #[inline(always)]
    fn between(&self, (start, end): (u16, u16)) -> Option<&'a [u8]> {
        if start == 0 {
            return None;
        }
        self.raw.as_bytes().get(usize::from(start)..usize::from(end))
    }

    /// The parameters as they came.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = Parameter<'a>> + use<'a> {
        let raw = self.raw.as_bytes();
        Places::of(raw).map(move |place| place.parameter(raw))
    }

    /// The parameters in canonical order.
    pub(crate) fn sorted(&self) -> impl Iterator<Item = Parameter<'a>> + use<'a> {
        self.kept().sorted()
    }

    /// The decoded bytes of a name or value of this query.
    pub(crate) const fn decoded(&self, text: &'a [u8]) -> Decoded<'a> {
        Decoded::of_query(text, self.plus)
    }

    /// The parameters that belong to a signature by their name, in whatever spelling, as they came
    /// or in canonical order.
    pub(crate) fn authentication(
        &self,
        parameters: impl Iterator<Item = Parameter<'a>>,
    ) -> impl Iterator<Item = (AuthenticationName, Spelling, Parameter<'a>)> {
        let plus = self.plus;
        parameters.filter_map(move |parameter| {
            if !may_authenticate(parameter.name) {
                return None;
            }
            let (name, spelling) = AuthenticationName::of(parameter.name, plus)?;
            Some((name, spelling, parameter))
        })
    }

    /// How many parameters there are.
    pub(crate) fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether there is nothing in it.
    pub(crate) const fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Whether a name may be one of a signature's, in whatever spelling.
    pub(crate) const fn may_authenticate(&self) -> bool {
        self.may_authenticate
    }

    /// The value of the parameter with this literal name, if there is one.
    ///
    /// # Errors
    /// If it stands there more than once.
    pub(crate) fn single(&self, name: &str) -> Result<Option<&'a [u8]>, Repeated> {
        let mut values = self.parameters().filter(|parameter| parameter.name == name.as_bytes());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Repeated),
            (first, None) => Ok(first.map(|parameter| parameter.value)),
        }
    }

    /// The parameter that says what the body is.
    const CONTENT: &'static str = Self::CONTENT_BEGIN.split_at(Self::CONTENT_BEGIN.len() - 1).0;

    /// The same with what separates it from its value.
    const CONTENT_BEGIN: &'static str = "X-Amz-Content-Sha256=";

    /// What a parameter says of the body.
    ///
    /// # Errors
    /// If it stands there more than once.
    #[inline]
    pub(crate) fn content(&self) -> Result<Option<&'a [u8]>, Repeated> {
        if self.ambiguous { self.single(Self::CONTENT) } else { Ok(self.between(self.content)) }
    }

    /// Whether the query makes a claim of Signature Version 2.
    pub(crate) const fn is_version_2(&self) -> bool {
        self.version_2
    }

    /// What the one parameter that says what the body is says of it.
    ///
    /// # Errors
    /// If there are several, or it is spelled in another way: a second reader might take it for what it
    /// is not for the first.
    #[inline(always)]
    pub(crate) fn announced_content(&self) -> Result<Option<&'a [u8]>, Repeated> {
        if self.may_authenticate { self.find_announced_content() } else { Ok(None) }
    }

    #[cold]
    fn find_announced_content(&self) -> Result<Option<&'a [u8]>, Repeated> {
        let mut named = self.parameters().filter(|parameter| {
            let name = self.decoded(parameter.name).map(|byte| byte.to_ascii_lowercase());
            name.eq(*b"x-amz-content-sha256")
        });
        match (named.next(), named.next()) {
            (None, _) => Ok(None),
            (Some(only), None) if only.name == Self::CONTENT.as_bytes() => Ok(Some(only.value)),
            _ => Err(Repeated),
        }
    }

    /// Takes session tokens out of what is signed.
    pub(crate) fn leave_tokens_out(&mut self) {
        self.tokens_left_out = self.may_authenticate;
    }

    fn leaves_out(&self, parameter: &Parameter<'_>) -> bool {
        let is = |name: AuthenticationName| parameter.name == name.as_str().as_bytes();
        is(AuthenticationName::Signature)
            || self.tokens_left_out
                && (is(AuthenticationName::SecurityToken) || is(AuthenticationName::S3SessionToken))
    }

    /// Puts the canonical query: these parameters and, at their places among them, those of
    /// `authentication`.
    pub(super) fn put(
        &self,
        authentication: Option<&Authentication<'_>>,
        fields: &Fields<'_>,
        sink: &mut impl Sink,
    ) {
        match authentication {
            None if self.canonical && !self.tokens_left_out => self.put_canonical(sink),
            Some(authentication) if self.raw.is_empty() => {
                authentication.put_sorted(fields, sink);
            }
            _ => self.put_sorted(authentication, fields, sink),
        }
    }

    /// Puts a query that is its own canonical form, but for the signature.
    fn put_canonical(&self, sink: &mut impl Sink) {
        let raw = self.raw.as_bytes();
        let Some((start, end)) = self.signature else { return sink.put(raw) };
        let (before, _) = raw.split_at(usize::from(start));
        let (_, behind) = raw.split_at(usize::from(end));
        // One of the separators goes with it.
        match before.strip_suffix(b"&") {
            Some(before) => sink.put(before),
            None => return sink.put(behind.get(1..).unwrap_or_default()),
        }
        sink.put(behind);
    }

    #[inline(never)]
    fn put_sorted(
        &self,
        authentication: Option<&Authentication<'_>>,
        fields: &Fields<'_>,
        sink: &mut impl Sink,
    ) {
        if self.canonical {
            // In order, but for the signature, which is left out.
            self.put_places(Places::of(self.raw.as_bytes()), authentication, fields, sink);
        } else if let Some(few) = self.few.get(..usize::from(self.count)) {
            self.put_places(few.iter().copied(), authentication, fields, sink);
        } else {
            let all = Sorted::all(self.raw.as_bytes(), self.plus, self.odd);
            self.put_places(all.iter().copied(), authentication, fields, sink);
        }
    }

    /// Puts one parameter.
    #[inline(always)]
    fn put_place(&self, place: Place, sink: &mut impl Sink) {
        if place.is_odd {
            let part = Part::Query(self.plus);
            let parameter = place.parameter(self.raw.as_bytes());
            recode(parameter.name, part, sink);
            sink.put(b"=");
            recode(parameter.value, part, sink);
        } else {
            sink.put(place.piece(self.raw.as_bytes()));
        }
    }

    /// Puts parameters that are in canonical order.
    #[inline(always)]
    fn put_places(
        &self,
        places: impl Iterator<Item = Place>,
        authentication: Option<&Authentication<'_>>,
        fields: &Fields<'_>,
        sink: &mut impl Sink,
    ) {
        let mut is_first = true;
        let leaves_out = self.signature.is_some() || self.tokens_left_out;
        let raw = self.raw.as_bytes();
        let places = places.filter(|place| !(leaves_out && self.leaves_out(&place.parameter(raw))));
        if authentication.is_none() {
            for place in places {
                sink.advance();
                if !is_first {
                    sink.put(b"&");
                }
                self.put_place(place, sink);
                is_first = false;
            }
            return;
        }
        let mut added = authentication.into_iter().flat_map(Authentication::sorted).peekable();
        let put_added = |name: AuthenticationName, is_first: &mut bool, sink: &mut _| {
            if let Some(authentication) = authentication {
                authentication.put(name, *is_first, fields, sink);
                *is_first = false;
            }
        };
        for place in places {
            let parameter = place.parameter(raw);
            while let Some(name) = added.next_if(|name| {
                let added = Decoded::of_query(name.as_str().as_bytes(), PlusSign::Literal);
                compare(added, self.decoded(parameter.name)).is_lt()
            }) {
                put_added(name, &mut is_first, sink);
            }
            if !is_first {
                sink.put(b"&");
            }
            self.put_place(place, sink);
            is_first = false;
        }
        for name in added {
            put_added(name, &mut is_first, sink);
        }
    }
}

/// The parameters of a query as they came, but for empty ones: where they stand.
struct Places<'a, P> {
    raw: &'a [u8],
    /// The separators that are still to come.
    separators: P,
    /// Where the next parameter begins; behind the end if there is none.
    start: usize,
}

impl<'a> Places<'a, ()> {
    #[inline(always)]
    fn of(raw: &'a [u8]) -> Places<'a, impl Iterator<Item = usize> + use<'a>> {
        let separators = bytes::positions(raw, |lanes| lanes.is(b'&') | lanes.is(b'='));
        Places { raw, separators, start: 0 }
    }
}

impl<P: Iterator<Item = usize>> Iterator for Places<'_, P> {
    type Item = Place;

    #[inline(always)]
    fn next(&mut self) -> Option<Place> {
        let mut name_end = None;
        loop {
            if self.start > self.raw.len() {
                return None;
            }
            let at = self.separators.next().unwrap_or(self.raw.len());
            if self.raw.get(at) == Some(&b'=') {
                name_end = name_end.or(Some(at));
                continue;
            }
            let start = core::mem::replace(&mut self.start, at + 1);
            if start < at {
                return Some(Place::new(start, name_end.unwrap_or(at), at, false));
            }
        }
    }
}

impl<'a> Parameter<'a> {
    #[inline(always)]
    fn at(raw: &'a [u8], start: usize, name_end: usize, end: usize) -> Self {
        Self {
            name: raw.get(start..name_end).unwrap_or_default(),
            value: raw.get(name_end + 1..end).unwrap_or_default(),
        }
    }

    /// The order of two that are their own canonical form.
    #[inline(always)]
    fn compare_text(&self, other: &Self) -> Ordering {
        let by_key = bytes::key(self.name).cmp(&bytes::key(other.name));
        by_key.then_with(|| (self.name, self.value).cmp(&(other.name, other.value)))
    }

    fn compare(&self, other: &Self, plus: PlusSign) -> Ordering {
        let part = |text| Decoded::of_query(text, plus);
        compare(part(self.name), part(other.name))
            .then_with(|| compare(part(self.value), part(other.value)))
    }
}

/// A number with the order of the first sixteen bytes.
#[inline(always)]
fn text_key(name: &[u8]) -> u128 {
    u128::from(bytes::key(name)) << 64 | u128::from(bytes::key(name.get(8..).unwrap_or_default()))
}

/// A number with the order of the first sixteen bytes of the encoded name.
fn encoded_key(name: &[u8], plus: PlusSign) -> u128 {
    let mut first = First { bytes: [0; 16], len: 0 };
    recode(name, Part::Query(plus), &mut first);
    u128::from_be_bytes(first.bytes)
}

/// A sink that keeps the first sixteen bytes.
struct First {
    bytes: [u8; 16],
    len: usize,
}

impl Sink for First {
    fn put(&mut self, bytes: &[u8]) {
        let rest = self.bytes.get_mut(self.len..).unwrap_or_default();
        rest.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        self.len = self.len.saturating_add(bytes.len());
    }
}

/// Whether a name with this key begins with `x-amz-`, in whatever case.
#[inline(always)]
const fn is_amz(key: u128) -> bool {
    // The cases differ in one bit, which `-` has too.
    key >> 80 | 0x2020_2020_2020 == u64::from_be_bytes(*b"\0\0x-amz-") as u128
}

/// Whether a name may be one of a signature's: a quick look, for there are many names.
#[inline(always)]
fn may_authenticate(name: &[u8]) -> bool {
    matches!(name, [b'X' | b'x' | b'%', ..])
        && (bytes::lower_key(name) >> 16 == u64::from_be_bytes(*b"\0\0x-amz-")
            || bytes::find(name, b'%').is_some())
}

/// Names of the parameters that a presigned URL carries, as they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthenticationName {
    Algorithm,
    Credential,
    Date,
    Expires,
    SignedHeaders,
    SecurityToken,
    S3SessionToken,
    Signature,
}

impl AuthenticationName {
    pub(crate) const ALL: [Self; 8] = [
        Self::Algorithm,
        Self::Credential,
        Self::Date,
        Self::Expires,
        Self::SignedHeaders,
        Self::SecurityToken,
        Self::S3SessionToken,
        Self::Signature,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        let (_, name) = self.between().split_at("&".len());
        name.split_at(name.len() - "=".len()).0
    }

    /// The name, behind what separates it from the parameter before it, and before what separates it
    /// from its value.
    const fn between(self) -> &'static str {
        match self {
            Self::Algorithm => "&X-Amz-Algorithm=",
            Self::Credential => "&X-Amz-Credential=",
            Self::Date => "&X-Amz-Date=",
            Self::Expires => "&X-Amz-Expires=",
            Self::SignedHeaders => "&X-Amz-SignedHeaders=",
            Self::SecurityToken => "&X-Amz-Security-Token=",
            Self::S3SessionToken => "&X-Amz-S3session-Token=",
            Self::Signature => "&X-Amz-Signature=",
        }
    }

    /// The length of this name, if a text begins with it, so written, and with what separates it from
    /// its value.
    #[inline(always)]
    fn begins(self, text: &[u8]) -> Option<usize> {
        let begins = |name: Self| {
            let (_, begin) = name.between().as_bytes().split_at("&".len());
            text.starts_with(begin).then_some(begin.len() - "=".len())
        };
        // Each compares with a text of known length.
        match self {
            Self::Algorithm => begins(Self::Algorithm),
            Self::Credential => begins(Self::Credential),
            Self::Date => begins(Self::Date),
            Self::Expires => begins(Self::Expires),
            Self::SignedHeaders => begins(Self::SignedHeaders),
            Self::SecurityToken => begins(Self::SecurityToken),
            Self::S3SessionToken => begins(Self::S3SessionToken),
            Self::Signature => begins(Self::Signature),
        }
    }

    /// The name that is written so.
    #[inline(always)]
    fn of(text: &[u8], plus: PlusSign) -> Option<(Self, Spelling)> {
        let is = |name: Self| text == name.as_str().as_bytes();
        // Few names have the length of another.
        let name = match text.len() {
            10 if is(Self::Date) => Self::Date,
            13 if is(Self::Expires) => Self::Expires,
            15 if is(Self::Algorithm) => Self::Algorithm,
            15 if is(Self::Signature) => Self::Signature,
            16 if is(Self::Credential) => Self::Credential,
            19 if is(Self::SignedHeaders) => Self::SignedHeaders,
            20 if is(Self::SecurityToken) => Self::SecurityToken,
            21 if is(Self::S3SessionToken) => Self::S3SessionToken,
            _ => return Self::of_alias(text, plus).map(|name| (name, Spelling::Alias)),
        };
        Some((name, Spelling::Literal))
    }

    #[inline(never)]
    fn of_alias(text: &[u8], plus: PlusSign) -> Option<Self> {
        let lower = |bytes: &mut dyn Iterator<Item = u8>, name: &str| {
            bytes
                .map(|byte| byte.to_ascii_lowercase())
                .eq(name.bytes().map(|b| b.to_ascii_lowercase()))
        };
        let is_name = |name: &Self| lower(&mut Decoded::of_query(text, plus), name.as_str());
        Self::ALL.into_iter().find(is_name)
    }
}

/// How the name of a parameter is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// As the protocol writes it.
    Literal,
    /// In another case or with escapes: a second reader might take it for another parameter.
    Alias,
}

/// A parameter stands more than once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeated;

impl SessionTokenField {
    pub(crate) const fn parameter(self) -> AuthenticationName {
        match self {
            Self::Security => AuthenticationName::SecurityToken,
            Self::S3Session => AuthenticationName::S3SessionToken,
        }
    }
}

/// What presigning adds to a query, but for the signature.
#[derive(Clone, Copy)]
pub(crate) struct Authentication<'a> {
    pub(crate) access_key_id: &'a AccessKeyId,
    pub(crate) scope: CredentialScope<'a>,
    /// The two, escaped, if they have been written before.
    pub(crate) credential: Option<&'a [u8]>,
    pub(crate) timestamp: Timestamp,
    pub(crate) expires: u32,
    /// The token, if it is signed.
    pub(crate) token: Option<(SessionTokenField, &'a str)>,
    /// All of it, if it has been written into a URL.
    pub(crate) written: Option<&'a [u8]>,
}

impl Authentication<'_> {
    /// How many parameters there are, with the signature and without a token.
    pub(crate) const COUNT: usize = AuthenticationName::ALL.len() - 2;

    /// The names in the order of their bytes, which is their canonical order.
    fn sorted(&self) -> impl Iterator<Item = AuthenticationName> + use<> {
        use AuthenticationName::{Algorithm, Credential, Date, Expires, SignedHeaders};
        let token = self.token.map(|(token, _)| token.parameter());
        [Algorithm, Credential, Date, Expires].into_iter().chain(token).chain([SignedHeaders])
    }

    /// Puts the parameters as they stand in a URL, without the signature.
    pub(crate) fn put_all(&self, fields: &Fields<'_>, sink: &mut impl Sink) {
        use AuthenticationName::{Algorithm, Credential, Date, Expires, SignedHeaders};
        // No loop: so the length of each name is known where it is put.
        self.put(Algorithm, true, fields, sink);
        self.put(Credential, false, fields, sink);
        self.put(Date, false, fields, sink);
        self.put(Expires, false, fields, sink);
        self.put(SignedHeaders, false, fields, sink);
        if let Some((token, _)) = self.token {
            self.put(token.parameter(), false, fields, sink);
        }
    }

    /// Puts the parameters in canonical order.
    #[inline(always)]
    fn put_sorted(&self, fields: &Fields<'_>, sink: &mut impl Sink) {
        match self.written {
            // A token stands behind the others in a URL, and before the last in canonical order.
            Some(written) if self.token.is_none() => sink.put(written),
            _ => {
                for (nth, name) in self.sorted().enumerate() {
                    self.put(name, nth == 0, fields, sink);
                }
            }
        }
    }

    /// Puts a parameter, and before it what separates it from others if it is not the first.
    #[inline(always)]
    fn put(
        &self,
        name: AuthenticationName,
        is_first: bool,
        fields: &Fields<'_>,
        sink: &mut impl Sink,
    ) {
        let encoded = |bytes: &[u8], sink: &mut _| encode(bytes, VALUE, sink);
        let between = name.between().as_bytes();
        let between = if is_first { between.split_at(1).1 } else { between };
        if name == AuthenticationName::SignedHeaders {
            sink.put(between.split_at(between.len() - 1).0);
            return fields.put_names(b'=', Separator::Escaped, sink);
        }
        sink.put(between);
        match name {
            AuthenticationName::Algorithm => sink.put(ALGORITHM.as_bytes()),
            AuthenticationName::Credential => match self.credential {
                Some(escaped) => sink.put(escaped),
                None => {
                    encoded(self.access_key_id.as_bytes(), sink);
                    encoded(b"/", sink);
                    self.scope.each_piece(|piece| encoded(piece, sink));
                }
            },
            AuthenticationName::Date => sink.put(self.timestamp.as_bytes()),
            AuthenticationName::Expires => put_decimal(u64::from(self.expires), sink),
            AuthenticationName::SecurityToken | AuthenticationName::S3SessionToken => {
                if let Some((_, token)) = self.token {
                    encoded(token.as_bytes(), sink);
                }
            }
            // The one is put above, the other never part of what is signed.
            AuthenticationName::SignedHeaders | AuthenticationName::Signature => {}
        }
    }
}

/// Values that we write ourselves are not encoded yet.
pub(super) const VALUE: Part = Part::Query(PlusSign::Literal);

/// Puts the signature behind other parameters.
#[inline(always)]
pub(crate) fn put_signature(signature: &Signature, sink: &mut impl Sink) {
    sink.put(AuthenticationName::Signature.between().as_bytes());
    sink.put(signature.as_hex());
}

/// Puts a token behind other parameters.
pub(crate) fn put_token(token: SessionTokenField, value: &str, sink: &mut impl Sink) {
    sink.put(token.parameter().between().as_bytes());
    encode(value.as_bytes(), VALUE, sink);
}

/// A parameter of the query that a signature covers, decoded.
///
/// ```
/// # use countersign::*;
/// # fn look(verified: &Verified<'_>) {
/// for parameter in verified.query() {
///     if parameter.name == "versionId" {
///         println!("version {}", parameter.value);
///     }
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SignedParameter<'r> {
    /// The name.
    pub name: SignedText<'r>,
    /// The value; empty if there was none.
    pub value: SignedText<'r>,
}

/// A piece of a signed query, decoded while it is read.
///
/// `Display` shows bytes that are not UTF-8 as U+FFFD.
#[derive(Clone, Copy)]
pub struct SignedText<'r> {
    raw: &'r [u8],
    plus: PlusSign,
}

impl<'r> SignedText<'r> {
    pub(crate) const fn new(raw: &'r [u8], plus: PlusSign) -> Self {
        Self { raw, plus }
    }

    const fn decoded(&self) -> Decoded<'r> {
        Decoded::of_query(self.raw, self.plus)
    }

    /// The decoded bytes.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + Clone + use<'r> {
        self.decoded()
    }

    /// Hands over the decoded bytes, piece by piece.
    pub fn pieces(&self, each: impl FnMut(&[u8])) {
        self.decoded().each_piece(each);
    }

    /// Whether it is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The decoded bytes.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn to_vec(&self) -> alloc::vec::Vec<u8> {
        let mut bytes = alloc::vec::Vec::with_capacity(self.raw.len());
        self.pieces(|piece| bytes.extend_from_slice(piece));
        bytes
    }
}

impl PartialEq<str> for SignedText<'_> {
    fn eq(&self, other: &str) -> bool {
        self.bytes().eq(other.bytes())
    }
}

impl PartialEq<&str> for SignedText<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl fmt::Display for SignedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown::with(f, |shown| show_decoded(self.decoded(), shown))
    }
}

impl fmt::Debug for SignedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedText({self})")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Fields, PlusSign, Query, SignedText};
    use crate::canonical::headers::Order;
    use crate::request::{Limits, RequestError};
    use std::string::String;
    use std::vec::Vec;

    struct Text(String);

    impl super::Sink for Text {
        fn put(&mut self, bytes: &[u8]) {
            self.0.push_str(core::str::from_utf8(bytes).expect("canonical forms are ASCII"));
        }
    }

    fn canonical(raw: &str, plus: PlusSign) -> Result<String, RequestError> {
        let mut text = Text(String::new());
        let query = Query::parse(raw, plus, &Limits::DEFAULT)?;
        query.put(None, &Fields::in_order(&[], None, &Order::EMPTY), &mut text);
        Ok(text.0)
    }

    #[test]
    fn canonical_queries() {
        for (raw, expected) in [
            ("", ""),
            ("&&", ""),
            ("acl", "acl="),
            ("delete=", "delete="),
            ("=x", "=x"),
            ("a==b", "a=%3Db"),
            ("b=1&a=2&&a=1", "a=1&a=2&b=1"),
            ("Param-3=3&Param=2&%E1%88%B4=1", "%E1%88%B4=1&Param=2&Param-3=3"),
            ("prefix=a+b%2B&x=%7e%2f/?", "prefix=a%20b%2B&x=~%2F%2F%3F"),
            ("a=~&a=%2F&a=A&a=a&a=", "a=&a=%2F&a=A&a=a&a=~"),
            ("ab=1&a=2", "a=2&ab=1"),
            // Alike for fifteen bytes and for thirty, some written otherwise.
            (
                "response-content-b=1&response-content-%61b=2&response-content-a=3&response-conten=4",
                "response-conten=4&response-content-a=3&response-content-ab=2&response-content-b=1",
            ),
            (
                "x-amz-meta-thirty-bytes-long-ax=1&x-amz-meta-thirty-bytes-long-aa=2\
                 &x-amz-meta-thirty-bytes-long-a=3&x-amz-meta-thirty-bytes-long-aa=1&x-amz-meta-thirty=4",
                "x-amz-meta-thirty=4&x-amz-meta-thirty-bytes-long-a=3\
                 &x-amz-meta-thirty-bytes-long-aa=1&x-amz-meta-thirty-bytes-long-aa=2\
                 &x-amz-meta-thirty-bytes-long-ax=1",
            ),
        ] {
            assert_eq!(canonical(raw, PlusSign::Space).as_deref(), Ok(expected), "{raw}");
        }
        assert_eq!(canonical("a=b+c", PlusSign::Literal).as_deref(), Ok("a=b%2Bc"));
        assert_eq!(canonical("a=%", PlusSign::Space), Err(RequestError::EscapeSyntax));
        assert_eq!(canonical("%4=", PlusSign::Space), Err(RequestError::EscapeSyntax));
    }

    /// Parameters that are found again, for there are too many to keep, stand as they would if there
    /// were few: each name with each other and each value, and sixteen that stand last.
    #[test]
    fn many_are_written_as_few() {
        let last: String = (0..16).map(|nth| std::format!("&~~{nth:02}=")).collect();
        let names = [
            "a",
            "%61",
            "a%20",
            "",
            "response-content-a",
            "response-content-%61b",
            "response-content-ab",
            "response-conten",
            "response-content%2Fa",
            "%E1%88%B4",
            "%e1%88%b4",
        ];
        let values = ["", "=", "=b", "=b=", "=b+c", "=%62", "=%2F", "=%2f", "=/"];
        for (one, other) in names.iter().flat_map(|one| names.iter().map(move |other| (one, other)))
        {
            for (first, second) in values.iter().flat_map(|a| values.iter().map(move |b| (a, b))) {
                let few = std::format!("{one}{first}&{other}{second}&response-content-=1");
                let expected = canonical(&few, PlusSign::Space).expect(&few) + &last;
                let many = std::format!("{few}{last}");
                assert_eq!(canonical(&many, PlusSign::Space).as_ref(), Ok(&expected), "{few}");
            }
        }
    }

    /// The parameters that are covered stand in canonical order, whether the query did or not, and the
    /// signature is none of them, wherever it stands.
    #[test]
    fn what_is_covered_is_sorted() {
        let many: Vec<_> = (0..100).rev().map(|nth| std::format!("{nth:03}=v")).collect();
        let many = many.join("&");
        for raw in [
            "",
            "&&",
            "a=1&b=2",
            "b=2&a=1",
            "&a=1&&b",
            "a=%2f&A=1",
            "a=2&a=1",
            "X-Amz-Signature=0&a=1&b",
            "a=1&b&X-Amz-Signature=0",
            "b=1&X-Amz-Signature=0&a",
            PRESIGNED,
            &many,
        ] {
            let query = Query::parse(raw, PlusSign::Space, &Limits::DEFAULT).expect(raw).kept();
            let pair = |parameter: super::Parameter<'_>| {
                (parameter.name.to_vec(), parameter.value.to_vec())
            };
            let mut expected: Vec<_> = query.sorted().map(pair).collect();
            expected.retain(|(name, _)| name != b"X-Amz-Signature");
            assert_eq!(query.covered().map(pair).collect::<Vec<_>>(), expected, "{raw}");
        }
    }

    /// In pieces or byte by byte, what is decoded is the same.
    #[test]
    fn pieces_make_the_whole() {
        let escapes = "%41+%zz%".repeat(30);
        for raw in ["", "a", "%41", "a%41b", "+%2B+", "%", "%4", "a%4", "%E1%88%B4=x", &escapes] {
            for plus in [PlusSign::Space, PlusSign::Literal] {
                let text = SignedText::new(raw.as_bytes(), plus);
                let mut whole = Vec::new();
                text.pieces(|piece| {
                    assert!(!piece.is_empty());
                    whole.extend_from_slice(piece);
                });
                assert_eq!(whole, text.bytes().collect::<Vec<_>>(), "{raw}");
            }
        }
    }

    const PRESIGNED: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Content-Sha256=UNSIGNED-PAYLOAD\
        &X-Amz-Credential=AKID%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=60&X-Amz-Security-Token=a%2Bb\
        &X-Amz-SignedHeaders=host&X-Amz-Signature=0f&x-id=GetObject";

    /// What is recognized at a look is what any query is read as: each parameter taken out, put
    /// elsewhere, or repeated; each byte changed, and each prefix.
    #[test]
    fn what_is_recognized_is_read_alike() {
        let check = |raw: &str| {
            let mut looked = Query { raw, ..Query::new(PlusSign::Space) };
            let alike = looked.look_behind(0, &Limits::DEFAULT);
            let read = Query::parse(raw, PlusSign::Space, &Limits::DEFAULT);
            match (read, alike) {
                (Ok(read), Ok(())) => {
                    let all = |query: &Query<'_>| {
                        let mut text = Text(String::new());
                        query.put(None, &Fields::in_order(&[], None, &Order::EMPTY), &mut text);
                        let (values, ambiguous) = (query.values, query.ambiguous);
                        let names = (query.may_authenticate, query.authenticates, query.version_2);
                        let form = (query.canonical, query.odd, query.count, query.signature);
                        (text.0, values, query.content, ambiguous, names, form)
                    };
                    assert_eq!(all(&read), all(&looked), "{raw}");
                }
                (read, alike) => assert_eq!(read.err(), alike.err(), "{raw}"),
            }
            let mut query = Query { raw, ..Query::new(PlusSign::Space) };
            query.recognize(Limits::MAX_PARAMETERS);
            query.count
        };
        assert_eq!((check(PRESIGNED), check("x=1")), (8, 0));
        let parameters: Vec<_> = PRESIGNED.split('&').collect();
        for taken in 0..parameters.len() {
            let mut others = parameters.clone();
            let one = others.remove(taken);
            check(&others.join("&"));
            for at in 0..=others.len() {
                let mut moved = others.clone();
                moved.insert(at, one);
                check(&moved.join("&"));
                moved.insert(taken, one);
                check(&moved.join("&"));
            }
        }
        for at in 0..PRESIGNED.len() {
            check(&PRESIGNED[..at + 1]);
            for other in ["&", "=", "%", "+", "a", "A", "%2F", "%2f", "%41", "/", "#", "\u{e9}", ""]
            {
                check(&[&PRESIGNED[..at], other, &PRESIGNED[at + 1..]].concat());
            }
        }
        let few = Limits { parameters: 6, ..Limits::DEFAULT };
        let refused = Query::parse(PRESIGNED, PlusSign::Space, &few).err();
        assert_eq!(refused, Some(RequestError::TooManyParameters));
        let long = PRESIGNED.replace("a%2Bb", &"a".repeat(1 << 16));
        let refused = Query::parse(&long, PlusSign::Space, &Limits::DEFAULT).err();
        assert_eq!(refused, Some(RequestError::HeadTooLong));
    }

    #[test]
    fn parameters_are_counted() {
        let most = "a&".repeat(Limits::MAX_PARAMETERS);
        assert!(canonical(&most, PlusSign::Space).is_ok());
        let more = most + "b";
        assert_eq!(canonical(&more, PlusSign::Space), Err(RequestError::TooManyParameters));
    }
}
