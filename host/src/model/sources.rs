//! From the tensors of files to those of the model: scales vanish into the weights that they belong to.

use super::content::{Content, Form, Place};
use super::float8::{Float8, ScaleDtype, Scales};
use super::mxfp4;
use super::quantized::Scheme;
use super::stored::StoredTensor;
use super::ternary::{PER_BYTE, Size};
use super::{Dtype, MappedFile, ModelError};
use safetensors::Dtype as StoredDtype;
use std::collections::{HashMap, HashSet};

/// Last words of names of tensors that only kernels for 8-bit activations use.
const ACTIVATIONS: &[&str] = &[
    "input_scale",
    "input_scale_ub",
    "activation_scale",
    "output_scale",
    "q_scale",
    "k_scale",
    "v_scale",
    "kv_scale",
    "prob_scale",
];

/// A tensor of the model.
#[derive(Debug)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its shape once it is read.
    pub shape: Vec<u64>,
    /// Its type once it is read.
    pub dtype: StoredDtype,
    /// Position of its file.
    pub file: usize,
    /// How it is read; `None` for types that no weight may have.
    pub content: Option<Content>,
}

/// The tensors of a model, from those of its files. Every scale is used by a weight or noted; every weight that needs
/// one has it.
pub fn sources(
    scheme: Scheme,
    files: &[MappedFile],
    stored: &[(usize, StoredTensor)],
    notes: &mut Vec<String>,
) -> Result<Vec<Source>, ModelError> {
    let shelf = Shelf {
        scheme,
        files,
        stored,
        places: stored.iter().enumerate().map(|(at, (_, t))| (t.name.as_str(), at)).collect(),
    };
    let (mut found, mut used, mut left) = (Vec::with_capacity(stored.len()), HashSet::new(), Vec::new());
    for (file, tensor) in stored {
        let source = match (Float8::of_stored(tensor.dtype), scheme) {
            (Some(float8), _) => shelf.float8(*file, tensor, float8, &mut used)?,
            (None, Scheme::Ternary { .. }) if tensor.dtype == StoredDtype::U8 => {
                shelf.packed(*file, tensor, &mut used)?
            }
            (None, Scheme::Mxfp4) if tensor.dtype == StoredDtype::U8 && tensor.name.ends_with(mxfp4::BLOCKS) => {
                shelf.mxfp4(*file, tensor, &mut used)?
            }
            _ => plain(*file, tensor),
        };
        found.push(source);
    }
    found.retain(|source| {
        let serves_activations = matches!(scheme, Scheme::Float8 { .. }) && is_activation_scale(&source.name);
        if serves_activations {
            left.push(source.name.clone());
        }
        !serves_activations && !used.contains(source.name.as_str())
    });
    if let Some(first) = left.first() {
        let what = if left.len() == 1 { first.clone() } else { format!("{} tensors such as {first}", left.len()) };
        let verb = if left.len() == 1 { "is" } else { "are" };
        notes.push(format!("{what} {verb} left behind: scales of activations serve 8-bit kernels only"));
    }
    Ok(found)
}

fn is_activation_scale(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    ACTIVATIONS.contains(&last) || last.ends_with("_activation_scale")
}

fn plain(file: usize, tensor: &StoredTensor) -> Source {
    let content = Dtype::of_stored(tensor.dtype).map(|dtype| Content {
        place: place(file, tensor),
        stored: dtype.as_str().to_owned(),
        form: match &tensor.strides {
            None => Form::Plain(dtype),
            Some(strides) => Form::Strided(dtype, strides.clone()),
        },
    });
    let (name, shape) = (tensor.name.clone(), tensor.shape.clone());
    Source { name, shape, dtype: tensor.dtype, file, content }
}

fn place(file: usize, tensor: &StoredTensor) -> Place {
    Place { file, range: tensor.range.clone() }
}

struct Shelf<'a> {
    scheme: Scheme,
    files: &'a [MappedFile],
    stored: &'a [(usize, StoredTensor)],
    places: HashMap<&'a str, usize>,
}

impl<'a> Shelf<'a> {
    fn float8(
        &self,
        file: usize,
        tensor: &StoredTensor,
        float8: Float8,
        used: &mut HashSet<&'a str>,
    ) -> Result<Source, ModelError> {
        let fail = |problem| self.fault(file, tensor, problem);
        let (scale_file, scale) = self.scale(file, tensor, &["_scale_inv", "_scale"])?;
        let dtype = ScaleDtype::of_stored(scale.dtype)
            .ok_or_else(|| fail(format!("its scale `{}` has dtype {}", scale.name, scale.dtype)))?;
        let block = match self.scheme {
            Scheme::Float8 { block } => block,
            _ => None,
        };
        let scales = Scales::fit(&tensor.shape, &scale.shape, block, place(scale_file, scale), dtype);
        let scales = scales.ok_or_else(|| {
            let blocks = block.map_or("no blocks are stated".to_owned(), |[a, b]| format!("blocks of {a} x {b}"));
            let (weight, scale) = (&tensor.shape, &scale.shape);
            fail(format!("its scale of shape {scale:?} does not fit its own shape {weight:?} ({blocks})"))
        })?;
        used.insert(&scale.name);
        Ok(self.computed(file, tensor, tensor.shape.clone(), Form::Scaled(float8, scales)))
    }

