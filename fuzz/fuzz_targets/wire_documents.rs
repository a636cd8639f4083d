//! Documents of the plugin boundary: any text decodes or is refused, and a decoded plan can be checked.
#![no_main]

use llmq_plugin_api::wire;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(plan) = wire::decode::<wire::Plan>("plan", text) {
        let _ = plan.check(3, 3);
    }
    let _ = wire::decode::<wire::Manifest>("manifest", text);
    let _ = wire::decode::<wire::Descriptor>("descriptor", text);
    let _ = wire::decode::<wire::ReaderSummary>("summary", text);
});
