//! The binary contract on paper: every type that crosses the boundary, with sizes, fields and methods.
//!
//! The print is compared with `layout.golden.txt`. A difference is not forbidden, it must be *seen*: appended methods
//! and root fields keep 1.x compatible, everything else breaks every plugin in the world (see `abi`'s module docs).
//! After a wanted change: `UPDATE_GOLDEN=1 cargo test -p llmq-plugin-api --test layout`, and commit the difference.

#![cfg(target_pointer_width = "64")] // the golden sizes are those of 64-bit systems

use abi_stable::StableAbi;
use abi_stable::std_types::UTypeId;
use abi_stable::type_layout::{TLData, TLFields, TypeLayout};
use llmq_plugin_api::abi::{
    BackendBox, FileView, HostRef, JobRef, ModelRef, PluginError, PluginRootRef, ReaderBox, SessionBox, SinkRef,
    StatView, StatisticsFileBox, TensorView, UnitView,
};
use std::collections::{BTreeSet, HashSet};

/// One paragraph per type, sorted; types that were printed are known by their id, as names do not tell all of them apart.
#[derive(Default)]
struct Print {
    seen: HashSet<UTypeId>,
    paragraphs: BTreeSet<String>,
}

impl Print {
    fn add(&mut self, layout: &'static TypeLayout) {
        if !self.seen.insert(layout.get_utypeid()) {
            return;
        }
        let name = layout.full_type();
        let mut text = format!("{name}: {} bytes, alignment {}\n", layout.size(), layout.alignment());
        match layout.data() {
            TLData::Struct { fields } | TLData::Union { fields } => text.push_str(&printed(&fields)),
            TLData::Enum(of) => {
                text.push_str(&format!("    variants {}\n{}", of.variant_names, printed(&of.fields)));
            }
            TLData::PrefixType(prefix) => {
                let first = prefix.first_suffix_field;
                text.push_str(&format!("    prefix type, fields of 1.0: {first}\n{}", printed(&prefix.fields)));
            }
            TLData::Primitive(_) | TLData::Opaque => {}
        }
        self.paragraphs.insert(text);
        // Method tables hang on trait objects as phantom fields; the rest are types of fields and of parameters.
        layout.phantom_fields().iter().for_each(|field| self.add(field.layout()));
        layout.shared_vars().type_layouts().iter().for_each(|layout| self.add(layout()));
    }
}

/// A field's own print without the crate's version, which changes without any change of the layout.
fn printed(fields: &TLFields) -> String {
    let mut text = String::new();
    for field in fields.iter() {
        let print = field.to_string();
        let lines = print.lines().filter(|line| !line.starts_with("package:") && !line.trim().is_empty());
        lines.enumerate().for_each(|(n, line)| {
            text.push_str(if n == 0 { "    " } else { "        " });
            text.push_str(line);
            text.push('\n');
        });
    }
    text
}

#[test]
fn the_binary_layout_is_the_committed_one() {
    let roots = [
        <PluginRootRef as StableAbi>::LAYOUT,
        <BackendBox as StableAbi>::LAYOUT,
        <SessionBox as StableAbi>::LAYOUT,
        <ReaderBox as StableAbi>::LAYOUT,
        <StatisticsFileBox as StableAbi>::LAYOUT,
        <HostRef as StableAbi>::LAYOUT,
        <ModelRef as StableAbi>::LAYOUT,
        <SinkRef as StableAbi>::LAYOUT,
        <JobRef as StableAbi>::LAYOUT,
        <PluginError as StableAbi>::LAYOUT,
        <FileView as StableAbi>::LAYOUT,
        <TensorView as StableAbi>::LAYOUT,
        <StatView as StableAbi>::LAYOUT,
        <UnitView as StableAbi>::LAYOUT,
    ];
    let mut print = Print::default();
    roots.into_iter().for_each(|layout| print.add(layout));
    let text = print.paragraphs.into_iter().collect::<Vec<_>>().join("\n");
    for method in ["parallel_for", "quantize", "decode_rows", "probe_device", "read_values", "encode_text", "feedback"]
    {
        assert!(text.contains(method), "the walk does not reach the method `{method}`");
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/layout.golden.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &text).expect("the golden file can be written");
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    let changed = golden.lines().zip(text.lines()).find(|(old, new)| old != new);
    assert!(
        golden == text,
        "the binary layout changed; first different line: {changed:?}, lines: {} against {}. If it only grew at the \
         end, update with UPDATE_GOLDEN=1 and let it be reviewed; else every plugin in the world breaks",
        golden.lines().count(),
        text.lines().count()
    );
}
