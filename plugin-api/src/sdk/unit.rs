//! One step of work as the author sees it: tensors with row access, and statistics.

use super::{Error, Kind, Statistic, StatisticKind};
use crate::abi;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// A unit: all its tensors, norms and biases included, and what calibration measured.
pub struct Unit<'a> {
    /// Index in the model description.
    pub index: usize,
    /// Its id, for messages.
    pub id: &'a str,
    /// Its tensors.
    pub tensors: Vec<Tensor<'a>>,
    /// Statistics of its linears; kinds this SDK does not know are left out.
    pub statistics: Vec<Statistic<'a>>,
}

impl<'a> Unit<'a> {
    pub(crate) fn from_abi(unit: &abi::UnitView<'a>, model: &'a (dyn abi::Model + 'a)) -> Unit<'a> {
        let statistic = |s: &abi::StatView<'a>| {
            Some(Statistic {
                tensor: s.tensor as usize,
                expert: (s.expert != u32::MAX).then_some(s.expert),
                kind: StatisticKind::from_abi(s.kind)?,
                count: s.count,
                shape: s.shape.as_slice(),
                values: s.data.as_slice(),
            })
        };
        Unit {
            index: unit.index as usize,
            id: unit.id.as_str(),
            tensors: unit.tensors.as_slice().iter().map(|view| Tensor::from_abi(*view, model)).collect(),
            statistics: unit.statistics.as_slice().iter().filter_map(statistic).collect(),
        }
    }

    /// The tensor with a given index in the model description.
    pub fn tensor(&self, index: usize) -> Result<&Tensor<'a>, Error> {
        self.tensors
            .iter()
            .find(|t| t.index == index)
            .ok_or_else(|| Error::new(Kind::Other, format!("unit `{}` does not hold tensor number {index}", self.id)))
    }

    /// One kind of statistics of one tensor.
    pub fn statistic(&self, tensor: usize, kind: StatisticKind) -> Option<&Statistic<'a>> {
        self.statistics.iter().find(|s| s.tensor == tensor && s.kind == kind)
    }

    /// One kind of statistics of one tensor, or of one expert of it.
    pub fn statistic_of(&self, tensor: usize, expert: Option<u32>, kind: StatisticKind) -> Option<&Statistic<'a>> {
        self.statistics.iter().find(|s| s.tensor == tensor && s.expert == expert && s.kind == kind)
    }
}

/// One source tensor.
#[derive(Clone, Copy)]
pub struct Tensor<'a> {
    /// Index in the model description.
    pub index: usize,
    /// Hugging Face name.
    pub name: &'a str,
    /// Row-major shape.
    pub shape: &'a [u64],
    dtype: abi::DType,
    data: &'a [u8],
    model: &'a (dyn abi::Model + 'a),
}

impl<'a> Tensor<'a> {
    pub(crate) fn from_abi(view: abi::TensorView<'a>, model: &'a (dyn abi::Model + 'a)) -> Tensor<'a> {
        Tensor {
            index: view.index as usize,
            name: view.name.as_str(),
            shape: view.shape.as_slice(),
            dtype: view.dtype,
            data: view.data.as_slice(),
            model,
        }
    }

    /// Length of one row: the last dimension; 1 for a scalar.
    pub fn columns(&self) -> usize {
        self.shape.last().map_or(1, |c| *c as usize)
    }

    /// Number of rows: the product of all dimensions but the last.
    pub fn rows(&self) -> usize {
        self.shape.iter().rev().skip(1).map(|d| *d as usize).product()
    }

    /// The stored bytes and their format word (`F32`, `F16`, `BF16`), if the source stores this tensor plainly.
    pub fn raw(&self) -> Option<(&'static str, &'a [u8])> {
        let word = match self.dtype {
            abi::DType::F32 => "F32",
            abi::DType::F16 => "F16",
            abi::DType::BF16 => "BF16",
            _ => return None,
        };
        (!self.data.is_empty()).then_some((word, self.data))
    }

    /// The stored bytes, if the source is in the backend's own format
    /// ([`crate::wire::ModelDescription::stored_as`]); in what encoding, its description says. Empty otherwise, if the
    /// tensor is not stored plainly.
    pub fn stored(&self) -> &'a [u8] {
        self.data
    }

    /// Reads whole rows as f32: `out` holds a multiple of [`Self::columns`] values, from row `first_row` on.
    ///
    /// Plain sources are widened straight from the host's mapping (exact for F16 and BF16); everything else is decoded
    /// by the host.
    pub fn read_rows(&self, first_row: usize, out: &mut [f32]) -> Result<(), Error> {
        let columns = self.columns();
        let in_range = columns > 0
            && out.len().is_multiple_of(columns)
            && first_row.checked_add(out.len() / columns).is_some_and(|end| end <= self.rows());
        if !in_range {
            let message = format!(
                "{} values from row {first_row} were asked of tensor `{}`, which has {} rows of {columns}",
                out.len(),
                self.name,
                self.rows()
            );
            return Err(Error::new(Kind::Other, message).subject(self.name));
        }
        let start = first_row * columns;
        match self.raw() {
            Some(("F32", data)) => widen::<4>(data, start, out, f32::from_le_bytes),
            Some(("F16", data)) => widen_f16(data, start, out),
            Some(("BF16", data)) => widen::<2>(data, start, out, |b| bf16::from_le_bytes(b).to_f32()),
            _ => {
                let call = self.model.read_rows(self.index as u32, first_row as u64, out.into());
                return call.into_result().map_err(Error::from);
            }
        }
        .ok_or_else(|| {
            let message = format!("tensor `{}` has fewer bytes than its shape {:?} asks for", self.name, self.shape);
            Error::new(Kind::CorruptInput, message).subject(self.name)
        })
    }
}

/// Through a small aligned buffer: over slices the processor's own conversion is used, one by one it is looked up each time
/// (measured: a fifth of a whole quantization).
fn widen_f16(data: &[u8], start: usize, out: &mut [f32]) -> Option<()> {
    const STEP: usize = 1024;
    let bytes = data.get(start * 2..(start + out.len()) * 2)?;
    let mut aligned = [f16::ZERO; STEP];
    for (out, bytes) in out.chunks_mut(STEP).zip(bytes.chunks(2 * STEP)) {
        let aligned = &mut aligned[..out.len()];
        for (half, stored) in aligned.iter_mut().zip(bytes.as_chunks().0) {
            *half = f16::from_le_bytes(*stored);
        }
        aligned.convert_to_f32_slice(out);
    }
    Some(())
}

fn widen<const N: usize>(data: &[u8], start: usize, out: &mut [f32], one: impl Fn([u8; N]) -> f32) -> Option<()> {
    let bytes = data.get(start * N..(start + out.len()) * N)?;
    for (value, chunk) in out.iter_mut().zip(bytes.as_chunks::<N>().0) {
        *value = one(*chunk);
    }
    Some(())
}
