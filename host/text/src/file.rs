//! A text file as it was named, its form found out; reading begins with the first document.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::read::{JsonRecords, JsonlRecords, ParquetRecords, PlainText};
use crate::record::{Content, Record};
use crate::{Form, Place, TextError, TextOptions};

/// Bytes by which the form is recognised; a first line longer than this leaves `.json` a single JSON value.
const HEAD: u64 = 1 << 20;

/// A file of text, or text in memory.
#[derive(Debug, Clone)]
pub struct TextFile {
    name: String,
    source: Source,
    form: Form,
    options: TextOptions,
    remark: Option<String>,
}

#[derive(Debug, Clone)]
enum Source {
    Path(PathBuf),
    Memory(Bytes),
}

impl TextFile {
    /// A file on disk. It is opened for its first bytes, which give its form, and read by [`crate::samples`].
    ///
    /// # Errors
    /// Files that do not exist or are none, compressed files, UTF-16.
    pub fn open(path: &Path, options: &TextOptions) -> Result<TextFile, TextError> {
        let name = path.display().to_string();
        let io = |source| TextError::Io { file: name.clone(), source };
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(TextError::NotAFile { file: name });
        }
        let mut head = Vec::new();
        File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head)).map_err(io)?;
        TextFile::of(name, Source::Path(path.to_owned()), &head, options)
    }

    /// Text in memory, with a name by which errors call it and whose extension gives the form.
    ///
    /// # Errors
    /// Compressed text, UTF-16.
    pub fn from_bytes(name: &str, bytes: impl Into<Vec<u8>>, options: &TextOptions) -> Result<TextFile, TextError> {
        let bytes = Bytes::from(bytes.into());
        TextFile::of(name.to_owned(), Source::Memory(bytes.clone()), &bytes, options)
    }

    /// Text that is part of the program.
    pub(crate) fn of_static(name: &str, text: &'static [u8], form: Form) -> TextFile {
        let source = Source::Memory(Bytes::from_static(text));
        TextFile { name: name.to_owned(), source, form, options: TextOptions::default(), remark: None }
    }

    fn of(name: String, source: Source, head: &[u8], options: &TextOptions) -> Result<TextFile, TextError> {
        let form = match options.form {
            Some(form) => form,
            None => Form::recognize(&name, head)?,
        };
        Ok(TextFile { name, source, form, options: options.clone(), remark: None })
    }

    /// Adds a sentence that every report on this text carries as a warning.
    pub fn with_remark(mut self, remark: impl Into<String>) -> TextFile {
        self.remark = Some(remark.into());
        self
    }

    /// Gives it another name in errors and reports.
    pub fn called(mut self, name: impl Into<String>) -> TextFile {
        self.name = name.into();
        self
    }

    /// The name as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is read.
    pub fn form(&self) -> Form {
        self.form
    }

    /// How it is read, in detail.
    pub fn options(&self) -> &TextOptions {
        &self.options
    }

    pub(crate) fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    /// Length and SHA-256 of the whole file, so that calibration and evaluation on one file can be noticed.
    ///
    /// # Errors
    /// What the file system says.
    pub fn fingerprint(&self) -> Result<(u64, String), TextError> {
        let io = |source| TextError::Io { file: self.name.clone(), source };
        let mut hash = Sha256::new();
        let length = match &self.source {
            Source::Path(path) => {
                File::open(path).and_then(|mut file| std::io::copy(&mut file, &mut hash)).map_err(io)?
            }
            Source::Memory(bytes) => {
                hash.update(bytes);
                bytes.len() as u64
            }
        };
        Ok((length, hex(&hash.finalize())))
    }

    /// The first documents, at most `most`, as they stand in the file: chats not written out, rows not joined, of plain
    /// text the first piece.
    ///
    /// # Errors
    /// What is wrong with the file up to there.
    pub fn preview(&self, most: usize) -> Result<Vec<Record>, TextError> {
        let mut found = Vec::new();
        let mut documents = self.read()?;
        while found.len() < most {
            let next = match &mut documents {
                Documents::Plain(_) if !found.is_empty() => None,
                Documents::Plain(text) => text.next_piece()?.map(|text| Record {
                    place: Place { file: self.name.clone(), row: 1, unit: "document" },
                    content: Content::Text(text),
                }),
                records => records.next_record()?,
            };
            match next {
                Some(record) => found.push(record),
                None => break,
            }
        }
        Ok(found)
    }

    /// The file's documents from the first on.
    pub(crate) fn read(&self) -> Result<Documents, TextError> {
        let io = |source| TextError::Io { file: self.name.clone(), source };
        let open = || -> Result<Box<dyn Read>, TextError> {
            Ok(match &self.source {
                Source::Path(path) => Box::new(File::open(path).map_err(io)?),
                Source::Memory(bytes) => Box::new(std::io::Cursor::new(bytes.clone())),
            })
        };
        let (name, field, limits) = (&self.name, self.options.field.as_deref(), self.options.limits);
        Ok(match (self.form, &self.source) {
            (Form::Plain, _) => Documents::Plain(PlainText::new(open()?, name)),
            (Form::Jsonl, _) => {
                let reader = BufReader::with_capacity(256 << 10, open()?);
                Documents::Jsonl(JsonlRecords::new(reader, name, field, limits.document_bytes))
            }
            (Form::Json, _) => Documents::Json(JsonRecords::new(open()?, name, field, limits.json_bytes)?),
            (Form::Parquet, Source::Path(path)) => {
                let (one, two) = (File::open(path).map_err(io)?, File::open(path).map_err(io)?);
                Documents::ParquetFile(Box::new(ParquetRecords::new(one, two, name, field, limits)?))
            }
            (Form::Parquet, Source::Memory(bytes)) => {
                let records = ParquetRecords::new(bytes.clone(), bytes.clone(), name, field, limits)?;
                Documents::ParquetMemory(Box::new(records))
            }
        })
    }
}

/// The documents of a file: one in pieces, or records.
pub(crate) enum Documents {
    /// One document.
    Plain(PlainText<Box<dyn Read>>),
    /// Records of lines.
    Jsonl(JsonlRecords<BufReader<Box<dyn Read>>>),
    /// Records of an array.
    Json(JsonRecords),
    /// Rows.
    ParquetFile(Box<ParquetRecords<File>>),
    /// Rows.
    ParquetMemory(Box<ParquetRecords<Bytes>>),
}

impl Documents {
    /// The next record. Plain text has none; it is read in pieces.
    pub fn next_record(&mut self) -> Result<Option<Record>, TextError> {
        match self {
            Documents::Plain(_) => Ok(None),
            Documents::Jsonl(records) => records.next_record(),
            Documents::Json(records) => records.next_record(),
            Documents::ParquetFile(records) => records.next_record(),
            Documents::ParquetMemory(records) => records.next_record(),
        }
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
