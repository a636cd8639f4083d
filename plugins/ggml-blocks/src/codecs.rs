//! Which codec belongs to which type, and how rows are cut for it.

use crate::BlockType;
use crate::dispatch::{self, Kernel, Path};
use crate::fit::descent;
use crate::lanes::{GROUPS, Lanes};
use crate::types::{
    bf16, f16, f32 as single, iq1_m, iq1_s, iq2_s, iq2_xs, iq2_xxs, iq3_s, iq3_xxs, iq4_nl, iq4_xs, mxfp4, nvfp4, q1_0,
    q2_0, q2_k, q3_k, q4_0, q4_1, q4_k, q5_0, q5_1, q5_k, q6_k, q8_0, tq1_0, tq2_0,
};
use crate::walk::{Job, Stored, batches, blocks, either, needy, pairs, rows, runs};

/// Writes a kernel per type and the function that picks it. In the code of a line `V` is the kind of lane.
macro_rules! kernels {
    ($(#[$doc:meta])* $pick:ident($work:ident) $($ty:ident: $walk:ident!($($code:expr),*);)*) => {
        $(#[$doc])*
        pub(crate) fn $pick(ty: BlockType, path: Path, work: $work) -> bool {
            $(
                #[allow(non_camel_case_types)]
                struct $ty<'a>($work<'a>);
                impl Kernel for $ty<'_> {
                    #[inline(always)]
                    fn run<V: Lanes>(self) {
                        $walk!(V, self.0, $($code),*);
                    }
                }
            )*
            match ty {
                $(BlockType::$ty => dispatch::run(path, $ty(work)),)*
                _ => return false,
            }
            true
        }
    };
}

kernels! {
    /// Quantizes; false if there is no codec.
    quantize(Job)
    F32: blocks!(single::encode);
    F16: blocks!(f16::encode);
    BF16: blocks!(bf16::encode);
    Q8_0: blocks!(q8_0::encode::<V>);
    Q4_0: rows!(q4_0::encode::<V>, q4_0::encode_row_weighted::<V>);
    Q4_1: rows!(q4_1::encode::<V>, q4_1::encode_row_weighted::<V>);
    Q5_0: rows!(q5_0::encode::<V>, q5_0::encode_row_weighted::<V>);
    Q5_1: rows!(q5_1::encode::<V>, q5_1::encode_row_weighted::<V>);
    Q2_K: batches!(GROUPS, q2_k::encode::<V>, q2_k::encode_weighted::<V>);
    Q3_K: batches!(descent::SUPERS, q3_k::encode::<V>, q3_k::encode_weighted::<V>);
    Q4_K: pairs!(q4_k::encode::<V>);
    Q5_K: pairs!(q5_k::encode::<V>);
    Q6_K: either!(q6_k::encode::<V>);
    IQ1_S: pairs!(iq1_s::encode::<V>);
    IQ1_M: either!(iq1_m::encode::<V>);
    IQ2_XXS: needy!(iq2_xxs::encode::<V>);
    IQ2_XS: needy!(iq2_xs::encode::<V>);
    IQ2_S: either!(iq2_s::encode::<V>);
    IQ3_XXS: either!(iq3_xxs::encode::<V>);
    IQ3_S: either!(iq3_s::encode::<V>);
    IQ4_NL: runs!(iq4_nl::encode_blocks::<V>);
    IQ4_XS: pairs!(iq4_xs::encode::<V>);
    TQ1_0: blocks!(tq1_0::encode);
    TQ2_0: blocks!(tq2_0::encode);
    MXFP4: blocks!(mxfp4::encode);
    NVFP4: blocks!(nvfp4::encode);
    Q1_0: blocks!(q1_0::encode);
    Q2_0: blocks!(q2_0::encode);
}

kernels! {
    /// Dequantizes; false if there is no codec.
    dequantize(Stored)
    F32: blocks!(single::decode);
    F16: blocks!(f16::decode);
    BF16: blocks!(bf16::decode);
    Q4_0: blocks!(q4_0::decode::<V>);
    Q4_1: blocks!(q4_1::decode::<V>);
    Q5_0: blocks!(q5_0::decode::<V>);
    Q5_1: blocks!(q5_1::decode::<V>);
    Q8_0: blocks!(q8_0::decode::<V>);
    Q2_K: blocks!(q2_k::decode);
    Q3_K: blocks!(q3_k::decode::<V>);
    Q4_K: blocks!(q4_k::decode::<V>);
    Q5_K: blocks!(q5_k::decode::<V>);
    Q6_K: blocks!(q6_k::decode::<V>);
    IQ1_S: blocks!(iq1_s::decode);
    IQ1_M: blocks!(iq1_m::decode);
    IQ2_XXS: blocks!(iq2_xxs::decode);
    IQ2_XS: blocks!(iq2_xs::decode);
    IQ2_S: blocks!(iq2_s::decode);
    IQ3_XXS: blocks!(iq3_xxs::decode);
    IQ3_S: blocks!(iq3_s::decode);
    IQ4_NL: blocks!(iq4_nl::decode);
    IQ4_XS: blocks!(iq4_xs::decode);
    TQ1_0: blocks!(tq1_0::decode);
    TQ2_0: blocks!(tq2_0::decode);
    MXFP4: blocks!(mxfp4::decode);
    NVFP4: blocks!(nvfp4::decode);
    Q1_0: blocks!(q1_0::decode);
    Q2_0: blocks!(q2_0::decode);
}
