//! Names and values that a request is kept by, in two pieces of memory: text and places.

use std::vec::Vec;

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
    /// With room for so many pairs of so many bytes.
    pub(super) fn with_room(count: usize, len: usize) -> Self {
        Self { text: Vec::with_capacity(len), places: Vec::with_capacity(count) }
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
    pub(super) fn put_field(&mut self, name: &str, value: &[u8]) {
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
        let mut pairs = Pairs::with_room(2, 8);
        for (name, value) in [("a", "1"), ("A", "2"), ("b", ""), ("b", ""), ("a", "3")] {
            pairs.put_field(name, value.as_bytes());
        }
        pairs.put(|text| text.extend_from_slice(b"a"), |text| text.extend_from_slice(b"4"));
        let expected: [(&[u8], &[u8]); 4] =
            [(b"a", b"1,2"), (b"b", b","), (b"a", b"3"), (b"a", b"4")];
        assert_eq!(pairs.iter().collect::<Vec<_>>(), expected);
    }
}
