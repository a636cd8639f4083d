//! Views of tensors and statistics: borrowed from the host for the length of one call, never copied.

use abi_stable::{
    StableAbi,
    std_types::{RSlice, RStr},
};

/// Number format of raw bytes, little endian.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct DType(pub u32);

impl DType {
    /// No raw bytes: rows must be asked for with `read_rows`.
    pub const OPAQUE: Self = Self(0);
    /// IEEE 754 binary32.
    pub const F32: Self = Self(1);
    /// IEEE 754 binary16.
    pub const F16: Self = Self(2);
    /// bfloat16.
    pub const BF16: Self = Self(3);
    /// IEEE 754 binary64.
    pub const F64: Self = Self(4);
    /// Signed 8 bit.
    pub const I8: Self = Self(5);
    /// Signed 16 bit.
    pub const I16: Self = Self(6);
    /// Signed 32 bit.
    pub const I32: Self = Self(7);
    /// Signed 64 bit.
    pub const I64: Self = Self(8);
    /// Unsigned 8 bit.
    pub const U8: Self = Self(9);
    /// 8-bit float, 4 exponent bits, finite (E4M3FN).
    pub const F8_E4M3: Self = Self(10);
    /// 8-bit float, 5 exponent bits.
    pub const F8_E5M2: Self = Self(11);
}

/// What was measured at the input of a linear.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatKind(pub u32);

impl StatKind {
    /// `sum x^2` per input channel, `f32[k]`. GGUF's importance matrix is this divided by the token count.
    pub const SUM_SQUARES: Self = Self(0);
    /// `sum |x|` per input channel, `f32[k]`.
    pub const SUM_ABS: Self = Self(1);
    /// `sum x` per input channel, `f32[k]`.
    pub const SUM: Self = Self(2);
    /// Smallest value per input channel, `f32[k]`.
    pub const MIN: Self = Self(3);
    /// Largest value per input channel, `f32[k]`.
    pub const MAX: Self = Self(4);
    /// Gram matrix `sum x x^T`, `f32[k, k]`, symmetric. GPTQ's Hessian is twice this divided by the token count.
    pub const GRAM: Self = Self(5);
    /// A reservoir of real input rows, `f32[n, k]`.
    pub const SAMPLES: Self = Self(6);
}

/// One source tensor. Frozen.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct TensorView<'a> {
    /// Index in the model description.
    pub index: u32,
    /// Format of `data`.
    pub dtype: DType,
    /// Hugging Face name.
    pub name: RStr<'a>,
    /// Row-major shape.
    pub shape: RSlice<'a, u64>,
    /// The mapped bytes, or empty for [`DType::OPAQUE`].
    pub data: RSlice<'a, u8>,
    /// JSON object for later additions, or empty.
    pub ext: RStr<'a>,
}

/// Statistics of one linear's input. Frozen.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct StatView<'a> {
    /// Tensor index of the linear's weight.
    pub tensor: u32,
    /// Expert number for stacked experts, `u32::MAX` otherwise.
    pub expert: u32,
    /// What was measured.
    pub kind: StatKind,
    /// Tokens that went in.
    pub count: u64,
    /// Shape of `data`.
    pub shape: RSlice<'a, u64>,
    /// The values.
    pub data: RSlice<'a, f32>,
    /// JSON object for later additions, or empty.
    pub ext: RStr<'a>,
}

/// One step of work: all tensors of a unit, norms and biases included, and what was measured. Frozen.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct UnitView<'a> {
    /// Index in the model description.
    pub index: u32,
    /// Its id, for messages.
    pub id: RStr<'a>,
    /// Its tensors, in description order.
    pub tensors: RSlice<'a, TensorView<'a>>,
    /// Statistics of its linears.
    pub statistics: RSlice<'a, StatView<'a>>,
    /// JSON object for later additions, or empty.
    pub ext: RStr<'a>,
}
