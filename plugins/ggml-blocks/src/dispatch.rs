//! One body of code per kernel, compiled for several kinds of processor; which one runs is decided when it runs.
//!
//! A kernel is written once against [`Lanes`] and marked `inline(always)` all the way down, so that its body lands in
//! the entry points below and is compiled with their features. All paths give the same bytes; fused multiply-add is
//! in none of them, although some of the processors have it.

#![allow(
    unsafe_code,
    reason = "functions compiled for processor features are entered here, after a look at the processor"
)]

use core::fmt;
use std::sync::OnceLock;

use crate::lanes::{Beside, Lanes};

/// A way to compute, from the plainest to the widest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Path {
    /// One group after the other: what the other paths are compared with.
    Scalar,
    /// Vectors of whatever the compiler's target has: SSE2 on x86-64, NEON on AArch64.
    Portable,
    /// 256-bit vectors (x86-64 with AVX2, F16C and BMI).
    Avx2,
    /// 512-bit vectors (x86-64 with AVX-512 F, BW, DQ and VL, and all that AVX2 needs).
    Avx512,
}

impl Path {
    /// All paths of all processors.
    pub const ALL: [Path; 4] = [Path::Scalar, Path::Portable, Path::Avx2, Path::Avx512];

    /// The name that the environment variable `LLMQ_KERNELS` takes.
    pub const fn name(self) -> &'static str {
        match self {
            Path::Scalar => "scalar",
            Path::Portable => "portable",
            Path::Avx2 => "avx2",
            Path::Avx512 => "avx512",
        }
    }

    /// Whether this processor can take the path.
    pub fn is_available(self) -> bool {
        match self {
            Path::Scalar | Path::Portable => true,
            Path::Avx2 => has_avx2(),
            Path::Avx512 => has_avx2() && has_avx512(),
        }
    }

    /// The path that [`quantize_rows`](crate::quantize_rows) takes: the widest that this processor has, or the one that
    /// the environment variable `LLMQ_KERNELS` names if this processor has it. Decided once per process.
    pub fn chosen() -> Path {
        static CHOSEN: OnceLock<Path> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let available = || Path::ALL.into_iter().filter(|path| path.is_available());
            let named = std::env::var("LLMQ_KERNELS").ok();
            let wanted = named.and_then(|name| available().find(|path| path.name().eq_ignore_ascii_case(&name)));
            wanted.or_else(|| available().next_back()).unwrap_or(Path::Portable)
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("avx2") && has!("f16c") && has!("bmi1") && has!("bmi2") && has!("lzcnt") && has!("popcnt")
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx512() -> bool {
    false
}

/// Work that can be compiled for every kind of lane.
pub(crate) trait Kernel {
    fn run<V: Lanes>(self);
}

/// Runs a kernel on a path; on the portable one if the processor lacks the path.
pub(crate) fn run<K: Kernel>(path: Path, kernel: K) {
    match path {
        Path::Scalar => scalar(kernel),
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 if path.is_available() => {
            // SAFETY: the features that the function is compiled with were just seen.
            unsafe { avx2(kernel) }
        }
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 if path.is_available() => {
            // SAFETY: the features that the function is compiled with were just seen.
            unsafe { avx512(kernel) }
        }
        _ => portable(kernel),
    }
}

#[inline(never)]
fn scalar<K: Kernel>(kernel: K) {
    kernel.run::<f32>();
}

#[inline(never)]
fn portable<K: Kernel>(kernel: K) {
    kernel.run::<Beside<f32, 8>>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,f16c,bmi1,bmi2,lzcnt,popcnt")]
fn avx2<K: Kernel>(kernel: K) {
    kernel.run::<Beside<crate::lanes::avx2::Avx2, 2>>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,f16c,bmi1,bmi2,lzcnt,popcnt")]
fn avx512<K: Kernel>(kernel: K) {
    kernel.run::<crate::lanes::avx512::Avx512>();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_path_can_be_taken() {
        assert!(Path::chosen().is_available());
        assert!(Path::ALL.is_sorted());
    }
}
