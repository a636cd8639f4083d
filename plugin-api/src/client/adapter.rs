//! The host's own services as the ABI's trait objects. A panic in the host must not unwind into a plugin either.

use crate::abi;
use crate::sdk::{Error, Kind, panic::guard};
use abi_stable::std_types::{RResult, RSlice, RSliceMut, RStr, RString, RVec};

/// What a host offers to a plugin; see [`crate::sdk::Context`] for the author's side of each method.
pub trait Services: Send + Sync {
    /// A log line. Levels: 1 error, 2 warning, 3 info, 4 debug, 5 trace.
    fn log(&self, level: u32, message: &str);
    /// How far the current call is, in weights.
    fn progress(&self, done: u64, total: u64);
    /// Whether the plugin should stop.
    fn cancelled(&self) -> bool;
    /// Threads one call may keep busy.
    fn threads(&self) -> u32;
    /// Runs `job` for `0..count`, in parallel if it likes, and returns when all are done. Must allow nesting.
    fn parallel_for(&self, count: u64, job: &(dyn Fn(u64) + Sync));
    /// Grants `bytes` of the memory budget or says why not.
    fn reserve(&self, bytes: u64) -> Result<u64, Error>;
    /// Takes a grant back.
    fn release(&self, token: u64);
    /// `cpu` or `cuda:N`.
    fn device(&self) -> String;
}

/// One source tensor as the host stores it.
#[derive(Debug, Clone, Copy)]
pub struct SourceTensor<'a> {
    /// Index in the model description.
    pub index: u32,
    /// Hugging Face name.
    pub name: &'a str,
    /// safetensors' dtype word; a word without a raw form for plugins makes them call `read_rows`.
    pub dtype: &'a str,
    /// Row-major shape.
    pub shape: &'a [u64],
    /// The stored bytes, or empty if rows must be decoded.
    pub data: &'a [u8],
}

/// A source model as the host offers it; see [`crate::sdk::Model`] for the author's side.
pub trait Source: Send + Sync {
    /// The `ModelDescription` document, made with [`crate::wire::encode`].
    fn description(&self) -> String;
    /// Bytes of a side file.
    fn file(&self, name: &str) -> Result<Vec<u8>, Error>;
    /// A tensor by its index.
    fn tensor(&self, index: u32) -> Result<SourceTensor<'_>, Error>;
    /// Whole rows as f32.
    fn read_rows(&self, index: u32, first_row: u64, out: &mut [f32]) -> Result<(), Error>;
    /// Token ids of a text.
    fn encode_text(&self, text: &str, special: bool) -> Result<Vec<u32>, Error>;
    /// Text of token ids.
    fn decode_tokens(&self, ids: &[u32]) -> Result<String, Error>;
}

/// Where a host takes results; see [`crate::sdk::Output`] for the author's side.
pub trait Destination: Send + Sync {
    /// Bytes at an offset of a slot.
    fn write(&self, slot: u32, offset: u64, data: &[u8]) -> Result<(), Error>;
    /// Weights as the output will reproduce them.
    fn feedback(&self, tensor: u32, first_row: u64, rows: &[f32]) -> Result<(), Error>;
}

pub(super) struct HostAdapter<'a>(pub &'a dyn Services);
pub(super) struct ModelAdapter<'a>(pub &'a dyn Source);
pub(super) struct SinkAdapter<'a>(pub &'a dyn Destination);

fn guarded<T>(what: &str, body: impl FnOnce() -> Result<T, Error>) -> abi::PResult<T> {
    match guard(what, body) {
        Ok(value) => RResult::ROk(value),
        Err(mut error) => {
            if error.kind == Kind::Panic {
                error.message = error.message.replacen("the backend panicked", "the host panicked", 1);
                error.hint = "this is a defect of llm-quantize; please report it".into();
            }
            RResult::RErr(error.into())
        }
    }
}

