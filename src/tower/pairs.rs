//! Names and values that a request is kept by, in two pieces of memory: text and places.

use std::vec::Vec;

/// As many fields as most requests have at most; what is needed to list them is a kibibyte.
const USUAL_FIELDS: usize = 32;

/// Pairs of a name and a value, in the order they were put.
#[derive(Clone, Default)]
pub(super) struct Pairs {
    /// Names and values, one behind the other.
    text: Vec<u8>,
    places: Vec<Place>,
}

/// Where a pair stands.
#[derive(Clone, Copy)]
struct Place {
    begin: usize,
    name_end: usize,
    end: usize,
}

impl Pairs {
    /// Fields in canonical order, those of one name joined. No more room is taken than they need,
    /// for it is kept as long as the request.
    pub(super) fn of_fields<'f>(fields: impl Iterator<Item = (&'f str, &'f [u8])>) -> Self {
        // Set down for a moment: to walk over them a second time would be to sort them again.
        let mut listed = Vec::with_capacity(USUAL_FIELDS);
        listed.extend(fields);
        // A name takes no less room than the comma that stands for it when its field is repeated.
        let len = listed.iter().map(|(name, value)| name.len() + value.len()).sum();
        let (text, places) = (Vec::with_capacity(len), Vec::with_capacity(listed.len()));
        let mut pairs = Self { text, places };
        for (name, value) in listed {
            pairs.put_field(name, value);
        }
        pairs
    }

    /// Puts a pair, whose name and value are written by these.
    pub(super) fn put(
        &mut self,
        name: impl FnOnce(&mut Vec<u8>),
        value: impl FnOnce(&mut Vec<u8>),
    ) {
        let begin = self.text.len();
        name(&mut self.text);
        let name_end = self.text.len();
        value(&mut self.text);
        self.places.push(Place { begin, name_end, end: self.text.len() });
    }

    /// Puts a field; if it has the name of the last one, its value is joined to that one's.
    fn put_field(&mut self, name: &str, value: &[u8]) {
        let last = self.iter().next_back();
        if last.is_some_and(|(last, _)| last.eq_ignore_ascii_case(name.as_bytes()))
            && let Some(place) = self.places.last_mut()
        {
            self.text.push(b',');
            self.text.extend_from_slice(value);
            place.end = self.text.len();
        } else {
            self.put(
                |text| text.extend_from_slice(name.as_bytes()),
                |text| text.extend_from_slice(value),
            );
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> {
        self.places.iter().map(|place| {
            let piece = |begin, end| self.text.get(begin..end).unwrap_or_default();
            (piece(place.begin, place.name_end), piece(place.name_end, place.end))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Pairs;
    use std::vec::Vec;

    #[test]
    fn fields_of_one_name_are_joined() {
        let fields = [("a", "1"), ("A", "2"), ("b", ""), ("b", ""), ("a", "3")];
        let mut pairs =
            Pairs::of_fields(fields.iter().map(|(name, value)| (*name, value.as_bytes())));
        pairs.put(|text| text.extend_from_slice(b"a"), |text| text.extend_from_slice(b"4"));
        let expected: [(&[u8], &[u8]); 4] =
            [(b"a", b"1,2"), (b"b", b","), (b"a", b"3"), (b"a", b"4")];
        assert_eq!(pairs.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn fields_take_the_room_that_they_need() {
        for count in [0, 1, 32, 100] {
            let names: Vec<_> = (0..count).map(|nth| std::format!("x-{nth}")).collect();
            let pairs = Pairs::of_fields(names.iter().map(|name| (name.as_str(), &b"123"[..])));
            let len = names.iter().map(|name| name.len() + 3).sum();
            assert_eq!((pairs.text.len(), pairs.text.capacity()), (len, len));
            assert_eq!((pairs.places.len(), pairs.places.capacity()), (count, count));
        }
    }
}
