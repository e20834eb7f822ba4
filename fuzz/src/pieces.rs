//! Taking an input apart.

/// What is left of an input.
pub(crate) struct Pieces<'a>(&'a [u8]);

impl<'a> Pieces<'a> {
    pub(crate) fn of(data: &'a [u8]) -> Self {
        Pieces(data)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// So many bytes, or all that are left.
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A number; what is missing at the end is 0.
    pub(crate) fn number<const N: usize>(&mut self) -> [u8; N] {
        let mut number = [0; N];
        let taken = self.bytes(N);
        number[..taken.len()].copy_from_slice(taken);
        number
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.number::<1>()[0]
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}