    fn packed(&self, file: usize, tensor: &StoredTensor, used: &mut HashSet<&'a str>) -> Result<Source, ModelError> {
        let fail = |problem| self.fault(file, tensor, problem);
        let (scale_file, scale) = self.scale(file, tensor, &["_scale"])?;
        let dtype = Dtype::of_stored(scale.dtype).filter(|_| scale.shape.iter().product::<u64>() == 1);
        let dtype = dtype.ok_or_else(|| fail(format!("its scale `{}` is no single number", scale.name)))?;
        let mut shape = tensor.shape.clone();
        let rows = match shape.as_mut_slice() {
            [rows, _] => rows,
            _ => return Err(fail(format!("packed weights of shape {:?} are no matrix", tensor.shape))),
        };
        *rows = rows.checked_mul(PER_BYTE).ok_or_else(|| fail("its size is impossible".to_owned()))?;
        used.insert(&scale.name);
        let divides = !matches!(self.scheme, Scheme::Ternary { divides: false });
        let size = Size { place: place(scale_file, scale), dtype, divides };
        Ok(self.computed(file, tensor, shape, Form::Packed(size)))
    }

    fn mxfp4(&self, file: usize, tensor: &StoredTensor, used: &mut HashSet<&'a str>) -> Result<Source, ModelError> {
        let stem = tensor.name.strip_suffix(mxfp4::BLOCKS).unwrap_or(&tensor.name);
        let (scale_file, scale) = self.named(file, tensor, &[format!("{stem}{}", mxfp4::SCALES)])?;
        if scale.dtype != StoredDtype::U8 {
            let problem = format!("its exponents `{}` have dtype {}, not U8", scale.name, scale.dtype);
            return Err(self.fault(file, tensor, problem));
        }
        let shape = mxfp4::shape(&tensor.shape, &scale.shape).ok_or_else(|| {
            let (blocks, scales) = (&tensor.shape, &scale.shape);
            self.fault(file, tensor, format!("its exponents of shape {scales:?} do not fit its own shape {blocks:?}"))
        })?;
        used.insert(&scale.name);
        let source = self.computed(file, tensor, shape, Form::Mxfp4(place(scale_file, scale)));
        Ok(Source { name: stem.to_owned(), ..source })
    }

    fn computed(&self, file: usize, tensor: &StoredTensor, shape: Vec<u64>, form: Form) -> Source {
        let content = Content { place: place(file, tensor), stored: tensor.dtype.to_string(), form };
        Source { name: tensor.name.clone(), shape, dtype: StoredDtype::F32, file, content: Some(content) }
    }

    /// The one scale that belongs to a weight, by its name.
    fn scale(
        &self,
        file: usize,
        tensor: &StoredTensor,
        endings: &[&str],
    ) -> Result<(usize, &'a StoredTensor), ModelError> {
        let names: Vec<String> = endings.iter().map(|ending| format!("{}{ending}", tensor.name)).collect();
        self.named(file, tensor, &names)
    }

    /// The one tensor of these names.
    fn named(
        &self,
        file: usize,
        tensor: &StoredTensor,
        names: &[String],
    ) -> Result<(usize, &'a StoredTensor), ModelError> {
        let found: Vec<usize> = names.iter().filter_map(|name| self.places.get(name.as_str()).copied()).collect();
        let (scale_file, scale) = match found.as_slice() {
            [one] => (self.stored[*one].0, &self.stored[*one].1),
            [] => return Err(self.fault(file, tensor, format!("its scale `{}` is not there", names.join("` or `")))),
            _ => return Err(self.fault(file, tensor, format!("it has two scales, `{}`", names.join("` and `")))),
        };
        for stored in [tensor, scale] {
            if stored.strides.is_some() {
                return Err(self.fault(file, tensor, format!("`{}` is not stored row after row", stored.name)));
            }
        }
        Ok((scale_file, scale))
    }

    fn fault(&self, file: usize, tensor: &StoredTensor, problem: String) -> ModelError {
        let (tensor, dtype) = (tensor.name.clone(), tensor.dtype.to_string());
        ModelError::Scale { tensor, file: self.files[file].name().to_owned(), dtype, problem }
    }
}
