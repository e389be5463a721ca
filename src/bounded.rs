//! A sequence with a fixed capacity, on the stack.
//!
//! It knows nothing of what it holds. Crossing the capacity is an error for the caller to name,
//! never a panic: every length in this crate is bounded by something a peer sent.

use core::fmt;
use core::hash::{Hash, Hasher};

use crate::bytes;

/// Up to `N` values of a small type.
#[derive(Clone, Copy)]
pub(crate) struct Bounded<T, const N: usize> {
    items: [T; N],
    len: usize,
}

/// There is no room for one more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Full;

impl<T: Copy, const N: usize> Bounded<T, N> {
    /// An empty sequence; `filler` is what unused places hold.
    pub(crate) const fn filled_with(filler: T) -> Self {
        Self { items: [filler; N], len: 0 }
    }

    #[inline]
    pub(crate) fn push(&mut self, item: T) -> Result<(), Full> {
        *self.items.get_mut(self.len).ok_or(Full)? = item;
        self.len += 1;
        Ok(())
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        self.items.get(self.len).copied()
    }

    /// Holds these values instead, as many of them as have room.
    #[inline]
    pub(crate) fn replace_with(&mut self, items: impl Iterator<Item = T>) {
        let mut len = 0;
        for (place, item) in self.items.iter_mut().zip(items) {
            *place = item;
            len += 1;
        }
        self.len = len;
    }

    /// Forgets all values; what they were stays behind until it is overwritten.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.truncate(0);
    }

    /// Keeps the first `len` values.
    #[inline]
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[T] {
        self.items.get(..self.len).unwrap_or(&self.items)
    }

    #[inline]
    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        let len = self.len.min(N);
        &mut self.items[..len]
    }
}

impl<const N: usize> Bounded<u8, N> {
    /// Adds all of these bytes, or none.
    #[inline]
    pub(crate) fn extend(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let end = self.len + bytes.len();
        bytes::copy(self.items.get_mut(self.len..end).ok_or(Full)?, bytes);
        self.len = end;
        Ok(())
    }

    /// Adds these bytes with ASCII letters in lower case, or none.
    pub(crate) fn extend_lower(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let begin = self.len;
        self.extend(bytes)?;
        if let Some(added) = self.items.get_mut(begin..self.len) {
            added.make_ascii_lowercase();
        }
        Ok(())
    }
}

impl<T: Copy + PartialEq, const N: usize> PartialEq for Bounded<T, N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<T: Copy + Eq, const N: usize> Eq for Bounded<T, N> {}

impl<T: Copy + Hash, const N: usize> Hash for Bounded<T, N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl<T: Copy + fmt::Debug, const N: usize> fmt::Debug for Bounded<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Bounded;

    #[test]
    fn refuses_what_does_not_fit() {
        let mut pair = Bounded::<u8, 2>::filled_with(0);
        assert!(pair.push(1).is_ok() && pair.push(2).is_ok());
        assert!(pair.push(3).is_err());
        assert_eq!(pair.as_slice(), [1, 2]);
        assert!(Bounded::<u8, 2>::filled_with(0).extend(b"abc").is_err());
        assert_eq!((pair.pop(), pair.pop(), pair.pop()), (Some(2), Some(1), None));
    }
}
