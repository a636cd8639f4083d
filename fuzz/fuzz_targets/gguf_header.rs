//! The GGUF header: any bytes give a header or an error, whatever length the file claims to have.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = llmq_gguf::container::decode(bytes, bytes.len() as u64);
    let _ = llmq_gguf::container::decode(bytes, u64::MAX);
});
