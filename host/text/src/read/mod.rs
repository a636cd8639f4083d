//! Readers, one per form: bytes become documents, or pieces of one document.

mod json;
mod jsonl;
mod page;
mod parquet;
mod plain;
mod thrift;
mod zstd;

pub use json::JsonRecords;
pub use jsonl::JsonlRecords;
pub use parquet::ParquetRecords;
pub use plain::PlainText;
