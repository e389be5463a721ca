//! Canonical headers and the list of signed headers.
//!
//! Names are compared and written in lower case; repeated fields make one line, joined with `,` in
//! the order they came. Values lose the blanks around them, runs of spaces become one, and a line
//! fold becomes one space. Tabs inside a value stay, as does every other byte.
//!
//! AWS IAM User Guide, "Create a signed AWS API request": canonical headers, signed headers; RFC
//! 9112 section 5.2 (line folding); RFC 9113 section 8.3.1 (`:authority`).

use core::cmp::Ordering;

use super::Sink;
use super::added::{Added, Additions};
use crate::bounded::Bounded;
use crate::bytes::{self, Lanes, Lowered, Text, others};
use crate::request::{Header, Known, Limits, RequestError, Wire, is_token, trim};

const MAX_FIELDS: usize = Limits::MAX_HEADERS + Added::COUNT;

/// Fields in canonical order: by name, those of one name as they came.
///
/// The order is the caller's to hold: it is larger than all else, and is not moved.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    wire: &'a [Header<'a>],
    /// Fields that are signed with those of the wire but do not stand there yet.
    added: Option<&'a Additions<'a>>,
    order: &'a Order,
    /// Which of the first 64 of the wire have values that are canonical, by bits; of others, this
    /// is not known.
    canonical: u64,
    /// The list of names, if it came along in its canonical form.
    list: Option<&'a [u8]>,
}

/// The fields that a list of signed headers names, found by it whenever they are asked for.
#[derive(Clone, Copy)]
pub(crate) struct Covered<'a> {
    wire: &'a [Header<'a>],
    list: &'a [u8],
    host: Host,
}

impl<'a> Covered<'a> {
    /// For a list that was read, and covers what it must.
    pub(crate) const fn new(wire: &'a [Header<'a>], list: &'a [u8], host: Host) -> Self {
        Self { wire, list, host }
    }

    /// All fields that came, the signed ones among them.
    pub(crate) const fn all(&self) -> &'a [Header<'a>] {
        self.wire
    }

    /// The fields with one name, in the order they came; none if the list does not name it.
    pub(crate) fn fields(&self, name: &str) -> impl Iterator<Item = &'a Header<'a>> {
        let fields = self.named(name.as_bytes());
        // Most names that are asked for have no field, which is sooner seen.
        let covered = fields.clone().next().is_some() && self.names(name);
        fields.take_while(move |_| covered)
    }

    /// Whether the list names a field.
    #[cfg(feature = "checksums")]
    pub(crate) fn covers(&self, header: &Header<'_>) -> bool {
        self.host.picks(header) && self.names(canonical_name(header.name))
    }

    /// All fields in canonical order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a Header<'a>> {
        let (wire, order) = (self.wire, self.order());
        (0..).map_while(move |nth| wire.get(usize::from(*order.indices.as_slice().get(nth)?)))
    }

    fn names(&self, name: &str) -> bool {
        names(self.list).any(|listed| listed.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// The fields with a name, whether the list has it or not.
    fn named<'n>(
        &self,
        name: &'n [u8],
    ) -> impl Iterator<Item = &'a Header<'a>> + Clone + use<'a, 'n> {
        let host = self.host;
        self.wire.iter().filter(move |header| {
            let own = canonical_name(header.name).as_bytes();
            // Most differ in their length.
            own.len() == name.len() && own.eq_ignore_ascii_case(name) && host.picks(header)
        })
    }

    /// The order in which the fields are written.
    pub(crate) fn order(&self) -> Order {
        let (wire, mut order) = (Wire::new(self.wire), Order::EMPTY);
        if Fields::listed(&wire, self.list, |_| false, &mut order).is_none() {
            let signed = core::str::from_utf8(self.list).ok().and_then(SignedHeaders::parse);
            // This succeeded before.
            if let Some(signed) = signed {
                let _ = Fields::select(&wire, self.host, signed, |_| false, &mut order);
            }
        }
        order
    }
}

/// An order of fields, without the fields.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    /// Indices of those of the wire, and behind them those of what is added.
    indices: Bounded<u8, MAX_FIELDS>,
    /// Whether a name stands more than once.
    repeats: bool,
}

/// The name under which a field is signed: HTTP/2's authority is the host.
#[inline(always)]
pub(crate) fn canonical_name(name: &str) -> &str {
    if name == ":authority" { "host" } else { name }
}

/// Why the signed headers of a request do not cover what they must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CoverageError {
    /// A name of the list has no field.
    Missing,
    /// A field that must be signed is not.
    Unsigned,
}

impl<'a> Fields<'a> {
    /// Checks and sorts the fields of a request, and finds the one host.
    #[inline(always)]
    pub(crate) fn collect(
        wire: &Wire<'a>,
        authority: Option<&str>,
        order: &'a mut Order,
    ) -> Result<Self, RequestError> {
        Self::collect_some(wire, authority, |_| true, None, order)
    }

