//! Numbers as people read them: digits that mean something, the same on every machine.

use crate::Estimate;

/// `value` with `digits` significant digits; very large and very small ones with an exponent.
pub(super) fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if !value.is_finite() {
        return value.to_string();
    }
    let power = value.abs().log10().floor() as i32;
    let digits = digits.max(1);
    if (-4..=6).contains(&power) {
        let decimals = (digits as i32 - 1 - power).max(0) as usize;
        format!("{value:.decimals$}")
    } else {
        format!("{value:.*e}", digits - 1)
    }
}

/// `6.2331 ± 0.0371`: the error with two digits, the figure as far as the error lets it mean something.
pub(super) fn estimate(estimate: Estimate) -> String {
    scaled(estimate, 1.0)
}

/// `6.2331 ± 0.037`: the figure with five digits whatever its error, for what is also compared in pairs, where most of the
/// error drops out.
pub(super) fn figure(estimate: Estimate) -> String {
    let error = estimate.error.filter(|error| *error > 0.0).map(|error| format!(" ± {}", significant(error, 2)));
    significant(estimate.value, 5) + &error.unwrap_or_default()
}

/// The same as [`estimate`] for a share, in percent.
pub(super) fn percent_estimate(estimate: Estimate) -> String {
    scaled(estimate, 100.0) + " %"
}

fn scaled(estimate: Estimate, factor: f64) -> String {
    let value = estimate.value * factor;
    match estimate.error.map(|error| error * factor) {
        Some(error) if error > 0.0 && error.is_finite() => {
            let power = error.log10().floor() as i32;
            match power {
                -8..=6 => {
                    let decimals = (1 - power).max(0) as usize;
                    format!("{value:.decimals$} ± {error:.decimals$}")
                }
                _ => format!("{} ± {error:.1e}", significant(value, 5)),
            }
        }
        _ => significant(value, 5),
    }
}

/// A share in percent.
pub(super) fn percent(share: f64) -> String {
    let text = format!("{:.2} %", share * 100.0);
    match text.strip_prefix('-') {
        Some("0.00 %") => "0.00 %".to_owned(),
        _ => text,
    }
}

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes in the largest binary unit that leaves at least 1.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let unit = ((bytes.ilog2() / 10) as usize).min(UNITS.len());
    format!("{} {}", significant(bytes as f64 / 1024f64.powi(unit as i32), 4), UNITS[unit - 1])
}

/// Seconds, minutes or hours.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{} s", significant(s, 3)),
        s if s < 7200.0 => format!("{:.1} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_that_mean_something() {
        let shown = [0.0, 6.233_14, 0.032_01, 1234.567, 1.2345e-7, -0.5, 2.5e12].map(|value| significant(value, 4));
        assert_eq!(shown, ["0", "6.233", "0.03201", "1235", "1.235e-7", "-0.5000", "2.500e12"]);
        let with = |value, error| estimate(Estimate { value, error });
        assert_eq!(with(6.233_142, Some(0.0371)), "6.233 ± 0.037");
        assert_eq!(with(12_345.6, Some(321.0)), "12346 ± 321");
        assert_eq!((with(1.5, None), with(1.5, Some(0.0))), ("1.5000".to_owned(), "1.5000".to_owned()));
        assert_eq!(with(1e300, Some(1e299)), "1.0000e300 ± 1.0e299");
        assert_eq!(percent_estimate(Estimate { value: 0.91931, error: Some(0.0031) }), "91.93 ± 0.31 %");
        assert_eq!([0.5, -0.25, -1e-6].map(percent), ["50.00 %", "-25.00 %", "0.00 %"]);
        assert_eq!(figure(Estimate { value: 100.0312, error: Some(11.7) }), "100.03 ± 12");
        assert_eq!(figure(Estimate { value: 6.0, error: None }), "6.0000");
    }

    #[test]
    fn sizes_and_times() {
        let shown = [0, 999, 1000, 1_234_567, u64::MAX].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567", "18,446,744,073,709,551,615"]);
        assert_eq!([512, 1024, 4_123_456_789, u64::MAX].map(bytes), ["512 B", "1.000 KiB", "3.840 GiB", "16384 PiB"]);
        assert_eq!([0.5, 119.0, 150.0, 9000.0].map(duration), ["0.500 s", "119 s", "2.5 min", "2.5 h"]);
    }
}
