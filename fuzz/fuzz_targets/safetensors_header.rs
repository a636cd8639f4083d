//! The safetensors header: any bytes give a tensor list or an error, and every range lies inside the file.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(tensors) = llm_quantize::model::read_header("fuzz", bytes) {
        for tensor in tensors {
            assert!(tensor.range.end <= bytes.len() && tensor.range.start <= tensor.range.end);
        }
    }
});
