//! The block layouts, one type per file: bytes of a block from its weights and back.
//!
//! Layout sizes are checked against the type table at compile time. Scales are stored as little-endian half floats.

pub(crate) mod affine_super;
pub(crate) mod bf16;
pub(crate) mod f16;
pub(crate) mod f32;
pub(crate) mod fifth_bits;
pub(crate) mod four_bit_float;
pub(crate) mod iq1_m;
pub(crate) mod iq1_s;
pub(crate) mod iq2_s;
pub(crate) mod iq2_xs;
pub(crate) mod iq2_xxs;
pub(crate) mod iq3_s;
pub(crate) mod iq3_xxs;
pub(crate) mod iq4_nl;
pub(crate) mod iq4_xs;
pub(crate) mod lattice_super;
pub(crate) mod mxfp4;
pub(crate) mod nvfp4;
pub(crate) mod q1_0;
pub(crate) mod q2_0;
pub(crate) mod q2_k;
pub(crate) mod q3_k;
pub(crate) mod q4_0;
pub(crate) mod q4_1;
pub(crate) mod q4_k;
pub(crate) mod q5_0;
pub(crate) mod q5_1;
pub(crate) mod q5_k;
pub(crate) mod q6_k;
pub(crate) mod q8_0;
pub(crate) mod range;
pub(crate) mod requantize;
pub(crate) mod sign_bits;
pub(crate) mod six_bit_scales;
pub(crate) mod ternary;
pub(crate) mod tq1_0;
pub(crate) mod tq2_0;
pub(crate) mod two_bit_planes;
pub(crate) mod weighted_row;

/// Weights per super-block of the K, IQ and TQ types.
pub(crate) const SUPER: usize = 256;

/// Weights of two super-blocks, which the types with groups of 32 fit at once.
pub(crate) const PAIR: usize = 2 * SUPER;
pub(crate) type Pair = [f32; PAIR];
