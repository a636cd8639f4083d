//! How far a row of ordinary weights may move when it is quantized.

use crate::BlockType;

/// Upper bound of `||x - dequantized|| / ||x||` over one row of ordinary weights, without or with importance.
///
/// Measured, not derived: the worst of 40 rows of 2048 for each of nine kinds (normal of two scales, Laplace, uniform,
/// heavy-tailed, one outlier, 90 % zeros, offset, blocks of mixed scale), each without importance and with log-normal
/// importance, times about 1.5. The worst measured were F16 0.0003, BF16 0.0022, Q4_0 0.160, Q4_1 0.135, Q5_0 0.087,
/// Q5_1 0.065, Q8_0 0.0128, Q2_K 0.530 (90 % zeros; otherwise 0.410), Q3_K 0.227, Q4_K 0.118, Q5_K 0.057, Q6_K 0.054,
/// IQ4_NL 0.217, IQ4_XS 0.126, MXFP4 0.167, NVFP4 0.140, TQ1_0 and TQ2_0 0.865, Q1_0 0.996, Q2_0 0.752,
/// IQ1_S 1.010, IQ1_M 0.947 (under importance; without it rows of 90 % zeros come back 18 times too large), IQ2_XXS 1.135, IQ2_XS 0.912, IQ2_S 0.936, IQ3_XXS 0.873, IQ3_S 0.885.
/// Weights near or below the smallest normal half (6e-5) may exceed it, because their scales lose bits. For types
/// without a codec here there is no measurement and the bound is infinite.
pub fn relative_error_bound(ty: BlockType) -> f64 {
    match ty {
        BlockType::F32 => 0.0,
        BlockType::F16 => 0.0005,
        BlockType::BF16 => 0.004,
        BlockType::Q4_0 => 0.25,
        BlockType::Q4_1 => 0.21,
        BlockType::Q5_0 => 0.13,
        BlockType::Q5_1 => 0.10,
        BlockType::Q8_0 => 0.02,
        BlockType::Q2_K => 0.75,
        BlockType::Q3_K => 0.34,
        BlockType::Q4_K => 0.18,
        BlockType::Q5_K => 0.09,
        BlockType::Q6_K => 0.08,
        BlockType::IQ4_NL => 0.32,
        BlockType::IQ4_XS => 0.19,
        BlockType::MXFP4 => 0.25,
        BlockType::NVFP4 => 0.21,
        // No row can do worse: each weight of these becomes something between zero and twice itself, or the mean.
        BlockType::TQ1_0 | BlockType::TQ2_0 | BlockType::Q1_0 | BlockType::Q2_0 => 1.0,
        // Under uneven importance, or where most weights are zero, these may lose a row altogether.
        BlockType::IQ2_XXS => 1.5,
        BlockType::IQ1_S | BlockType::IQ1_M | BlockType::IQ2_XS | BlockType::IQ2_S => 1.3,
        BlockType::IQ3_XXS | BlockType::IQ3_S => 1.2,
        _ => f64::INFINITY,
    }
}
