//! How much of a file is taken into memory at once, and how much text one run may hold.

/// Caps on what a hostile or mistaken file can make the program hold. Every cap has an error that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one document of JSONL and Parquet (one line, one row). Plain text has no cap: it is read in windows.
    pub document_bytes: usize,
    /// Bytes of one JSON file, which is parsed as a whole.
    pub json_bytes: usize,
    /// Bytes of the metadata at the end of a Parquet file.
    pub parquet_footer_bytes: usize,
    /// Bytes of one page of a Parquet file, compressed or not.
    pub parquet_page_bytes: usize,
    /// Tokens held in memory, over all files (4 bytes each).
    pub tokens: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            document_bytes: 64 << 20,
            json_bytes: 256 << 20,
            parquet_footer_bytes: 64 << 20,
            parquet_page_bytes: 256 << 20,
            tokens: 1 << 28,
        }
    }
}
