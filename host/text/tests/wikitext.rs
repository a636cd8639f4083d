//! WikiText-2's test text has transformers' tokens, window by window: with `LLMQ_SHARED`, where the models lie.

use std::path::PathBuf;

use llmq_text::{Packing, TextFile, TextOptions, Tokenizer, samples};

/// Model, number of tokens, SHA-256 of 1 and all tokens (each 4 bytes, little-endian), both from transformers 5.23.0's
/// `AutoTokenizer` on the text as a whole.
const GOLDEN: [(&str, usize, &str); 6] = [
    ("trained", 473605, "9e37d0b6d94bb7f8e152a3fd23d51261ec8405f9fa321913e9e671d5db436b90"),
    ("trained-mini", 524881, "a3940b6158a2dc76a3eab58648e88de926660ad93341bd41289b8e221355d2f4"),
    ("found/tok/gpt2", 286221, "6ce3c33dc0d1c7be31f1e4082287c15202dac865299830c9c4d3ddcf6bdd6449"),
    ("found/stories260K", 809290, "230f1baab31b5e591ec8318d71495ce11112c29b123a22c54ee6cbe2a205df26"),
    ("arch/llama", 799439, "ff8caa213c27f629dec57c0079db48064f2290b0b6dd678eebfe74c945bfd0e8"),
    ("arch/gemma2", 741269, "56242ebeacd53286e6a10880b0db49dd56ba7977e3a3c837d77dd3744c0cf0b2"),
];

#[test]
fn tokens_of_wikitext_equal_transformers() {
    let Some(shared) = std::env::var_os("LLMQ_SHARED").map(PathBuf::from) else { return };
    let models = shared.join("models");
    let text = TextFile::open(&models.join("found/text/wiki.test.raw"), &TextOptions::default()).unwrap();
    assert_eq!(text.fingerprint().unwrap().1, "173c87a53759e0201f33e0ccf978e510c2042d7f2cb78229d9a50d79b9e7dd08");
    for (model, count, digest) in GOLDEN {
        let tokenizer = Tokenizer::from_folder(&models.join(model)).unwrap();
        let packed = samples(std::slice::from_ref(&text), &tokenizer, &Packing::new(1)).unwrap();
        assert_eq!((packed.tokens.len(), packed.report.digest.as_str()), (count, digest), "{model}");
    }
}
