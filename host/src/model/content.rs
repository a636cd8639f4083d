//! How the numbers of a tensor come out of its bytes.

use super::float8::{Float8, Scales};
use super::mxfp4;
use super::ternary::{Level, Size, round_to_three, unpack_row};
use super::{Dtype, MappedFile, ModelError, first_non_finite};
use llmq_plugin_api::wire::{Role, TensorDescription};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use rayon::slice::ParallelSlice;
use std::ops::Range;
use std::sync::Arc;

/// Linear layers that BitNet models round: all but the output head.
const TERNARY_ROLES: &[Role] =
    &[Role::AttnQ, Role::AttnK, Role::AttnV, Role::AttnOutput, Role::FfnGate, Role::FfnUp, Role::FfnDown];

/// Bytes of a weight file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Position of the file.
    pub file: usize,
    /// Range in it.
    pub range: Range<usize>,
}

/// Where a tensor's elements lie and how they are read.
#[derive(Debug, Clone)]
pub struct Content {
    /// Its bytes.
    pub place: Place,
    /// Stored element type, in safetensors' spelling.
    pub stored: String,
    /// What the bytes mean.
    pub form: Form,
}

/// What the bytes of a tensor mean.
#[derive(Debug, Clone)]
pub enum Form {
    /// The elements themselves, row after row.
    Plain(Dtype),
    /// The elements themselves, with these distances of neighbours along each dimension.
    Strided(Dtype, Vec<u64>),
    /// 8-bit floats, each times the scale of its block.
    Scaled(Float8, Scales),
    /// Weights of three values, four to a byte.
    Packed(Size),
    /// 4-bit floats in blocks, with the place of the blocks' exponents.
    Mxfp4(Place),
    /// Numbers that the model rounds to three values.
    Masters(Dtype, Arc<Level>),
}

impl Content {
    /// Element type of the rows that are read: the stored one where nothing is computed, else single precision.
    pub fn dtype(&self) -> Dtype {
        match &self.form {
            Form::Plain(dtype) | Form::Strided(dtype, _) | Form::Masters(dtype, _) => *dtype,
            Form::Scaled(..) | Form::Packed(_) | Form::Mxfp4(_) => Dtype::F32,
        }
    }

    /// The same for a model that rounds its linear layers to three values each time it runs.
    pub fn rounded(mut self, tensor: &TensorDescription) -> Result<Content, ModelError> {
        if tensor.part != "weight" || !TERNARY_ROLES.contains(&tensor.role) {
            return Ok(self);
        }
        self.form = match self.form {
            Form::Plain(dtype) => Form::Masters(dtype, Arc::default()),
            _ => {
                let (tensor, problem) =
                    (tensor.name.clone(), "is not stored row after row as plain numbers".to_owned());
                return Err(ModelError::BadRows { tensor, problem });
            }
        };
        Ok(self)
    }

    /// Where its scales lie, if it has any.
    pub fn scale(&self) -> Option<&Place> {
        match &self.form {
            Form::Plain(_) | Form::Strided(..) | Form::Masters(..) => None,
            Form::Scaled(_, scales) => Some(&scales.place),
            Form::Packed(size) => Some(&size.place),
            Form::Mxfp4(place) => Some(place),
        }
    }

    /// The stored bytes of the tensor.
    pub fn bytes<'a>(&self, files: &'a [MappedFile]) -> &'a [u8] {
        &files[self.place.file].bytes()[self.place.range.clone()]
    }

    /// Fills `out` with whole rows of a tensor of this shape. The caller has checked that they are there.
    pub fn read_rows(&self, files: &[MappedFile], shape: &[u64], first_row: u64, out: &mut [f32]) {
        let bytes = self.bytes(files);
        // At least one, so that the rows of an empty tensor can be counted.
        let columns = shape.last().copied().unwrap_or(1).max(1) as usize;
        let first = first_row as usize;
        match &self.form {
            Form::Plain(dtype) => widen(*dtype, bytes, first * columns, out),
            Form::Strided(dtype, strides) => gather(shape, strides, first_row, out.len(), |at, element| {
                widen(*dtype, bytes, element as usize, &mut out[at..at + 1]);
            }),
            Form::Scaled(float8, scales) => {
                for (row, out) in (first..).zip(out.chunks_mut(columns)) {
                    let stored = &bytes[row * columns..][..out.len()];
                    scales.scale_row(files, *float8, row as u64, stored, out);
                }
            }
            Form::Packed(size) => {
                let values = size.values(files);
                for (row, out) in (first..).zip(out.chunks_mut(columns)) {
                    unpack_row(bytes, row, values, out);
                }
            }
            Form::Mxfp4(place) => {
                let inputs = shape.iter().rev().nth(1).map_or(1, |inputs| *inputs as usize);
                let stack = mxfp4::Stack { blocks: bytes, scales: mxfp4::scales(files, place), inputs };
                for (row, out) in (first..).zip(out.chunks_mut(columns)) {
                    stack.unpack_row(row, out);
                }
            }
            Form::Masters(dtype, level) => {
                widen(*dtype, bytes, first * columns, out);
                let level = level.get(|part| {
                    let mut buffer = Vec::new();
                    for (row, numbers) in slabs(shape) {
                        buffer.resize(numbers, 0.0);
                        widen(*dtype, bytes, row as usize * columns, &mut buffer);
                        part(&buffer);
                    }
                });
                round_to_three(level, *dtype, out);
            }
        }
    }
}

