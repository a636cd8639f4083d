//! Plan files and rules of types: any text is read or refused.
#![no_main]

use llm_quantize::plan_file::PlanFile;
use llm_quantize::selector::Rule;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = PlanFile::parse(text, "plan");
    let _ = Rule::parse(text, "rule");
});
