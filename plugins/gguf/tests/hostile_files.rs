//! Damaged model files through the whole reader: errors at most, never a panic, never a huge allocation.

mod rig;

use llmq_gguf::GgufBackend;
use llmq_plugin_api::client::Backend;
use llmq_plugin_api::sdk::{Kind, MappedFile};
use proptest::prelude::*;
use rig::models::{self, Shape};
use rig::{Host, Job};
use std::sync::OnceLock;

/// A whole file with every kind of tensor, and the length of its header.
fn sound() -> &'static (Vec<u8>, usize) {
    static FILE: OnceLock<(Vec<u8>, usize)> = OnceLock::new();
    FILE.get_or_init(|| {
        let shape = Shape { hidden: 256, intermediate: 256, heads: 8, kv_heads: 4, layers: 1 };
        let output = Job::new(&models::llama(&shape, "BF16", |_| {}), "Q4_K_M").run().unwrap();
        let header = output.plan.literals[0].bytes as usize;
        (output.bytes, header)
    })
}

/// Does with a file all that a host does. A panic inside comes back as an error of its own kind.
fn exercise(bytes: &[u8]) {
    let file = [MappedFile { name: "damaged.gguf", data: bytes, length: bytes.len() as u64 }];
    let backend = Backend::in_process(GgufBackend).unwrap();
    let host = Host::new(1);
    let reader = match backend.open(&host, &file) {
        Ok(reader) => reader,
        Err(error) => {
            assert_ne!(error.kind, Kind::Panic, "{} at {}", error.message, error.backtrace);
            return;
        }
    };
    for (index, tensor) in reader.summary().tensors.iter().enumerate() {
        let columns = tensor.shape.last().copied().unwrap_or(1) as usize;
        assert!(columns <= bytes.len() * 8, "a tensor claims more than the file can hold");
        let mut row = vec![0.0; columns];
        if let Err(error) = reader.decode_rows(&file, index, 0, &mut row) {
            assert_ne!(error.kind, Kind::Panic, "{}", error.message);
        }
    }
    if let Err(error) = reader.validate(&host, &file) {
        assert_ne!(error.kind, Kind::Panic, "{}", error.message);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bytes_of_the_header(hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let (bytes, header) = sound();
        let mut bytes = bytes.clone();
        for (at, byte) in hits {
            bytes[at.index(*header)] = byte;
        }
        exercise(&bytes);
    }

    #[test]
    fn flipped_bytes_near_the_ends_of_the_header(
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), any::<u8>()), 1..8),
    ) {
        // Numbers of the model and the tensor list are at the two ends; the vocabulary between them is robust.
        let (bytes, header) = sound();
        let mut bytes = bytes.clone();
        for (at, front, byte) in hits {
            let at = at.index(900);
            let at = if front { at } else { header - 900 + at };
            bytes[at] = byte;
        }
        exercise(&bytes);
    }

    #[test]
    fn cut_files(at in any::<prop::sample::Index>()) {
        let (bytes, header) = sound();
        exercise(&bytes[..at.index(header + 2000)]);
        exercise(&bytes[..at.index(bytes.len())]);
    }
}
