//! Rows of a stored tensor as single precision, in Hugging Face's order.

use super::{Listed, tensor_bytes};
use crate::arch::RowOrder;
use llmq_ggml_blocks::{BlockError, dequantize_rows};
use llmq_plugin_api::sdk::{Error, Kind, MappedFile};

pub(super) fn decode_rows(
    listed: &Listed,
    files: &[MappedFile],
    first_row: usize,
    out: &mut [f32],
) -> Result<(), Error> {
    let info = &listed.stored.info;
    let columns = info.columns() as usize;
    let rows = info.rows() as usize;
    let wanted = out.len() / columns.max(1);
    if columns == 0 || wanted * columns != out.len() || first_row.checked_add(wanted).is_none_or(|end| end > rows) {
        let message = format!(
            "{} values from row {first_row} were asked of `{}`, which has {rows} rows of {columns}",
            out.len(),
            info.name
        );
        return Err(Error::new(Kind::Other, message).subject(&info.name));
    }
    let bytes = tensor_bytes(files, listed.file, &listed.stored)?;
    let row_bytes = bytes.len() / rows;
    let fault = |error: BlockError| match error {
        BlockError::CannotDequantize(ty) => {
            let message = format!("the tensor `{}` is stored as {}, which cannot be decoded yet", info.name, ty.name());
            Error::new(Kind::UnsupportedOperation, message).subject(&info.name)
        }
        other => Error::new(Kind::CorruptInput, format!("{}: {other}", info.name)).subject(&info.name),
    };
    let decode = |row: usize, out: &mut [f32]| {
        let end = row + out.len() / columns;
        dequantize_rows(info.encoding, &bytes[row * row_bytes..end * row_bytes], columns, out).map_err(fault)
    };
    match listed.order {
        RowOrder::AsStored => decode(first_row, out),
        order if info.ne.len() == 1 => {
            let mut stored = vec![0.0; out.len()];
            decode(first_row, &mut stored)?;
            out.iter_mut().enumerate().for_each(|(i, value)| *value = stored[order.stored_row(i)]);
            Ok(())
        }
        order => {
            let mut rows = out.chunks_exact_mut(columns).enumerate();
            rows.try_for_each(|(i, row)| decode(order.stored_row(first_row + i), row))
        }
    }
}
