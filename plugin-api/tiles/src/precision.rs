//! How many pieces of each factor take part in a product.

/// How close a product is to the exact one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    /// 24 significant bits, as single precision has: three pieces of each factor, the six largest of their products.
    #[default]
    Bits24,
    /// 16 significant bits of each factor: two pieces, the three largest of their products. Half of the work. What is left out
    /// of a product x w is at most 2^-15 |x w|, of either sign: what bf16 alone (8 bits) or F16 (11 bits) lose is larger by far,
    /// and sums over a text hardly show it.
    Bits16,
}

impl Precision {
    /// Pieces of a factor.
    pub(crate) const fn pieces(self) -> usize {
        match self {
            Precision::Bits24 => 3,
            Precision::Bits16 => 2,
        }
    }
}
