//! Importance matrices as bytes: both forms parse, and no bytes make the parsers panic or allocate beyond the file.

use llmq_gguf::imatrix::{ImatrixError, ImatrixFile, recognize};
use proptest::prelude::*;

const GGUF: &[u8] = include_bytes!("../../../tests/imatrix/tiny-model.gguf");
const EXPERTS: &[u8] = include_bytes!("../../../tests/imatrix/mixtral.gguf");
const DAT: &[u8] = include_bytes!("../../../tests/imatrix/tiny-model.dat");

fn values(file: &ImatrixFile, data: &[u8], entry: usize) -> Vec<f32> {
    let mut out = vec![0.0; file.summary.entries[entry].values as usize];
    file.values(data, entry, &mut out).unwrap();
    out
}

#[test]
fn both_forms_hold_the_same_means() {
    let (new, old) = (ImatrixFile::parse(GGUF).unwrap(), ImatrixFile::parse(DAT).unwrap());
    assert_eq!(
        (new.summary.entries.len(), new.summary.chunk_count, new.summary.chunk_size),
        (14, Some(100), Some(256))
    );
    assert_eq!((old.summary.entries.len(), old.summary.chunk_count, old.summary.chunk_size), (14, Some(100), None));
    assert_eq!(new.summary.datasets, old.summary.datasets);
    for (entry, described) in new.summary.entries.iter().enumerate() {
        assert_eq!((described.counts[0], old.summary.entries[entry].counts[0]), (25_600, 100));
        assert_eq!(described.name, old.summary.entries[entry].name);
        for (sum, chunks) in values(&new, GGUF, entry).iter().zip(values(&old, DAT, entry)) {
            assert_eq!(sum / 25_600.0 * 100.0, chunks);
        }
    }
    let experts = ImatrixFile::parse(EXPERTS).unwrap();
    let down = experts.summary.entries.iter().find(|entry| entry.name.contains("ffn_down_exps")).unwrap();
    assert_eq!((down.values, down.counts.as_slice()), (1024, &[700, 900, 0, 448][..]));
}

#[test]
fn files_are_recognized_by_their_heads() {
    assert_eq!(recognize(&GGUF[..4096], GGUF.len() as u64), 100);
    assert!(recognize(&DAT[..4096], DAT.len() as u64) > 0);
    for other in [&b""[..], b"GGUF", b"{\"a\": 1}", &[0; 64], b"PK\x03\x04 and so on, a compressed archive"] {
        assert_eq!(recognize(other, 1 << 20), 0, "{other:?}");
    }
}

#[test]
fn damage_is_named() {
    // A count, a name and a length of the first entry of the older form; its end.
    let spoil = |at: usize, with: &[u8]| {
        let mut bytes = DAT.to_vec();
        bytes[at..at + with.len()].copy_from_slice(with);
        ImatrixFile::parse(&bytes).unwrap_err()
    };
    assert!(matches!(spoil(0, &[0xff; 4]), ImatrixError::Number { found: -1, .. }));
    assert!(matches!(spoil(0, &[0; 4]), ImatrixError::Empty));
    assert!(matches!(spoil(0, &i32::MAX.to_le_bytes()), ImatrixError::Truncated { .. }));
    assert!(matches!(spoil(4, &i32::MAX.to_le_bytes()), ImatrixError::Name { entry: 1, .. }));
    assert!(matches!(spoil(8, &[0xff; 4]), ImatrixError::Name { entry: 1, .. }));
    assert!(matches!(spoil(31, &i32::MAX.to_le_bytes()), ImatrixError::Truncated { entry: 1, .. }));
    assert!(matches!(ImatrixFile::parse(&DAT[..2000]), Err(ImatrixError::Truncated { .. })));
    // What stands behind the entries may be missing altogether.
    let short = ImatrixFile::parse(&DAT[..DAT.len() - 17]).unwrap();
    assert!(short.summary.chunk_count.is_none() && short.summary.datasets.is_empty());

    let rename = |from: &str, to: &str| {
        let at = GGUF.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        let mut bytes = GGUF.to_vec();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        ImatrixFile::parse(&bytes)
    };
    assert_eq!(rename("imatrix", "imatrux").unwrap_err(), ImatrixError::OtherKind("imatrux".into()));
    assert_eq!(
        rename("imatrix.chunk_size", "imatrix.chunk_sise").unwrap_err(),
        ImatrixError::Key("imatrix.chunk_size")
    );
    let half = rename("blk.0.attn_k.weight.counts", "blk.0.attn_k.weight.coumts").unwrap_err();
    assert_eq!(half, ImatrixError::Half { name: "blk.0.attn_k.weight".into(), missing: "counts" });
    let count = ImatrixFile::parse(GGUF).unwrap().summary.entries[0].counts[0] as f32;
    let at = GGUF.windows(4).rposition(|window| window == count.to_le_bytes()).unwrap();
    let mut bytes = GGUF.to_vec();
    bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(matches!(ImatrixFile::parse(&bytes), Err(ImatrixError::Count { .. })));
}

proptest! {
    #[test]
    fn any_bytes_give_a_file_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        recognize(&bytes, u64::MAX);
        if let Ok(file) = ImatrixFile::parse(&bytes) {
            prop_assert!(file.summary.entries.iter().map(|entry| entry.values).sum::<u64>() <= bytes.len() as u64 / 4);
        }
    }

    #[test]
    fn spoiled_files_give_a_file_or_an_error(old in any::<bool>(), at in 0usize..2000, with in any::<[u8; 4]>(), end in 0usize..19_000) {
        let mut bytes = if old { DAT.to_vec() } else { EXPERTS.to_vec() };
        bytes[at..at + 4].copy_from_slice(&with);
        bytes.truncate(end);
        if let Ok(file) = ImatrixFile::parse(&bytes) {
            for (entry, described) in file.summary.entries.iter().enumerate() {
                prop_assert!(described.values <= bytes.len() as u64 / 4);
                prop_assert_eq!(values(&file, &bytes, entry).len() as u64, described.values);
            }
        }
    }
}
