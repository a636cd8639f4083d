//! InternLM 2, vocabulary included: the whole file is the one that the reference converter makes of the same folder
//! (`golden/internlm2`: a SentencePiece model with unused pieces, special tokens over pieces, an end of turn).

use llmq_tests::{Workdir, repository};
use sha2::{Digest, Sha256};

/// SHA-256 of what convert_hf_to_gguf.py wrote with `--outtype bf16`.
const REFERENCE: &str = "524ef03851f8bbf52eda9b608ecabb2a9a749787ff2535dbb6586c1359480406";

#[test]
fn the_file_is_the_reference_converter_s() {
    let work = Workdir::new();
    let model = repository::root().join("tests/golden/internlm2/model");
    work.program(["quantize", "-q", "BF16", "-n", "out"]).args([model.as_os_str(), "gguf".as_ref()]).succeed();
    let file = std::fs::read(work.join("out.gguf")).expect("an output");
    let digest: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, REFERENCE);
}
