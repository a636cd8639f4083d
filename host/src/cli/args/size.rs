//! Sizes as people type them: `512M`, `2GiB`, `1.5 GB`, plain bytes.

/// Bytes of a typed size. A bare letter and `KiB`, `MiB`, ... count in 1024s, `kB`, `MB`, ... in 1000s, as GNU tools do.
pub fn parse(text: &str) -> Result<u64, String> {
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (figure, unit) = trimmed.split_at(split);
    let value: f64 = figure.parse().map_err(|_| complaint(text))?;
    let bytes = value * factor(unit.trim()).ok_or_else(|| complaint(text))?;
    match bytes {
        b if !(1.0..9.0e18).contains(&b) => Err(complaint(text)),
        b => Ok(b as u64),
    }
}

fn factor(unit: &str) -> Option<f64> {
    const LETTERS: [&str; 5] = ["", "k", "m", "g", "t"];
    let power = |letter: &str| LETTERS.iter().position(|known| *known == letter).map(|power| power as i32);
    let lower = unit.to_ascii_lowercase();
    let binary = match lower.strip_suffix("ib") {
        Some(letter) => power(letter).filter(|power| *power > 0),
        None => power(&lower).or((lower == "b").then_some(0)),
    };
    let decimal = || lower.strip_suffix('b').and_then(power).map(|power| 1000f64.powi(power));
    binary.map(|power| 1024f64.powi(power)).or_else(decimal)
}

fn complaint(text: &str) -> String {
    format!("`{text}` is not a size; write for example 8GiB, 512M or 4000000000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let cases = [
            ("1", 1),
            ("4096b", 4096),
            ("512M", 512 << 20),
            ("2GiB", 2 << 30),
            ("2gb", 2_000_000_000),
            ("1.5 GB", 1_500_000_000),
            ("1k", 1024),
            ("3T", 3 << 40),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "G", "0", "-1", "1.2.3", "12X", "1e9", "99999999T", "nan", "5 G B", "iB", "7ib"] {
            assert!(parse(text).is_err(), "{text} gave {:?}", parse(text));
        }
    }
}
