//! What a tensor gets when its rows are not whole blocks of the encoding that the rules chose.

use llmq_ggml_blocks::BlockType;

/// No encoding fits: the reference has no substitute for this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit;

/// The encoding for rows of `columns` weights: `wanted` itself if whole blocks fit, else the reference's substitute with
/// blocks of 32, else F16.
///
/// # Errors
/// `wanted` has no substitute.
pub fn fit(wanted: BlockType, columns: u64) -> Result<BlockType, Misfit> {
    use BlockType::*;
    if columns.is_multiple_of(wanted.block_len() as u64) {
        return Ok(wanted);
    }
    let substitute = match wanted {
        IQ1_S | IQ1_M | IQ2_XXS | IQ2_XS | IQ2_S | IQ3_XXS | IQ3_S | IQ4_XS => IQ4_NL,
        Q2_0 | Q2_K | Q3_K | TQ1_0 | TQ2_0 => Q4_0,
        Q4_K => Q5_0,
        Q5_K => Q5_1,
        Q6_K => Q8_0,
        same if same.block_len() == 32 => same,
        _ => return Err(Misfit),
    };
    Ok(if columns.is_multiple_of(32) { substitute } else { F16 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use BlockType::*;

    #[test]
    fn rows_that_fit_keep_their_encoding_and_others_get_the_reference_s_substitute() {
        let cases = [
            (Q4_K, 512, Ok(Q4_K)),
            (Q4_K, 288, Ok(Q5_0)),
            (Q5_K, 288, Ok(Q5_1)),
            (Q6_K, 288, Ok(Q8_0)),
            (Q2_K, 288, Ok(Q4_0)),
            (Q3_K, 288, Ok(Q4_0)),
            (IQ4_XS, 288, Ok(IQ4_NL)),
            (Q8_0, 288, Ok(Q8_0)),
            (Q8_0, 100, Ok(F16)),
            (Q4_K, 100, Ok(F16)),
            (F16, 7, Ok(F16)),
            (Q1_0, 64, Err(Misfit)),
        ];
        for (wanted, columns, expected) in cases {
            assert_eq!(fit(wanted, columns), expected, "{wanted:?} {columns}");
        }
    }
}
