//! Weights in PyTorch's old format: any bytes give a tensor list or an error, nothing is executed, and every range lies
//! inside the file.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(tensors) = llm_quantize::model::read_torch("fuzz", bytes) {
        for tensor in tensors {
            assert!(tensor.range.end <= bytes.len() && tensor.range.start <= tensor.range.end);
        }
    }
});