    /// The same for the fields that `is_signed` picks, and those that will be added to them.
    #[inline(always)]
    pub(crate) fn collect_some(
        wire: &Wire<'a>,
        authority: Option<&str>,
        is_signed: impl Fn(&str) -> bool,
        added: Option<&'a Additions<'a>>,
        order: &'a mut Order,
    ) -> Result<Self, RequestError> {
        let host = Host::settle(wire, authority)?;
        let Wire { headers: wire, canonical, .. } = *wire;
        if let ([_], None) = (wire, added) {
            // There is a host, and it is always signed: this is it. Nothing is left to sort, as in
            // most presigned URLs.
            order.hold_one();
            return Ok(Self { wire, added, order, canonical, list: Some(b"host") });
        }
        order.sort(wire, host, is_signed, added);
        Ok(Self { wire, added, order, canonical, list: None })
    }

    /// Fields that were collected before, in the order found then.
    pub(crate) const fn in_order(
        wire: &'a [Header<'a>],
        added: Option<&'a Additions<'a>>,
        order: &'a Order,
    ) -> Self {
        Self { wire, added, order, canonical: 0, list: None }
    }

    /// The same, with the list of their names as it has been written.
    #[inline(always)]
    pub(crate) const fn with_list(self, list: &'a [u8]) -> Self {
        Self { list: Some(list), ..self }
    }

    /// The fields that a list names, in its order. `None` says nothing of the list; but if there are
    /// fields, it is sorted and unique, names `host`, and leaves no field out that `must_sign`.
    ///
    /// Nothing of the list is looked for: the names of the fields tell where its own should end.
    #[inline(always)]
    pub(crate) fn listed(
        wire: &Wire<'a>,
        list: &'a [u8],
        must_sign: impl Fn(&str) -> bool,
        order: &'a mut Order,
    ) -> Option<Self> {
        let headers = wire.headers;
        let mut left = match headers.len() {
            len @ 1..=64 if wire.usual_names => u64::MAX >> (64 - len),
            _ => return None,
        };
        order.clear();
        let (mut next, mut before, mut before_key, mut rest) = (0, &[][..], 0, list);
        loop {
            let is_next = |header: &Header<'_>| {
                let name = header.name.as_bytes();
                match rest.split_at_checked(name.len()) {
                    Some((head, [] | [b';', ..])) => bytes::lowers_to(name, head),
                    _ => false,
                }
            };
            let index = find_from(headers, next, is_next)?;
            let (name, behind) = rest.split_at_checked(headers.get(index)?.name.len())?;
            let key = bytes::key(name);
            if key < before_key || key == before_key && before >= name {
                return None;
            }
            left &= !(1 << index);
            // There is room: it is that of all fields.
            let _ = order.indices.push(index as u8);
            (next, before, before_key) = (index + 1, name, key);
            match behind.split_first() {
                Some((_, behind)) => rest = behind,
                None => break,
            }
        }
        // Who signed is told by a field that is no part of what was signed.
        if let Some(index) = wire.index(Known::Authorization) {
            left &= !(1 << index);
        }
        let host = wire.index(Known::Host).filter(|_| wire.index(Known::Authority).is_none())?;
        if left >> host & 1 != 0 {
            return None;
        }
        while let Some(header) = headers.get(left.trailing_zeros() as usize) {
            left &= left - 1;
            let is_same = |index: &u8| {
                let signed = headers.get(usize::from(*index));
                signed.is_some_and(|signed| signed.name.eq_ignore_ascii_case(header.name))
            };
            if must_sign(header.name) || order.indices.as_slice().iter().any(is_same) {
                return None;
            }
        }
        let canonical = wire.canonical;
        Some(Self { wire: headers, added: None, order, canonical, list: Some(list) })
    }

    /// The fields that `signed` names, if they cover what must be covered: every name has its
    /// field, and no field that `must_sign` is left out.
    #[inline(never)]
    pub(crate) fn select(
        wire: &Wire<'a>,
        host: Host,
        signed: SignedHeaders<'a>,
        must_sign: impl Fn(&str) -> bool,
        order: &'a mut Order,
    ) -> Result<Self, CoverageError> {
        // More names than fields have none of their own; so the work that follows has a bound.
        if signed.names().nth(wire.headers.len()).is_some() {
            return Err(CoverageError::Missing);
        }
        order.sort(wire.headers, host, |_| true, None);
        order.keep(wire.headers, signed, must_sign)?;
        let Wire { headers: wire, canonical, .. } = *wire;
        Ok(Self { wire, added: None, order, canonical, list: signed.canonical() })
    }

    /// All fields of the wire in canonical order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a Header<'a>> + '_ {
        let indices = self.order.indices.as_slice().iter();
        indices.filter_map(|index| self.wire.get(usize::from(*index)))
    }

    /// The fields of the wire with one name, in the order they came.
    pub(crate) fn fields<'s>(
        &'s self,
        name: &'s str,
    ) -> impl Iterator<Item = &'a Header<'a>> + use<'s, 'a> {
        self.iter().filter(move |header| canonical_name(header.name).eq_ignore_ascii_case(name))
    }

    /// The names in canonical order, each once, in the case they came in.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        let mut before = None;
        self.order.indices.as_slice().iter().filter_map(move |index| {
            let name = name_of(self.wire, *index);
            (!self.is_repetition(before.replace(name), name)).then_some(name)
        })
    }

    /// Whether a field belongs to the line of the one before it.
    #[inline(always)]
    fn is_repetition(&self, before: Option<&str>, name: &str) -> bool {
        self.order.is_repetition(before, name)
    }

    /// Puts a line for each name, and hands over the name behind it.
    #[inline(always)]
    pub(super) fn put_lines(&self, sink: &mut impl Sink, mut put_name: impl FnMut(&Lowered<'_>)) {
        if self.order.repeats {
            return self.put_joined(sink, put_name);
        }
        for index in self.order.indices.as_slice() {
            sink.advance();
            match (self.wire.get(usize::from(*index)), self.added) {
                (Some(header), _) => {
                    let name = Lowered::new(canonical_name(header.name).as_bytes());
                    self.put_field(&name, *index, header, sink);
                    put_name(&name);
                }
                (None, Some(additions)) => {
                    let added = Added::of(self.wire.len(), *index);
                    let name = Lowered::new(added.name().as_bytes());
                    if added == Added::Trailer {
                        put_line(&name, additions.value(added), sink);
                    } else {
                        sink.put_line(&name, additions.value(added));
                    }
                    put_name(&name);
                }
                (None, None) => {}
            }
        }
    }

    /// Puts a line for each name, as it stands in the list if that came along.
    #[inline(always)]
    pub(super) fn put_listed(&self, sink: &mut impl Sink) {
        let (Some(list), false) = (self.list, self.order.repeats) else {
            return self.put_lines(sink, |_| ());
        };
        let mut start = 0;
        for index in self.order.indices.as_slice() {
            sink.advance();
            let Some(header) = self.wire.get(usize::from(*index)) else { continue };
            let end = start + canonical_name(header.name).len();
            self.put_field(&list.get(start..end).unwrap_or_default(), *index, header, sink);
            start = end + 1;
        }
    }

    /// Puts the line of a field that stands alone.
    #[inline(always)]
    fn put_field(&self, name: &impl Text, index: u8, header: &Header<'_>, sink: &mut impl Sink) {
        if self.canonical.unbounded_shr(u32::from(index)) & 1 != 0 {
            return sink.put_line(name, header.value);
        }
        put_line(name, header.value, sink);
    }

    /// Puts a line for each name, where fields have to be joined.
    #[inline(never)]
    fn put_joined(&self, sink: &mut impl Sink, mut put_name: impl FnMut(&Lowered<'_>)) {
        let mut before = None;
        for index in self.order.indices.as_slice() {
            let name = name_of(self.wire, *index);
            if self.is_repetition(before, name) {
                sink.put(b",");
            } else {
                if before.is_some() {
                    sink.put(b"\n");
                }
                let name = Lowered::new(name.as_bytes());
                sink.put_name(&name);
                sink.put(b":");
                put_name(&name);
            }
            match (self.wire.get(usize::from(*index)), self.added) {
                (Some(header), _) => put_value(header.value, sink),
                (None, Some(additions)) => {
                    put_value(additions.value(Added::of(self.wire.len(), *index)), sink);
                }
                (None, None) => {}
            }
            before = Some(name);
        }
        sink.put(b"\n");
    }

    /// Puts the list of names, and an ASCII character before it.
    #[inline(always)]
    pub(crate) fn put_names(&self, lead: u8, separator: Separator, sink: &mut impl Sink) {
        // One name has no separator.
        let is_one = self.order.indices.as_slice().len() == 1;
        match self.list {
            Some(list) if is_one || separator == Separator::Semicolon => {
                sink.put(&[lead]);
                return sink.put(list);
            }
            _ => {}
        }
        self.order.put_names(self.wire, lead, separator, sink);
    }
}

impl Order {
    /// That of no fields.
    pub(crate) const EMPTY: Self = Self { indices: Bounded::filled_with(0), repeats: false };

    #[inline(always)]
    fn clear(&mut self) {
        self.indices.clear();
        self.repeats = false;
    }

    /// That of one field.
    #[inline(always)]
    fn hold_one(&mut self) {
        self.indices.clear();
        // There is room: it is that of all fields.
        let _ = self.indices.push(0);
        self.repeats = false;
    }

    /// Finds that of the fields of a request that can be signed and that `is_signed` picks, and of
    /// those that will be added to them.
    #[inline(always)]
    fn sort(
        &mut self,
        wire: &[Header<'_>],
        host: Host,
        is_signed: impl Fn(&str) -> bool,
        added: Option<&Additions<'_>>,
    ) {
        let picked = |header: &Header<'_>| is_signed(header.name) && host.picks(header);
        match wire.len() + if added.is_some() { Added::COUNT } else { 0 } {
            0..=FEW => self.sort_up_to::<FEW>(wire, picked, added),
            _ => self.sort_up_to::<MAX_FIELDS>(wire, picked, added),
        }
    }

    /// Leaves the fields that `signed` names.
    ///
    /// Both sides are sorted, so one walk over both answers all three questions.
    fn keep(
        &mut self,
        wire: &[Header<'_>],
        signed: SignedHeaders<'_>,
        must_sign: impl Fn(&str) -> bool,
    ) -> Result<(), CoverageError> {
        let mut left_out = Ok(());
        let mut kept = 0;
        let mut listed = names(signed.list.as_bytes());
        let mut next = listed.next();
        let mut before = None;
        for nth in 0..self.indices.as_slice().len() {
            let Some(index) = self.indices.as_slice().get(nth).copied() else { break };
            let name = name_of(wire, index);
            if next.is_some_and(|next| bytes::lowers_to(name.as_bytes(), next)) {
                next = listed.next();
            } else if !self.is_repetition(before, name) {
                if must_sign(name) {
                    left_out = Err(CoverageError::Unsigned);
                }
                continue;
            }
            // No more are kept than were there.
            if let Some(place) = self.indices.as_mut_slice().get_mut(kept) {
                *place = index;
            }
            kept += 1;
            before = Some(name);
        }
        // A name that is passed over is not met again.
        if next.is_some() {
            return Err(CoverageError::Missing);
        }
        left_out?;
        self.indices.truncate(kept);
        Ok(())
    }

    /// Whether a field has the name of the one before it.
    #[inline(always)]
    fn is_repetition(&self, before: Option<&str>, name: &str) -> bool {
        self.repeats && before.is_some_and(|before| compare_names(before, name).is_eq())
    }

    /// Puts the names of fields that stand in this order, each once.
    #[inline(always)]
    pub(crate) fn put_names(
        &self,
        wire: &[Header<'_>],
        lead: u8,
        separator: Separator,
        sink: &mut impl Sink,
    ) {
        let (mut lead, mut before) = (lead, None);
        for index in self.indices.as_slice() {
            let name = name_of(wire, *index);
            if self.repeats && self.is_repetition(before.replace(name), name) {
                continue;
            }
            let name = Lowered::new(name.as_bytes());
            match (separator, lead) {
                (Separator::Escaped, b';') => {
                    sink.put(b"%3");
                    sink.put_led_name(b'B', &name);
                }
                _ => sink.put_led_name(lead, &name),
            }
            lead = b';';
        }
    }

    /// Finds that of up to `N` fields: by name, those of one name as they come.
    #[inline(always)]
    fn sort_up_to<const N: usize>(
        &mut self,
        wire: &[Header<'_>],
        picked: impl Fn(&Header<'_>) -> bool,
        added: Option<&Additions<'_>>,
    ) {
        let (mut keys, mut count) = ([0; N], 0);
        let (mut before, mut in_order) = (0, true);
        let mut add = |key: u128, index: usize| {
            let key = key & !INDEX | index as u128;
            // Those that begin alike are in no order yet.
            in_order &= before | INDEX < key;
            before = key;
            // There is room: it is that of all fields.
            if let Some(place) = keys.get_mut(count) {
                *place = key;
                count += 1;
            }
        };
        for (index, header) in wire.iter().enumerate() {
            if picked(header) {
                add(bytes::long_lower_key(canonical_name(header.name).as_bytes()), index);
            }
        }
        if let Some(additions) = added {
            for added in additions.iter() {
                add(added.key(), wire.len() + added as usize);
            }
        }
        let keys = keys.get_mut(..count).unwrap_or_default();
        self.repeats = !in_order && sort_keys(wire, keys);
        self.indices.replace_with(keys.iter().map(|key| (key & INDEX) as u8));
    }
}

/// Sorts keys of fields, and says whether a name stands more than once.
fn sort_keys(wire: &[Header<'_>], keys: &mut [u128]) -> bool {
    keys.sort_unstable();
    // Those that begin alike are told apart by the rest.
    let name = |key: &u128| name_of(wire, (key & INDEX) as u8);
    let alike = |a: &u128, b: &u128| a & !INDEX == b & !INDEX;
    if !keys.windows(2).any(|pair| matches!(pair, [a, b] if alike(a, b))) {
        return false;
    }
    let order = |a: &u128, b: &u128| {
        (a & !INDEX)
            .cmp(&(b & !INDEX))
            .then_with(|| compare_names(name(a), name(b)))
            .then_with(|| a.cmp(b))
    };
    keys.sort_unstable_by(order);
    let same = |a: &u128, b: &u128| alike(a, b) && compare_names(name(a), name(b)).is_eq();
    keys.windows(2).any(|pair| matches!(pair, [a, b] if same(a, b)))
}

/// The bits of a field's key that are its index; those above are the first fifteen bytes of its name.
const INDEX: u128 = 0xff;

/// As many fields as most requests have, with those that are added.
const FEW: usize = 32;

/// The one field that names the host.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// `host`; an `:authority` says the same and is passed over.
    Field,
    /// `:authority`.
    Authority,
}

impl Host {
    /// Whether a field is one of those that can be signed: there is one host.
    #[inline(always)]
    fn picks(self, header: &Header<'_>) -> bool {
        self == Self::Authority || header.name != ":authority"
    }

    /// Finds the one host of well-formed fields, given by one field or by a field and `:authority`
    /// alike.
    #[inline(always)]
    pub(crate) fn settle(wire: &Wire<'_>, authority: Option<&str>) -> Result<Self, RequestError> {
        wire.check()?;
        let once = wire.index(Known::Host).is_some() && !wire.is_repeated(Known::Host);
        if once && wire.index(Known::Authority).is_none() && authority.is_none() {
            return Ok(Self::Field);
        }
        Self::settle_some(wire, authority)
    }

    /// The same for those that are not named once, by a field.
    #[inline(never)]
    fn settle_some(wire: &Wire<'_>, authority: Option<&str>) -> Result<Self, RequestError> {
        if wire.is_repeated(Known::Host) || wire.is_repeated(Known::Authority) {
            return Err(RequestError::HeaderRepeated);
        }
        let (host, other) = (wire.first(Known::Host), wire.first(Known::Authority));
        let one = host.or(other).ok_or(RequestError::HostMissing)?;
        let conflicts = |name: &[u8]| !trim(name).eq_ignore_ascii_case(trim(one.value));
        if host.and(other).is_some_and(|other| conflicts(other.value))
            || authority.is_some_and(|authority| conflicts(authority.as_bytes()))
        {
            return Err(RequestError::HostConflict);
        }
        Ok(if host.is_some() { Self::Field } else { Self::Authority })
    }
}

/// Where such a field stands; `next` is where to look first.
#[inline(always)]
fn find_from(
    headers: &[Header<'_>],
    next: usize,
    wanted: impl Fn(&Header<'_>) -> bool,
) -> Option<usize> {
    if headers.get(next).is_some_and(&wanted) {
        return Some(next);
    }
    let (before, behind) = headers.split_at_checked(next)?;
    let behind = behind.iter().position(&wanted).map(|at| next + at);
    behind.or_else(|| before.iter().position(&wanted))
}

/// The name under which the field with this index is signed.
#[inline(always)]
fn name_of<'a>(wire: &[Header<'a>], index: u8) -> &'a str {
    match wire.get(usize::from(index)) {
        Some(header) => canonical_name(header.name),
        None => Added::of(wire.len(), index).name(),
    }
}

/// The order of two names, whatever case they are in.
#[inline(always)]
fn compare_names(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let order = key(a).cmp(&key(b));
        if order.is_ne() || a.len().max(b.len()) <= 8 {
            return order;
        }
        a = a.get(8..).unwrap_or_default();
        b = b.get(8..).unwrap_or_default();
    }
}

/// The order of two names in lower case.
#[inline(always)]
fn compare_lower(a: &[u8], b: &[u8]) -> Ordering {
    bytes::key(a).cmp(&bytes::key(b)).then_with(|| a.cmp(b))
}

/// The first eight bytes of a name in lower case: a number with the order of the text. No name has
/// the zeros that stand behind a shorter one.
#[inline(always)]
fn key(name: &[u8]) -> u64 {
    bytes::lower_key(name)
}

/// Puts a field, whatever blanks are in its value.
#[inline(always)]
fn put_line(name: &impl Text, value: &[u8], sink: &mut impl Sink) {
    sink.put_name(name);
    sink.put(b":");
    put_value(value, sink);
    sink.put(b"\n");
}

#[inline(always)]
fn put_value(value: &[u8], sink: &mut impl Sink) {
    let value = trim(value);
    if bytes::none(value, |lanes| lanes.is_in(0, b' ')) {
        sink.put(value);
    } else {
        put_blanks(value, sink);
    }
}

/// Puts a value that has blanks inside.
#[inline(never)]
fn put_blanks(value: &[u8], sink: &mut impl Sink) {
    let mut rest = value;
    while !rest.is_empty() {
        // Up to and with the next single space, or up to a longer run or a fold.
        let blank = |byte: &u8| matches!(byte, b' ' | b'\r' | b'\n');
        let mut run = 0;
        while let Some(at) = rest.get(run..).and_then(|tail| tail.iter().position(blank)) {
            run += at;
            match rest.get(run..) {
                Some([b' ', next, ..]) if !blank(next) => run += 1,
                _ => break,
            }
        }
        let at_blank = rest.get(run).is_some_and(blank);
        let (text, blanks) = rest.split_at(if at_blank { run } else { rest.len() });
        sink.put(text);
        rest = after_blanks(blanks);
        if !blanks.is_empty() {
            sink.put(b" ");
        }
    }
}

/// What follows a run of spaces and line folds; a fold takes the blanks behind it along.
fn after_blanks(mut rest: &[u8]) -> &[u8] {
    let mut folded = false;
    while let [byte, after @ ..] = rest {
        match byte {
            b'\r' | b'\n' => folded = true,
            b' ' => {}
            b'\t' if folded => {}
            _ => break,
        }
        rest = after;
    }
    rest
}

/// What stands between the names of a list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Separator {
    /// `;`, in the canonical request and in a header.
    Semicolon,
    /// `%3B`, in a URL.
    Escaped,
}

/// A list of signed headers as a request carries it: lower case, sorted, each name once.
#[derive(Clone, Copy)]
pub(crate) struct SignedHeaders<'a> {
    list: &'a str,
    /// Whether a separator is written as an escape.
    escaped: bool,
    /// Whether one of the names is `host`.
    host: bool,
}

impl<'a> SignedHeaders<'a> {
    /// Reads a list whose separators are `;` or, in a query, `%3B`; `None` if it is not sorted and
    /// unique or holds anything but lower-case names.
    pub(crate) fn parse(list: &'a str) -> Option<Self> {
        let unusual = |lanes: Lanes| {
            let name = lanes.is_in(b'a', b'z') | lanes.is_in(b'0', b'9') | lanes.is(b'-');
            others(name | lanes.is(b';'))
        };
        let usual = bytes::none(list.as_bytes(), unusual);
        let parsed = Self { list, escaped: !usual && list.contains('%'), host: false };
        let well_formed = |byte| is_token(byte) && byte != b'%' && !byte.is_ascii_uppercase();
        let (mut host, mut before) = (false, "");
        for name in parsed.names() {
            // The empty name comes before all others, so that no name is empty either.
            if compare_lower(before.as_bytes(), name.as_bytes()).is_ge()
                || !(usual || name.bytes().all(well_formed))
            {
                return None;
            }
            host |= name == "host";
            before = name;
        }
        Some(Self { host, ..parsed })
    }

    pub(crate) fn names(self) -> impl Iterator<Item = &'a str> + Clone {
        let name = |name| core::str::from_utf8(name).unwrap_or_default();
        names(self.list.as_bytes()).map(name)
    }

    /// The list in its canonical form, if it is written so.
    fn canonical(self) -> Option<&'a [u8]> {
        (!self.escaped).then_some(self.list.as_bytes())
    }

    /// Whether the separator of a query stands in it.
    pub(crate) const fn is_escaped(self) -> bool {
        self.escaped
    }

    pub(crate) const fn names_host(self) -> bool {
        self.host
    }

    pub(crate) fn contains(self, name: &str) -> bool {
        self.names().any(|listed| listed.eq_ignore_ascii_case(name))
    }
}

