//! Parquet: one document per row of a column, row group by row group.
//!
//! Parquet's own reader believes what a file says of itself. So the footer and the page headers are walked first
//! (`thrift`, `page`), and what still makes it panic ends as an error of the file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::{ReaderIter, TreeBuilder};
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type};
use serde_json::{Map, Value};

use super::page::{self, Refusal};
use super::thrift::Outline;
use crate::record::Record;
use crate::{Limits, Place, TextError};

/// More columns (nested ones counted) than data sets have; the schema is read recursively.
const MAX_COLUMNS: usize = 1000;

/// Rows decoded at once.
const BATCH: usize = 64;

/// The documents of a Parquet file.
pub struct ParquetRecords<R: ChunkReader + 'static> {
    reader: SerializedFileReader<R>,
    /// The same file once more, to look through pages.
    pages: R,
    file: String,
    field: Option<String>,
    limits: Limits,
    columns: SchemaDescPtr,
    group: usize,
    rows: Option<ReaderIter>,
    row: u64,
}

impl<R: ChunkReader + 'static> ParquetRecords<R> {
    /// Documents of a file, which is given twice: `reader` and `pages` read the same bytes.
    ///
    /// # Errors
    /// What is no Parquet file, is over the caps, or lacks the column.
    pub fn new(
        reader: R,
        pages: R,
        file: &str,
        field: Option<&str>,
        limits: Limits,
    ) -> Result<ParquetRecords<R>, TextError> {
        check_footer(&pages, file, &limits)?;
        let reader = guarded(file, || SerializedFileReader::new(reader))?;
        let root = reader.metadata().file_metadata().schema_descr().root_schema();
        let columns = guarded(file, || {
            let projection = Type::group_type_builder(root.name()).with_fields(chosen(root, field)).build()?;
            Ok(Arc::new(SchemaDescriptor::new(Arc::new(projection))))
        })?;
        if columns.root_schema().get_fields().is_empty() {
            let present: Vec<String> =
                root.get_fields().iter().take(12).map(|f| f.name().chars().take(40).collect()).collect();
            return Err(TextError::NoField {
                place: Place { file: file.to_owned(), row: 1, unit: "row" },
                wanted: field.unwrap_or("text, messages, or prompt and completion").to_owned(),
                present: if present.is_empty() { "none".to_owned() } else { present.join(", ") },
            });
        }
        let field = field.map(str::to_owned);
        Ok(ParquetRecords {
            reader,
            pages,
            file: file.to_owned(),
            field,
            limits,
            columns,
            group: 0,
            rows: None,
            row: 0,
        })
    }

    /// The next document; `None` at the end.
    ///
    /// # Errors
    /// Pages that are malformed or over the caps, rows that hold no document.
    pub fn next_record(&mut self) -> Result<Option<Record>, TextError> {
        loop {
            if let Some(rows) = &mut self.rows {
                let limit = self.limits.document_bytes;
                let next = guarded(&self.file, || rows.next().transpose())?;
                if let Some(row) = next {
                    self.row += 1;
                    let place = Place { file: self.file.clone(), row: self.row, unit: "row" };
                    let mut left = limit;
                    let fields: Option<Map<String, Value>> =
                        row.into_columns().into_iter().map(|(k, v)| Some((k, json(v, &mut left)?))).collect();
                    let fields = fields.ok_or(TextError::DocumentTooLong { place: place.clone(), limit })?;
                    return Record::from_json(Value::Object(fields), self.field.as_deref(), place).map(Some);
                }
                self.rows = None;
                self.group += 1;
            }
            if self.group >= self.reader.num_row_groups() {
                return Ok(None);
            }
            self.check_pages()?;
            let (reader, group, columns) = (&self.reader, self.group, &self.columns);
            self.rows = Some(guarded(&self.file, || {
                let group = reader.get_row_group(group)?;
                TreeBuilder::new().with_batch_size(BATCH).as_iter(columns.clone(), &*group)
            })?);
        }
    }

    /// Looks through the pages of the wanted columns of the current row group.
    fn check_pages(&self) -> Result<(), TextError> {
        let group = self.reader.metadata().row_group(self.group);
        for column in group.columns() {
            let name = column.column_path().parts().first();
            if !self.columns.root_schema().get_fields().iter().any(|f| Some(f.name()) == name.map(String::as_str)) {
                continue;
            }
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let (Ok(start), Ok(length)) = (u64::try_from(start), u64::try_from(column.compressed_size())) else {
                return Err(self.malformed("a column has a negative place or length".to_owned()));
            };
            let checked = page::check(&self.pages, start, length, column.compression(), self.limits.parquet_page_bytes);
            checked.map_err(|refusal| match refusal {
                Refusal::Malformed(message) => self.malformed(message),
                Refusal::TooLarge { part, bytes } => TextError::ParquetTooLarge {
                    file: self.file.clone(),
                    part,
                    bytes,
                    limit: self.limits.parquet_page_bytes,
                },
            })?;
        }
        Ok(())
    }

    fn malformed(&self, message: String) -> TextError {
        TextError::Parquet { file: self.file.clone(), message }
    }
}

