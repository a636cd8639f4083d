//! Committed hashes of what the reference wrote, for the example model and for one with uneven rows.

mod rig;

use rig::{Folder, Job, golden, models};

fn compare(folder: &Folder, text: &str, check_size: bool) {
    let levels = golden::parse(text);
    assert_eq!(levels.len(), 14);
    let mut wrong = Vec::new();
    for level in &levels {
        let output = Job::new(folder, level.name).run().unwrap();
        wrong.extend(level.differences(&output));
        if check_size && output.bytes.len() != level.file_bytes {
            wrong.push(format!("{}: {} bytes, not {}", level.name, output.bytes.len(), level.file_bytes));
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(30)].join("\n"));
}

#[test]
fn the_example_model_has_the_reference_s_tensors_at_every_level() {
    // Another folder name gives another general.name, so only tensors are compared.
    compare(&models::tiny(), include_str!("golden/models/tiny-model.txt"), false);
}

#[test]
fn rows_that_are_not_whole_blocks_get_the_reference_s_substitutes() {
    let folder = models::llama(&models::UNEVEN, "BF16", |_| {});
    compare(&folder, include_str!("golden/models/uneven.txt"), true);
}
