//! How text files are read: form, field, chat template, date, limits.

use crate::{Form, Limits};

/// How a text file is read. The default finds everything out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextOptions {
    /// The form, where name and content should not decide.
    pub form: Option<Form>,
    /// The field (JSON) or column (Parquet) with the document: a string, or a list of chat messages. Without it:
    /// `text`, else `messages`, else `prompt` with `completion`.
    pub field: Option<String>,
    /// Takes all texts of the file as parts of one document, with this between them: for data sets whose rows are lines
    /// (`\n\n` is what evaluations on WikiText put between its rows). Empty texts count as parts. Chats stay documents.
    pub join: Option<String>,
    /// How chats are written out.
    pub chat: ChatOptions,
    /// Caps on memory.
    pub limits: Limits,
}

/// How chats are written out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatOptions {
    /// Which of a model's named templates; without it `default`, as transformers chooses.
    pub template: Option<String>,
    /// What `strftime_now` tells templates that write the date. The clock is never read, so that the same text gives
    /// the same tokens every day. Without a date the function does not exist: templates that look whether it does
    /// use the date they carry (Llama 3.2), and one that calls it anyhow ends in an error that asks for a date.
    pub date: Option<Date>,
}

/// A day of the Gregorian calendar, at midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// The year, 1 to 9999.
    pub year: u16,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month, 1 to 31.
    pub day: u8,
}

impl Date {
    /// Reads `2024-07-26`; `None` if the text is no day of the calendar.
    pub fn parse(text: &str) -> Option<Date> {
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let digits = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| b.is_ascii_digit());
        if parts.next().is_some() || !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
            return None;
        }
        let date = Date { year: year.parse().ok()?, month: month.parse().ok()?, day: day.parse().ok()? };
        date.is_valid().then_some(date)
    }

    /// Whether the calendar has this day.
    pub fn is_valid(self) -> bool {
        (1..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && self.day >= 1
            && self.day <= self.month_days()
    }

    fn is_leap(self) -> bool {
        self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400))
    }

    fn month_days(self) -> u8 {
        match self.month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u8::from(self.is_leap()),
            _ => 31,
        }
    }

    /// The day of the year, from 1.
    pub fn day_of_year(self) -> u16 {
        let before = (1..self.month).map(|month| u16::from(Date { month, ..self }.month_days()));
        before.sum::<u16>() + u16::from(self.day)
    }

    /// The day of the week, Monday being 0.
    pub fn weekday(self) -> usize {
        let years = u32::from(self.year.saturating_sub(1));
        let days = years * 365 + years / 4 - years / 100 + years / 400 + u32::from(self.day_of_year());
        // 1 January of year 1 was a Monday.
        (days as usize + 6) % 7
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_of_the_calendar_are_dates() {
        assert_eq!(Date::parse("2024-02-29"), Some(Date { year: 2024, month: 2, day: 29 }));
        for wrong in ["2023-02-29", "2100-02-29", "2024-13-01", "2024-00-10", "2024-1-1", "0000-01-01", "2024-01-01-"] {
            assert_eq!(Date::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn weekdays() {
        for (date, weekday) in [("2024-07-26", 4), ("2000-01-01", 5), ("1970-01-01", 3), ("0001-01-01", 0)] {
            assert_eq!(Date::parse(date).unwrap().weekday(), weekday, "{date}");
        }
        assert_eq!(Date::parse("2024-12-31").unwrap().day_of_year(), 366);
    }
}