/// The columns that hold the documents.
fn chosen(root: &Type, field: Option<&str>) -> Vec<Arc<Type>> {
    let named = |name: &str| root.get_fields().iter().find(|f| f.name() == name).cloned();
    if let Some(field) = field {
        return named(field).into_iter().collect();
    }
    if let Some(column) = named("text").or_else(|| named("messages")) {
        return vec![column];
    }
    match (named("prompt"), named("completion")) {
        (Some(prompt), Some(completion)) => vec![prompt, completion],
        _ => Vec::new(),
    }
}

/// Walks the metadata at the end of the file before anything believes it.
fn check_footer(reader: &impl ChunkReader, file: &str, limits: &Limits) -> Result<(), TextError> {
    let malformed = |message: &str| TextError::Parquet { file: file.to_owned(), message: message.to_owned() };
    let length = reader.len();
    if length < 12 {
        return Err(malformed("it is shorter than 12 bytes"));
    }
    let tail = reader.get_bytes(length - 8, 8).map_err(|e| malformed(&e.to_string()))?;
    if &tail[4..] != b"PAR1" {
        return Err(malformed("it does not end with PAR1"));
    }
    let footer = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    if footer > limits.parquet_footer_bytes as u64 {
        let part = "the metadata at the end".to_owned();
        return Err(TextError::ParquetTooLarge {
            file: file.to_owned(),
            part,
            bytes: footer,
            limit: limits.parquet_footer_bytes,
        });
    }
    if footer > length - 12 {
        return Err(malformed("its metadata is longer than the file"));
    }
    let bytes = reader.get_bytes(length - 8 - footer, footer as usize).map_err(|e| malformed(&e.to_string()))?;
    let outline = Outline::of(&bytes).map_err(|fault| malformed(&format!("its metadata is broken ({fault:?})")))?;
    match outline.list(2) {
        Some(elements) if elements <= MAX_COLUMNS => Ok(()),
        Some(elements) => Err(malformed(&format!("it has {elements} columns; {MAX_COLUMNS} are read"))),
        None => Err(malformed("its metadata has no schema")),
    }
}

/// Runs a piece of Parquet's reader; its panics become errors of the file.
fn guarded<T>(file: &str, read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, TextError> {
    let message = match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "its contents contradict each other".to_owned(),
    };
    Err(TextError::Parquet { file: file.to_owned(), message })
}

/// A value as JSON, taking its bytes off `left`; `None` when there are too many.
fn json(field: Field, left: &mut usize) -> Option<Value> {
    let mut take = |bytes: usize| left.checked_sub(bytes).map(|rest| *left = rest);
    Some(match field {
        Field::Str(text) => {
            take(text.len())?;
            Value::String(text)
        }
        Field::Bytes(bytes) => {
            take(bytes.len())?;
            bytes.as_utf8().map_or(Value::Null, Value::from)
        }
        Field::Group(row) => {
            take(64)?;
            let fields: Option<Map<String, Value>> =
                row.into_columns().into_iter().map(|(name, value)| Some((name, json(value, left)?))).collect();
            Value::Object(fields?)
        }
        Field::ListInternal(list) => {
            take(64)?;
            let elements: Option<Vec<Value>> = list.elements().iter().map(|e| json(e.clone(), left)).collect();
            Value::Array(elements?)
        }
        Field::MapInternal(map) => {
            take(64)?;
            let entry = |(key, value): &(Field, Field)| {
                let Field::Str(name) = key else { return None };
                Some((name.clone(), json(value.clone(), left)?))
            };
            let fields: Option<Map<String, Value>> = map.entries().iter().map(entry).collect();
            Value::Object(fields?)
        }
        Field::Bool(value) => Value::from(value),
        Field::Byte(value) => Value::from(value),
        Field::Short(value) => Value::from(value),
        Field::Int(value) => Value::from(value),
        Field::Long(value) => Value::from(value),
        Field::UByte(value) => Value::from(value),
        Field::UShort(value) => Value::from(value),
        Field::UInt(value) => Value::from(value),
        Field::ULong(value) => Value::from(value),
        Field::Float(value) => Value::from(value),
        Field::Double(value) => Value::from(value),
        // Kinds that no chat holds.
        _ => Value::Null,
    })
}
