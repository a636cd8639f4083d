//! A user's description of a family: any text is a family or a sentence about its first mistake.
#![no_main]

use llm_quantize::model::family::family_like;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(problem) = family_like(text) {
        assert!(!problem.is_empty());
    }
});