/// The names of a list.
fn names(list: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let mut rest = Some(list);
    core::iter::from_fn(move || {
        let (name, behind) = split_escaped(rest?);
        rest = behind;
        Some(name)
    })
}

/// The first name of a list, maybe with escapes, and the rest.
fn split_escaped(list: &[u8]) -> (&[u8], Option<&[u8]>) {
    let separator = bytes::position(list, |lanes| lanes.is(b';') | lanes.is(b'%'));
    let (name, tail) = list.split_at(separator.unwrap_or(list.len()));
    match tail {
        [] => (name, None),
        [b'%', b'3', b'B' | b'b', behind @ ..] | [b';', behind @ ..] => (name, Some(behind)),
        // Another escape: part of no name, so the list is not well formed.
        _ => (b"%", None),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{CoverageError, Covered, Fields, Host, Order, SignedHeaders};
    use crate::request::{Header, RequestError, Wire};
    use std::string::String;
    use std::vec::Vec;

    struct Text(Vec<u8>);

    impl super::Sink for Text {
        fn put(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }

    fn lines(headers: &[(&str, &[u8])]) -> Result<String, RequestError> {
        let headers: Vec<_> = headers.iter().map(|(name, value)| Header { name, value }).collect();
        let mut text = Text(Vec::new());
        let mut order = Order::EMPTY;
        Fields::collect(&Wire::new(&headers), None, &mut order)?.put_lines(&mut text, |_| ());
        Ok(String::from_utf8_lossy(&text.0).into_owned())
    }

    const HOST: (&str, &[u8]) = ("Host", b"h");

    #[test]
    fn values() {
        for (value, expected) in [
            (&b""[..], ""),
            (b"  \t ", ""),
            (b" a  b   c ", "a b c"),
            (b"\"a   b   c\"", "\"a b c\""),
            (b"a\tb", "a\tb"),
            (b"a \t b", "a \t b"),
            (b"value1\r\n  value2\n\t value3", "value1 value2 value3"),
            (b"a  \r\n b", "a b"),
            (b"a\r\n \r\n b", "a b"),
            (b"caf\xc3\xa9\xff", "caf\u{e9}\u{fffd}"),
        ] {
            assert_eq!(lines(&[HOST, ("X", value)]), Ok(std::format!("host:h\nx:{expected}\n")));
        }
        for value in [&b"a\nb"[..], b"a\r\nb", b"a\r b", b"a\0", b"\x7f", b"a\n", b"a\r\n"] {
            assert_eq!(lines(&[HOST, ("X", value)]), Err(RequestError::HeaderSyntax), "{value:?}");
        }
    }

    #[test]
    fn names() {
        let long = "X-".repeat(40);
        let all = [("b", &b"1"[..]), HOST, ("A", b"2"), ("B", b" 0 "), (&long, b"3")];
        let expected = std::format!("a:2\nb:1,0\nhost:h\n{}:3\n", long.to_ascii_lowercase());
        assert_eq!(lines(&all), Ok(expected));
        for name in ["", "a b", "a:", ":path", "a\u{e9}", "a\n"] {
            assert_eq!(lines(&[HOST, (name, b"")]), Err(RequestError::HeaderSyntax), "{name}");
        }
    }

    #[test]
    fn hosts() {
        let authority = (":authority", &b"H"[..]);
        assert_eq!(lines(&[]), Err(RequestError::HostMissing));
        assert_eq!(lines(&[HOST, HOST]), Err(RequestError::HeaderRepeated));
        assert_eq!(lines(&[authority, authority]), Err(RequestError::HeaderRepeated));
        assert_eq!(lines(&[authority, HOST, HOST]), Err(RequestError::HeaderRepeated));
        assert_eq!(lines(&[(":authority", b"i"), HOST]), Err(RequestError::HostConflict));
        assert_eq!(lines(&[authority]).as_deref(), Ok("host:H\n"));
        assert_eq!(lines(&[authority, HOST]).as_deref(), Ok("host:h\n"));
        let headers = [Header { name: "host", value: b"h:80" }];
        let collect =
            |host| Fields::collect(&Wire::new(&headers), Some(host), &mut { Order::EMPTY }).err();
        assert_eq!(collect("H:80"), None);
        assert_eq!(collect("h"), Some(RequestError::HostConflict));
    }

    #[test]
    fn lists() {
        for list in ["host", "host;range", "a;b%3Bc%3bd", "x-amz-meta-a_b;x-amz-meta-b"] {
            assert!(SignedHeaders::parse(list).is_some(), "{list}");
        }
        for list in [
            "", ";", "host;", "host;;x", ";host", "Host", "b;a", "a;a", "a b", "a%3b", "a%20",
            "a%", "a%3", "%68ost", "a;\u{e9}",
        ] {
            assert!(SignedHeaders::parse(list).is_none(), "{list}");
        }
    }

    #[test]
    fn coverage() {
        let headers = [
            Header { name: "X-Amz-A", value: b"1" },
            Header { name: "host", value: b"h" },
            Header { name: "x-amz-a", value: b"2" },
            Header { name: "accept", value: b"*" },
        ];
        let select = |list| {
            let list = SignedHeaders::parse(list).expect("a list");
            let must_sign = |name: &str| {
                name == "host" || name.starts_with("x-amz-") || name.starts_with("X-Amz-")
            };
            let (wire, mut order) = (Wire::new(&headers), Order::EMPTY);
            let fields = Fields::select(&wire, Host::Field, list, must_sign, &mut order)?;
            Ok(fields.iter().flat_map(|header| header.value).copied().collect::<Vec<u8>>())
        };
        assert_eq!(select("host;x-amz-a"), Ok(b"h12".to_vec()));
        assert_eq!(select("host"), Err(CoverageError::Unsigned));
        assert_eq!(select("x-amz-a"), Err(CoverageError::Unsigned));
        assert_eq!(select("host;range;x-amz-a"), Err(CoverageError::Missing));
        assert_eq!(select("host;x-amz-a;z"), Err(CoverageError::Missing));
        assert_eq!(select("host;x-amz-a;y;z"), Err(CoverageError::Missing));
        assert_eq!(select("a;b;host;x-amz-a;y;z"), Err(CoverageError::Missing));
    }

    /// A separator is one, escaped or not: no field is called as two names with one between them.
    #[test]
    fn an_escaped_separator_is_in_no_name() {
        let headers = [
            Header { name: "host", value: b"h" },
            Header { name: "if-match%3Brange", value: b"v" },
            Header { name: "range", value: b"r" },
        ];
        let wire = Wire::new(&headers);
        for list in ["host%3bif-match%3brange", "host;if-match%3Brange", "host%3Bif-match;range"] {
            let signed = SignedHeaders::parse(list).expect("a list");
            let mut order = Order::EMPTY;
            let fields = Fields::select(&wire, Host::Field, signed, |_| false, &mut order);
            assert_eq!(fields.err(), Some(CoverageError::Missing), "{list}");
        }
        let covered = Covered::new(&headers, b"host%3brange", Host::Field);
        let names: Vec<_> = covered.iter().map(|header| header.name).collect();
        assert_eq!(names, ["host", "range"]);
        assert_eq!(covered.fields("if-match%3brange").count(), 0);
    }

    /// What is recognized by the fields that came is what the list says: every list of up to three
    /// names against every request of up to four fields.
    #[test]
    fn lists_of_fields_that_came() {
        let fields =
            ["host", "Host", "A", "a-b", "x-amz-a", "Authorization", "a_b", ":authority", "a%3bb"];
        let listed = ["", "host", "Host", "a", "a-b", "x-amz-a", "authorization", "a_b", "a%3bb"];
        let must_sign = |name: &str| name.starts_with("x-amz-") || name.contains('_');
        let mut lists = Vec::new();
        for first in listed {
            lists.push(String::from(first));
            for second in listed {
                lists.push([first, second].join(";"));
                lists.extend(listed.iter().map(|third| [first, second, third].join(";")));
            }
        }
        let written = |fields: &Fields<'_>| {
            let (mut text, mut listed) = (Text(Vec::new()), Text(Vec::new()));
            fields.put_lines(&mut text, |_| ());
            fields.put_listed(&mut listed);
            assert_eq!(text.0, listed.0);
            text.0
        };
        // What an application is told is covered, written as the lines that were signed.
        let seen_lines = |seen: &Covered<'_>| {
            let mut lines = Vec::new();
            let mut before = None;
            for name in seen.iter().map(|header| super::canonical_name(header.name)) {
                let name = name.to_ascii_lowercase();
                if before.replace(name.clone()).is_some_and(|before| before == name) {
                    continue;
                }
                let values: Vec<_> = seen.fields(&name).map(|header| header.value).collect();
                lines.extend_from_slice(name.as_bytes());
                lines.push(b':');
                lines.extend_from_slice(&values.join(&b','));
                lines.push(b'\n');
            }
            lines
        };
        let (mut recognized, mut covered) = (0, 0);
        for nth in 0..fields.len().pow(4) {
            let digit = |place: u32| fields[nth / fields.len().pow(place) % fields.len()];
            let headers: Vec<_> = (0..4)
                .map(|place| Header { name: digit(place), value: b"h" })
                .take(1 + nth % 4)
                .collect();
            let wire = Wire::new(&headers);
            let Ok(host) = Host::settle(&wire, None) else { continue };
            for list in &lists {
                let (mut order, mut usual_order) = (Order::EMPTY, Order::EMPTY);
                let fields = SignedHeaders::parse(list)
                    .filter(|list| list.names_host())
                    .map(|signed| Fields::select(&wire, host, signed, must_sign, &mut order));
                if let Some(Ok(fields)) = &fields {
                    covered += 1;
                    let lines = written(fields);
                    let seen = Covered::new(&headers, list.as_bytes(), host);
                    assert_eq!(seen_lines(&seen), lines, "{list}: {headers:?}");
                }
                let usual = Fields::listed(&wire, list.as_bytes(), must_sign, &mut usual_order);
                let Some(usual) = usual else { continue };
                recognized += 1;
                let Some(Ok(fields)) = fields else { panic!("{list}: {headers:?}") };
                assert_eq!(usual.order.indices, fields.order.indices, "{list}: {headers:?}");
                assert_eq!((usual.list, written(&usual)), (fields.list, written(&fields)));
            }
        }
        assert!(recognized > 1000 && recognized < covered, "{recognized} of {covered}");
    }
}