/// Elements from `first` on. They are there: byte lengths were checked against shapes when the model was opened.
fn widen(dtype: Dtype, bytes: &[u8], first: usize, out: &mut [f32]) {
    dtype.widen(&bytes[first * dtype.size()..][..out.len() * dtype.size()], out);
}

/// Numbers read at a time where rows must be computed, unless a single row has more.
const SLAB: u64 = 1 << 16;
/// Stored numbers that one thread looks at in a row for those that are not finite.
const PIECE: usize = 1 << 20;

impl Content {
    /// Position of the first number that is not finite once it is read. Looks at the whole tensor, in pieces, so that
    /// one large tensor keeps every thread of the caller's pool busy.
    pub fn first_non_finite(&self, files: &[MappedFile], shape: &[u64]) -> Option<u64> {
        if let Form::Plain(dtype) = self.form {
            let pieces = self.bytes(files).par_chunks(PIECE * dtype.size()).enumerate();
            let look = |(at, bytes): (usize, &[u8])| first_non_finite(dtype, bytes).map(|i| at * PIECE + i);
            return pieces.find_map_first(look).map(|at| at as u64);
        }
        let slabs: Vec<(u64, usize)> = slabs(shape).collect();
        slabs.into_par_iter().find_map_first(|(row, numbers)| {
            let mut buffer = vec![0.0; numbers];
            self.read_rows(files, shape, row, &mut buffer);
            let at = buffer.iter().position(|value| !value.is_finite())?;
            Some(row * shape.last().copied().unwrap_or(1) + at as u64)
        })
    }
}

/// Whether two tensors of this shape hold the same numbers.
pub fn same_rows(files: &[MappedFile], shape: &[u64], [a, b]: [&Content; 2]) -> bool {
    if a.dtype() != b.dtype() {
        return false;
    }
    if let (Form::Plain(_), Form::Plain(_)) = (&a.form, &b.form) {
        return a.bytes(files) == b.bytes(files);
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    slabs(shape).all(|(row, numbers)| {
        left.resize(numbers, 0.0);
        right.resize(numbers, 0.0);
        a.read_rows(files, shape, row, &mut left);
        b.read_rows(files, shape, row, &mut right);
        left.iter().zip(&right).all(|(a, b)| a.to_bits() == b.to_bits())
    })
}

/// First row and number of weights of each slab of whole rows.
fn slabs(shape: &[u64]) -> impl Iterator<Item = (u64, usize)> {
    let (columns, outer) = shape.split_last().map_or((1, shape), |(columns, outer)| (*columns, outer));
    let rows = if columns == 0 { 0 } else { outer.iter().product() };
    let step = (SLAB / columns.max(1)).max(1);
    (0..rows).step_by(step as usize).map(move |row| (row, (step.min(rows - row) * columns) as usize))
}

/// Calls `part` with the position of every element of whole rows, in order, for a tensor that is not stored row after
/// row. `first` is the first row, counting all dimensions but the last together.
fn gather(shape: &[u64], strides: &[u64], first: u64, count: usize, mut part: impl FnMut(usize, u64)) {
    let Some((&columns, outer)) = shape.split_last() else {
        if count == 1 {
            part(0, 0);
        }
        return;
    };
    let (step, steps) = strides.split_last().map_or((0, strides), |(step, steps)| (*step, steps));
    // A vector is one row; every product below was checked when the tensor was opened.
    let columns_here = columns.max(1) as usize;
    for at in (0..count).step_by(columns_here) {
        let mut row = first + (at / columns_here) as u64;
        let mut base = 0;
        for (length, stride) in outer.iter().zip(steps).rev() {
            base += row % length * stride;
            row /= length;
        }
        for column in 0..columns {
            part(at + column as usize, base + column * step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(shape: &[u64], strides: &[u64], first: u64, count: usize) -> Vec<u64> {
        let mut found = vec![u64::MAX; count];
        gather(shape, strides, first, count, |at, position| found[at] = position);
        found
    }

    #[test]
    fn elements_by_stride() {
        assert_eq!(positions(&[3, 2], &[1, 3], 0, 6), [0, 3, 1, 4, 2, 5]);
        assert_eq!(positions(&[3, 2], &[1, 3], 1, 2), [1, 4]);
        assert_eq!(positions(&[2, 2, 2], &[1, 4, 2], 1, 4), [4, 6, 1, 3]);
        assert_eq!(positions(&[4], &[2], 0, 4), [0, 2, 4, 6]);
        assert_eq!(positions(&[], &[], 0, 1), [0]);
    }
}
