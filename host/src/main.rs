//! The `llm-quantize` binary.

fn main() {
    let args: Vec<_> = std::env::args_os().collect();
    if let Some(code) = llm_quantize::child::answer(&args) {
        std::process::exit(code);
    }
}
