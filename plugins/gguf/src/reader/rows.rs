//! Rows of a tensor as single precision, in Hugging Face's arrangement.

use super::{Listed, Offered, tensor_bytes};
use llmq_ggml_blocks::{BlockError, dequantize_rows};
use llmq_plugin_api::sdk::{Error, Kind, MappedFile};

/// Rows of an offered tensor. Stored rows that only change places are read where they are; others are put together
/// element by element from the stored rows that hold them.
pub(super) fn decode_offered(
    offered: &Offered,
    listed: &[Listed],
    files: &[MappedFile],
    first_row: usize,
    out: &mut [f32],
) -> Result<(), Error> {
    let Some(name) = offered.pieces.first().map(|piece| listed[piece.listed].stored.info.name.as_str()) else {
        return Err(Error::new(Kind::Other, "a tensor without stored parts was asked for"));
    };
    let columns = offered.columns;
    let wanted = out.len() / columns.max(1);
    let beyond = first_row.checked_add(wanted).is_none_or(|end| end > offered.rows);
    if columns == 0 || wanted * columns != out.len() || beyond {
        let message = format!(
            "{} values from row {first_row} were asked of `{name}`, which has {} rows of {columns}",
            out.len(),
            offered.rows
        );
        return Err(Error::new(Kind::Other, message).subject(name));
    }
    let mut scattered = Vec::new();
    for (i, row) in out.chunks_exact_mut(columns).enumerate() {
        let first = (first_row + i) * columns;
        let whole = offered.pieces.iter().find_map(|piece| {
            let (stored, _) = piece.view.find(first)?;
            (piece.view.source_row(stored, columns) == Some(first_row + i)).then_some((piece, stored))
        });
        match whole {
            Some((piece, stored)) => decode_rows(&listed[piece.listed], files, piece.first_row + stored, row)?,
            None => scattered.push(i),
        }
    }
    gather(offered, listed, files, first_row, &scattered, out)?;
    if offered.shift != 0.0 {
        out.iter_mut().for_each(|value| *value -= offered.shift);
    }
    Ok(())
}

/// Rows of `out` whose elements lie apart; every stored row is decoded once.
fn gather(
    offered: &Offered,
    listed: &[Listed],
    files: &[MappedFile],
    first_row: usize,
    rows: &[usize],
    out: &mut [f32],
) -> Result<(), Error> {
    let columns = offered.columns;
    let mut places = Vec::with_capacity(rows.len() * columns);
    for at in rows.iter().flat_map(|row| row * columns..(row + 1) * columns) {
        let element = first_row * columns + at;
        let held = offered.pieces.iter().enumerate().find_map(|(p, piece)| Some((p, piece.view.find(element)?)));
        let Some((piece, (row, column))) = held else {
            let name = &listed[offered.pieces[0].listed].stored.info.name;
            let message = format!("a part of the tensor that `{name}` belongs to is missing");
            return Err(Error::new(Kind::CorruptInput, message).subject(name));
        };
        // A stored vector is one row, whatever its view makes of it.
        let info = &listed[offered.pieces[piece].listed].stored.info;
        let (row, column) =
            if info.ne.len() == 1 { (0, row * offered.pieces[piece].view.columns() + column) } else { (row, column) };
        places.push((piece, row, column, at));
    }
    places.sort_unstable();
    let mut decoded = Vec::new();
    let mut loaded = None;
    for (piece, row, column, at) in places {
        if loaded != Some((piece, row)) {
            let stored = &listed[offered.pieces[piece].listed];
            decoded.resize(stored.stored.info.columns() as usize, 0.0);
            decode_rows(stored, files, offered.pieces[piece].first_row + row, &mut decoded)?;
            loaded = Some((piece, row));
        }
        out[at] = decoded[column];
    }
    Ok(())
}

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
    decode(first_row, out)
}
