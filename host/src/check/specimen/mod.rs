//! Made-up models: small Llamas whose shapes and numbers are unpleasant on purpose, with a real tokenizer.

mod description;
mod noise;
mod statistics;
mod tokenizer;
mod weights;

pub use noise::Noise;
pub use statistics::{Measured, measure};

use llmq_plugin_api::wire::ModelDescription;

/// A model in memory.
#[derive(Clone)]
pub struct Specimen {
    /// Its name in verdicts.
    pub name: &'static str,
    /// Everything but the numbers.
    pub description: ModelDescription,
    /// Stored bytes of each tensor, in its dtype.
    pub data: Vec<Vec<u8>>,
    /// The same numbers as f32.
    pub values: Vec<Vec<f32>>,
    /// Side files.
    pub files: Vec<(String, Vec<u8>)>,
    /// The tokenizer of the side files; absent only if it could not be built, which a test excludes.
    pub tokenizer: Option<tokenizers::Tokenizer>,
}

/// Sizes of a made-up Llama.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    layers: u32,
    hidden: u32,
    intermediate: u32,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    tied: bool,
    dtype: &'static str,
}

impl Specimen {
    /// Two layers in BF16 with F32 norms, a width that blocks of 256 divide, an inner width that only blocks of 32
    /// divide. Its weights hold a tensor of zeros, a constant one, heavy tails, a row of zeros.
    pub fn regular() -> Specimen {
        let sizes = Sizes {
            layers: 2,
            hidden: 256,
            intermediate: 352,
            heads: 4,
            kv_heads: 2,
            head_dim: 64,
            tied: false,
            dtype: "BF16",
        };
        Specimen::new("regular", sizes)
    }

    /// One layer in F32 with a tied head, a width that no block divides, matrices of one row and of one column.
    pub fn odd() -> Specimen {
        let sizes = Sizes {
            layers: 1,
            hidden: 40,
            intermediate: 1,
            heads: 4,
            kv_heads: 1,
            head_dim: 10,
            tied: true,
            dtype: "F32",
        };
        Specimen::new("odd", sizes)
    }

    /// One layer of some ten million weights in F16: enough work to be interrupted.
    pub fn large() -> Specimen {
        let sizes = Sizes {
            layers: 1,
            hidden: 1024,
            intermediate: 2560,
            heads: 8,
            kv_heads: 8,
            head_dim: 128,
            tied: true,
            dtype: "F16",
        };
        Specimen::new("large", sizes)
    }

    /// The same with one weight that is no number, in the middle of a tensor.
    pub fn poisoned(&self, tensor: usize) -> Specimen {
        let mut poisoned = self.clone();
        let (data, values) = (&mut poisoned.data[tensor], &mut poisoned.values[tensor]);
        let (middle, size) = (values.len() / 2, data.len() / values.len().max(1));
        if let (Some(value), Some(bytes)) = (values.get_mut(middle), data.chunks_exact_mut(size.max(1)).nth(middle)) {
            *value = f32::NAN;
            // All bits set are a NaN in every floating-point format.
            bytes.fill(0xff);
        }
        poisoned
    }

    fn new(name: &'static str, sizes: Sizes) -> Specimen {
        let (tokenizer_files, vocab) = tokenizer::files();
        let tokenizer = tokenizer::build(&tokenizer_files);
        let mut description = description::describe(name, sizes, vocab);
        description.files = tokenizer_files.iter().map(|(name, _)| name.clone()).collect();
        let (data, values) = description.tensors.iter().enumerate().map(weights::make).unzip();
        Specimen { name, description, data, values, files: tokenizer_files, tokenizer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_may_be_scaled_as_in_any_llama() {
        // Both norms, values and the products with the gate.
        let of = |specimen: Specimen| specimen.description.smoothing.len();
        assert_eq!((of(Specimen::regular()), of(Specimen::odd())), (2 * 4, 4));
    }

    #[test]
    fn numbers_fill_their_shapes_and_the_tokenizer_works() {
        for specimen in [Specimen::regular(), Specimen::odd()] {
            for (tensor, (data, values)) in
                specimen.description.tensors.iter().zip(specimen.data.iter().zip(&specimen.values))
            {
                assert_eq!(tensor.elements() as usize, values.len(), "{}", tensor.name);
                let size = if tensor.dtype == "F32" { 4 } else { 2 };
                assert_eq!(values.len() * size, data.len(), "{}", tensor.name);
                assert!(values.iter().all(|w| w.is_finite()), "{}", tensor.name);
            }
            let tokenizer = specimen.tokenizer.as_ref().expect("the tokenizer can be built");
            let ids = tokenizer.encode("the theory of æther\n", false).unwrap().get_ids().to_vec();
            assert!(ids.len() > 8 && ids.len() < 21, "{ids:?}");
            assert_eq!(tokenizer.decode(&ids, false).unwrap(), "the theory of æther\n");
            assert_eq!(tokenizer.get_vocab_size(true) as u32, specimen.description.hyperparameters.vocab_size);
        }
    }
}