/// For calls that have no way to report: a panic ends here and the plugin goes on.
fn unfailing(what: &str, body: impl FnOnce()) {
    let _ = guard(what, || {
        body();
        Ok(())
    });
}

impl abi::Host for HostAdapter<'_> {
    fn log(&self, level: u32, message: RStr<'_>) {
        unfailing("log", || self.0.log(level, message.as_str()));
    }
    fn progress(&self, done: u64, total: u64) {
        unfailing("progress", || self.0.progress(done, total));
    }
    fn cancelled(&self) -> bool {
        guard("cancelled", || Ok(self.0.cancelled())).unwrap_or(true)
    }
    fn threads(&self) -> u32 {
        guard("threads", || Ok(self.0.threads())).unwrap_or(1)
    }
    fn parallel_for(&self, count: u64, job: abi::JobRef<'_>) -> abi::PResult<()> {
        guarded("parallel_for", || {
            self.0.parallel_for(count, &|index| job.run(index));
            Ok(())
        })
    }
    fn reserve(&self, bytes: u64) -> abi::PResult<u64> {
        guarded("reserve", || self.0.reserve(bytes))
    }
    fn release(&self, token: u64) {
        unfailing("release", || self.0.release(token));
    }
    fn device(&self) -> RString {
        guard("device", || Ok(self.0.device())).unwrap_or_else(|_| "cpu".into()).into()
    }
}

impl abi::Model for ModelAdapter<'_> {
    fn description(&self) -> RString {
        guard("description", || Ok(self.0.description())).unwrap_or_default().into()
    }
    fn file(&self, name: RStr<'_>) -> abi::PResult<RVec<u8>> {
        guarded("file", || Ok(self.0.file(name.as_str())?.into()))
    }
    fn tensor(&self, index: u32) -> abi::PResult<abi::TensorView<'_>> {
        guarded("tensor", || Ok(tensor_view(&self.0.tensor(index)?)))
    }
    fn read_rows(&self, index: u32, first_row: u64, mut out: RSliceMut<'_, f32>) -> abi::PResult<()> {
        guarded("read_rows", || self.0.read_rows(index, first_row, out.as_mut_slice()))
    }
    fn encode_text(&self, text: RStr<'_>, special: bool) -> abi::PResult<RVec<u32>> {
        guarded("encode_text", || Ok(self.0.encode_text(text.as_str(), special)?.into()))
    }
    fn decode_tokens(&self, ids: RSlice<'_, u32>) -> abi::PResult<RString> {
        guarded("decode_tokens", || Ok(self.0.decode_tokens(ids.as_slice())?.into()))
    }
}

impl abi::Sink for SinkAdapter<'_> {
    fn write(&self, slot: u32, offset: u64, data: RSlice<'_, u8>) -> abi::PResult<()> {
        guarded("write", || self.0.write(slot, offset, data.as_slice()))
    }
    fn feedback(&self, tensor: u32, first_row: u64, rows: RSlice<'_, f32>) -> abi::PResult<()> {
        guarded("feedback", || self.0.feedback(tensor, first_row, rows.as_slice()))
    }
}

pub(super) fn tensor_view<'a>(tensor: &SourceTensor<'a>) -> abi::TensorView<'a> {
    let dtype = match tensor.dtype {
        "F32" => abi::DType::F32,
        "F16" => abi::DType::F16,
        "BF16" => abi::DType::BF16,
        "F64" => abi::DType::F64,
        "I8" => abi::DType::I8,
        "I16" => abi::DType::I16,
        "I32" => abi::DType::I32,
        "I64" => abi::DType::I64,
        "U8" => abi::DType::U8,
        "F8_E4M3" => abi::DType::F8_E4M3,
        "F8_E5M2" => abi::DType::F8_E5M2,
        _ => abi::DType::OPAQUE,
    };
    abi::TensorView {
        index: tensor.index,
        dtype,
        name: tensor.name.into(),
        shape: tensor.shape.into(),
        data: tensor.data.into(),
        ext: "".into(),
    }
}
