//! The source model as a plugin sees it.

use super::{PResult, TensorView};
use abi_stable::{
    sabi_trait,
    sabi_types::RRef,
    std_types::{RSliceMut, RStr, RString, RVec},
};

/// Read-only access to the source model.
#[sabi_trait]
pub trait Model: Send + Sync {
    /// `ModelDescription` document.
    fn description(&self) -> RString;
    /// Bytes of a side file such as `tokenizer.json`. Small files only.
    fn file(&self, name: RStr<'_>) -> PResult<RVec<u8>>;
    /// A tensor, borrowed from the host's mapping where the source is stored plainly.
    fn tensor(&self, index: u32) -> PResult<TensorView<'_>>;
    /// Whole rows of a tensor as f32, whatever the source's encoding; `out` holds a multiple of the row length.
    fn read_rows(&self, index: u32, first_row: u64, out: RSliceMut<'_, f32>) -> PResult<()>;
    /// Token ids of a text by the model's own tokenizer; `special` adds what its post-processor adds.
    fn encode_text(&self, text: RStr<'_>, special: bool) -> PResult<RVec<u32>>;
    /// Text of token ids, special tokens included.
    #[sabi(last_prefix_field)]
    fn decode_tokens(&self, ids: abi_stable::std_types::RSlice<'_, u32>) -> PResult<RString>;
}

/// Borrowed model access.
pub type ModelRef<'a> = Model_TO<'a, RRef<'a, ()>>;
