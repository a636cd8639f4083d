//! How long zstd data can become: its blocks are counted without unpacking them, because Parquet's reader unpacks
//! whatever a page holds, however small the page says it is.

/// No block gives more than this.
const MAX_BLOCK: u64 = 128 << 10;

/// An upper bound of the unpacked length; `None` if the bytes are no zstd frames.
pub fn bound(bytes: &[u8]) -> Option<u64> {
    let mut rest = bytes;
    let mut total = 0u64;
    while !rest.is_empty() {
        let (magic, after) = rest.split_first_chunk::<4>()?;
        let magic = u32::from_le_bytes(*magic);
        if magic & 0xffff_fff0 == 0x184d_2a50 {
            // A frame to be skipped.
            let (length, after) = after.split_first_chunk::<4>()?;
            rest = after.get(u32::from_le_bytes(*length) as usize..)?;
            continue;
        }
        if magic != 0xfd2f_b528 {
            return None;
        }
        let (&descriptor, after) = after.split_first()?;
        let single_segment = descriptor & 0x20 != 0;
        let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let content_size = match descriptor >> 6 {
            0 => usize::from(single_segment),
            1 => 2,
            2 => 4,
            _ => 8,
        };
        let checksum = if descriptor & 4 != 0 { 4 } else { 0 };
        rest = after.get(usize::from(!single_segment) + dictionary + content_size..)?;
        loop {
            let (head, after) = rest.split_first_chunk::<3>()?;
            let head = u32::from_le_bytes([head[0], head[1], head[2], 0]);
            let size = head >> 3;
            let (stored, unpacked) = match (head >> 1) & 3 {
                0 => (size as usize, u64::from(size)),
                1 => (1, u64::from(size)),
                2 => (size as usize, MAX_BLOCK),
                _ => return None,
            };
            rest = after.get(stored..)?;
            total = total.checked_add(unpacked)?;
            if head & 1 == 1 {
                break;
            }
        }
        rest = rest.get(checksum..)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];

    #[test]
    fn blocks_are_counted() {
        // One raw block of three bytes, then one that repeats a byte 100,000 times, the last.
        let mut frame = HEAD.to_vec();
        frame.extend([3 << 3, 0, 0, b'a', b'b', b'c']);
        let repeat = (100_000u32 << 3 | 1 << 1 | 1).to_le_bytes();
        frame.extend([repeat[0], repeat[1], repeat[2], b'x']);
        assert_eq!(bound(&frame), Some(100_003));
        let twice = [frame.clone(), frame.clone()].concat();
        assert_eq!(bound(&twice), Some(200_006));
        for cut in 1..frame.len() {
            assert_eq!(bound(&frame[..cut]), None, "{cut}");
        }
        assert_eq!(bound(b""), Some(0));
        assert_eq!(bound(b"PAR1"), None);
    }
}
