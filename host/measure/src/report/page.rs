//! One self-contained HTML page: no script, nothing loaded from anywhere, readable in light, dark and on paper.

use super::table::Table;
use std::fmt::Write;

/// A page that is put together from top to bottom.
pub(super) struct Page {
    out: String,
}

/// One of the large figures at the top.
pub(super) struct Card {
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) note: String,
}

impl Page {
    /// Kind of the report, what it is about, and one line below.
    pub(super) fn new(kind: &str, subject: &str, line: &str) -> Self {
        let (kind, subject, line) = (escaped(kind), escaped(subject), escaped(line));
        let mut out = String::with_capacity(1 << 16);
        // Writing to a string cannot fail. The policy keeps a browser from running or fetching anything.
        let _ = write!(
            out,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{kind}: {subject}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <header><p class=\"kind\">{kind}</p><h1>{subject}</h1><p class=\"line\">{line}</p></header>\n"
        );
        Self { out }
    }

    pub(super) fn cards(&mut self, cards: &[Card]) {
        self.out.push_str("<section class=\"cards\">\n");
        for Card { label, value, note } in cards {
            let (label, value, note) = (escaped(label), escaped(value), escaped(note));
            let _ = writeln!(
                self.out,
                "<div class=\"card\"><p class=\"label\">{label}</p><p class=\"value\">{value}</p>\
                 <p class=\"note\">{note}</p></div>"
            );
        }
        self.out.push_str("</section>\n");
    }

    pub(super) fn warnings(&mut self, warnings: &[String]) {
        if warnings.is_empty() {
            return;
        }
        self.out.push_str("<section class=\"warnings\"><h2>Warnings</h2><ul>\n");
        for warning in warnings {
            let _ = writeln!(self.out, "<li>{}</li>", escaped(warning));
        }
        self.out.push_str("</ul></section>\n");
    }

    pub(super) fn heading(&mut self, title: &str) {
        let _ = writeln!(self.out, "<h2>{}</h2>", escaped(title));
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        let _ = writeln!(self.out, "<p>{}</p>", escaped(text));
    }

    pub(super) fn table(&mut self, table: &Table) {
        if !table.is_empty() {
            self.out.push_str(&table.html());
        }
    }

    /// A table that is closed until somebody opens it.
    pub(super) fn folded(&mut self, title: &str, table: &Table) {
        if !table.is_empty() {
            let _ = write!(self.out, "<details><summary>{}</summary>\n{}</details>\n", escaped(title), table.html());
        }
    }

    /// A drawing (finished SVG) with what it shows.
    pub(super) fn figure(&mut self, svg: &str, caption: &str) {
        let _ = writeln!(
            self.out,
            "<figure><div class=\"scroll\">{svg}</div><figcaption>{}</figcaption></figure>",
            escaped(caption)
        );
    }

    /// The finished page; `tool` stands in its last line.
    pub(super) fn finish(self, tool: &str) -> String {
        self.out + "<footer>" + &escaped(tool) + "</footer>\n</main>\n</body>\n</html>\n"
    }
}

/// Text that HTML takes for nothing but text, in elements and in quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(letter),
            letter if letter.is_control() || turns(letter) => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}

/// Whether a letter turns the direction of the text behind it, so that names show as what they are not.
pub(super) fn turns(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

const STYLE: &str = include_str!("page.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_text() {
        let name = "</title><script>alert('x')</script>\"&\u{0}\u{202e}";
        let mut page = Page::new("Evaluation", name, name);
        page.warnings(&[name.to_owned()]);
        page.cards(&[Card { label: "a", value: name.to_owned(), note: name.to_owned() }]);
        page.heading(name);
        page.paragraph(name);
        page.figure("<svg></svg>", name);
        let mut table = Table::new(0, &["name"]);
        table.row([name.to_owned()]);
        page.folded(name, &table);
        let html = page.finish(name);
        assert!(!html.contains("<script") && !html.contains("alert('") && !html.contains(['\u{0}', '\u{202e}']));
        assert_eq!(html.matches("&lt;script&gt;alert(&#39;x&#39;)").count(), 12, "every place shows the name");
        assert_eq!(html.matches("<title>").count(), 1);
    }
}
