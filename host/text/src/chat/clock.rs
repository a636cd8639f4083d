//! `strftime` for a day that the caller names; there is no other clock.

use crate::Date;

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The date in a format of C's `strftime`, English names, midnight; an unknown letter is the error.
pub fn format(date: Date, format: &str) -> Result<String, char> {
    let mut out = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        let (mut padded, mut code) = (true, letters.next().unwrap_or('%'));
        if code == '-' {
            (padded, code) = (false, letters.next().unwrap_or('-'));
        }
        let number = |value: u32, width: usize| if padded { format!("{value:0width$}") } else { value.to_string() };
        let month = MONTHS.get(usize::from(date.month).wrapping_sub(1)).copied().unwrap_or_default();
        let day = DAYS[date.weekday() % 7];
        out += &match code {
            'd' => number(date.day.into(), 2),
            'e' => {
                if padded {
                    format!("{:2}", date.day)
                } else {
                    date.day.to_string()
                }
            }
            'm' => number(date.month.into(), 2),
            'y' => number(u32::from(date.year) % 100, 2),
            // Python does not fill years up on Linux.
            'Y' => date.year.to_string(),
            'j' => number(date.day_of_year().into(), 3),
            'b' | 'h' => month.chars().take(3).collect(),
            'B' => month.to_owned(),
            'a' => day.chars().take(3).collect(),
            'A' => day.to_owned(),
            'H' | 'M' | 'S' => number(0, 2),
            'I' => "12".to_owned(),
            'p' => "AM".to_owned(),
            'F' => format!("{}-{:02}-{:02}", date.year, date.month, date.day),
            'T' => "00:00:00".to_owned(),
            'D' => format!("{:02}/{:02}/{:02}", date.month, date.day, date.year % 100),
            '%' => "%".to_owned(),
            other => return Err(other),
        };
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_python_formats_a_day() {
        // Values of Python's datetime(2024, 7, 6).strftime.
        let date = Date { year: 2024, month: 7, day: 6 };
        for (pattern, expected) in [
            ("%d %b %Y", "06 Jul 2024"),
            ("%B %-d, %Y", "July 6, 2024"),
            ("%A %a %e %j", "Saturday Sat  6 188"),
            ("%Y-%m-%d %H:%M:%S", "2024-07-06 00:00:00"),
            ("%F %D %y %% %I %p", "2024-07-06 07/06/24 24 % 12 AM"),
        ] {
            assert_eq!(format(date, pattern).as_deref(), Ok(expected), "{pattern}");
        }
        assert_eq!(format(date, "%Q"), Err('Q'));
    }
}
