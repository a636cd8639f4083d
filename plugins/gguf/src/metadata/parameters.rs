//! The size of a model in words: `8.0B`, `494M`, `8x7.2B`.

/// Parameter counts of a model, from its GGUF tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// All elements of all tensors.
    pub total: u64,
    /// Elements outside the expert stacks.
    pub shared: u64,
    /// Elements of one expert, over all layers.
    pub expert: u64,
    /// Experts per layer, 0 for a dense model.
    pub expert_count: u64,
}

impl Parameters {
    /// Counts from (GGUF name, dimensions innermost first).
    ///
    /// A stack is a tensor named `*_exps.*` with three dimensions; the two-dimensional biases of experts count as
    /// shared, as the converter counts them.
    pub fn count<'a>(tensors: impl IntoIterator<Item = (&'a str, &'a [u64])>) -> Self {
        let mut parameters = Self::default();
        let (mut experts, mut stacks) = (0_u64, 0_u64);
        for (name, dimensions) in tensors {
            let size = dimensions.iter().fold(1_u64, |size, dimension| size.saturating_mul(*dimension));
            parameters.total = parameters.total.saturating_add(size);
            match dimensions {
                [_, bias_experts, experts_here, ..] if name.contains("_exps.") => {
                    let count = if name.contains(".bias") { *bias_experts } else { *experts_here };
                    parameters.expert = parameters.expert.saturating_add(size.checked_div(count).unwrap_or(0));
                    experts = experts.saturating_add(count);
                    stacks += 1;
                }
                _ => parameters.shared = parameters.shared.saturating_add(size),
            }
        }
        parameters.expert_count = experts.checked_div(stacks).unwrap_or(0);
        parameters
    }

    /// The size label, or `None` without parameters.
    pub(super) fn label(&self) -> Option<String> {
        match (self.total, self.expert_count) {
            (0, _) => None,
            (total, 0) => Some(rounded(total)),
            (_, count) => Some(format!("{count}x{}", rounded(self.shared.saturating_add(self.expert)))),
        }
    }
}

/// Two significant digits with the largest unit that is strictly below the count.
fn rounded(count: u64) -> String {
    let count = count as f64;
    let (scale, unit) = match count {
        c if c > 1e12 => (1e-12, 'T'),
        c if c > 1e9 => (1e-9, 'B'),
        c if c > 1e6 => (1e-6, 'M'),
        _ => (1e-3, 'K'),
    };
    let scaled = count * scale;
    let whole = scaled.round_ties_even();
    let digits = if whole == 0.0 { 0 } else { format!("{whole:.0}").len() };
    format!("{scaled:.decimals$}{unit}", decimals = 2_usize.saturating_sub(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_two_digits() {
        let cases = [
            (8_030_261_248, "8.0B"),
            (70_553_706_496, "71B"),
            (494_032_768, "494M"),
            (1_000_000, "1000K"),
            (1_705_216, "1.7M"),
            (300, "0.30K"),
        ];
        for (count, label) in cases {
            assert_eq!(rounded(count), label);
        }
    }

    #[test]
    fn experts_count_once_with_the_shared_part() {
        let stack: &[u64] = &[256, 128, 4];
        let dense: &[u64] = &[256, 10];
        let parameters = Parameters::count([("blk.0.ffn_up_exps.weight", stack), ("token_embd.weight", dense)]);
        assert_eq!(
            parameters,
            Parameters { total: 256 * 512 + 2560, shared: 2560, expert: 256 * 128, expert_count: 4 }
        );
        assert_eq!(parameters.label().as_deref(), Some("4x35K"));
    }

    #[test]
    fn absurd_shapes_do_not_overflow() {
        let huge: &[u64] = &[u64::MAX, u64::MAX, 0];
        assert_eq!(Parameters::count([("x_exps.weight", huge)]).expert_count, 0);
    }
}
