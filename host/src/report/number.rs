//! Figures as people read them: sizes, counts, times, shares.

use std::time::Duration;

/// A size in decimal units with one digit after the point: `3.9 GB` is 3,900,000,000 bytes.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64;
    let mut unit = "B";
    for next in UNITS {
        // 999.95 would be printed as 1000.0: it belongs to the next unit.
        if value < 999.95 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// A count with commas: `6,738,415,616`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time as a clock shows it: `0:07`, `15:23`, `2:03:45`.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{rest:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}

/// A time with the precision that suits its length: `0.42 s`, `15:23`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() || s < 0.0 => "unknown".into(),
        s if s < 60.0 => format!("{s:.2} s"),
        s => clock(Duration::from_secs_f64(s.min(1e9))),
    }
}

/// Whole percent, rounded down so that 100 means finished.
pub fn percent(done: u64, total: u64) -> u64 {
    match total {
        0 => 100,
        _ => (u128::from(done.min(total)) * 100 / u128::from(total)) as u64,
    }
}

/// Time left if work goes on as fast as it went so far; unknown before anything is done.
pub fn time_left(elapsed: Duration, done: u64, total: u64) -> Option<Duration> {
    if done == 0 || done >= total {
        return None;
    }
    let seconds = elapsed.as_secs_f64() * (total - done) as f64 / done as f64;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_step_to_the_next_unit_where_they_would_print_a_thousand() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (3_900_000_000, "3.9 GB"),
            (u64::MAX, "18.4 EB"),
        ];
        for (value, text) in cases {
            assert_eq!(bytes(value), text);
        }
    }

    #[test]
    fn counts_have_commas() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1000), "1,000");
        assert_eq!(count(6_738_415_616), "6,738,415,616");
    }

    #[test]
    fn times() {
        assert_eq!(clock(Duration::from_secs(7)), "0:07");
        assert_eq!(clock(Duration::from_secs(923)), "15:23");
        assert_eq!(clock(Duration::from_secs(7425)), "2:03:45");
        assert_eq!(duration(0.421), "0.42 s");
        assert_eq!(duration(923.4), "15:23");
        assert_eq!(duration(f64::NAN), "unknown");
    }

    #[test]
    fn a_hundred_percent_means_finished() {
        assert_eq!(percent(999_999, 1_000_000), 99);
        assert_eq!(percent(7, 7), 100);
        assert_eq!(percent(u64::MAX - 1, u64::MAX), 99);
        assert_eq!(percent(0, 0), 100);
    }

    #[test]
    fn time_left_follows_the_pace_so_far() {
        assert_eq!(time_left(Duration::from_secs(10), 25, 100), Some(Duration::from_secs(30)));
        assert_eq!(time_left(Duration::from_secs(10), 0, 100), None);
        assert_eq!(time_left(Duration::from_secs(10), 100, 100), None);
    }
}
