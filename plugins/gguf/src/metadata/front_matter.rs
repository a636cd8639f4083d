//! The YAML at the head of a README.md, as far as model cards need it.
//!
//! A strict subset in place of a YAML library: top-level `key: value` pairs whose values are plain or quoted scalars,
//! block scalars and lists of scalars. Everything else (nested maps such as `model-index`, anchors, tags) is kept as
//! [`Entry::Other`], so a reader can say that it left it out. No aliases means no expansion bombs; no recursion means no
//! deep nesting. `no` stays text: it is a language far more often than a truth value.

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Nothing, `~` or `null`.
    Null,
    /// One scalar, as text.
    Text(String),
    /// A list of scalars.
    List(Vec<String>),
    /// Outside the subset.
    Other,
}

/// The bytes of front matter that are looked at.
const LIMIT: usize = 1 << 20;

/// The top-level entries in file order; empty if the file does not begin with `---`.
pub(super) fn parse(readme: &[u8]) -> Vec<(String, Entry)> {
    let text = String::from_utf8_lossy(&readme[..readme.len().min(LIMIT)]);
    let mut lines = text.lines();
    if lines.next() != Some("---") {
        return Vec::new();
    }
    let lines: Vec<String> = lines.take_while(|line| *line != "---").map(|line| line.replace('\t', "  ")).collect();
    let mut entries = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = &lines[at];
        at += 1;
        if let Some((key, value)) = key_of(line) {
            let body = lines[at..].iter().take_while(|line| belongs(line)).count();
            entries.push((key, entry(value, &lines[at..at + body])));
            at += body;
        }
    }
    entries
}

/// Whether a line continues the entry above it: indented, a list item, a comment or empty.
fn belongs(line: &str) -> bool {
    line.is_empty() || line.starts_with([' ', '#']) || is_item(line)
}

fn is_item(line: &str) -> bool {
    line == "-" || line.starts_with("- ")
}

/// Splits `key: value` of a line without indentation.
fn key_of(line: &str) -> Option<(String, &str)> {
    if belongs(line) {
        return None;
    }
    let (key, value) = line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, "")))?;
    Some((key.trim().trim_matches(['"', '\'']).to_owned(), value.trim()))
}

fn entry(value: &str, body: &[String]) -> Entry {
    let mut lines = body.iter().map(|line| line.trim_end()).filter(|line| !is_blank(line)).peekable();
    match value.chars().next() {
        Some('|' | '>') => block(value, body),
        Some('[') => {
            let joined = std::iter::once(value).chain(lines.map(str::trim)).collect::<Vec<_>>().join(" ");
            flow(uncommented(&joined))
        }
        Some('#') | None => match lines.peek() {
            None => Entry::Null,
            Some(first) if is_item(first.trim_start()) => items(lines),
            Some(first) if key_of(first.trim_start()).is_some() => Entry::Other,
            Some(_) => joined(lines),
        },
        Some(_) if lines.peek().is_none() => scalar(value),
        Some(_) => joined(std::iter::once(value).chain(lines)),
    }
}

fn is_blank(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// A scalar that runs over several lines.
fn joined<'a>(lines: impl Iterator<Item = &'a str>) -> Entry {
    scalar(&lines.map(str::trim).collect::<Vec<_>>().join(" "))
}

fn items<'a>(lines: impl Iterator<Item = &'a str>) -> Entry {
    let mut list: Vec<String> = Vec::new();
    let mut indent = None;
    for line in lines {
        let depth = line.len() - line.trim_start().len();
        let item = line.trim_start();
        let first = *indent.get_or_insert(depth);
        let Some(text) = item.strip_prefix('-').filter(|_| depth == first && is_item(item)) else {
            return Entry::Other;
        };
        match scalar(text.trim()) {
            Entry::Text(text) => list.push(text),
            Entry::Null => {}
            Entry::List(_) | Entry::Other => return Entry::Other,
        }
    }
    Entry::List(list)
}

/// `[a, "b, c", d]` without nesting.
fn flow(text: &str) -> Entry {
    let Some(inner) = text.strip_prefix('[').and_then(|text| text.trim_end().strip_suffix(']')) else {
        return Entry::Other;
    };
    let mut list = Vec::new();
    let mut quote = None;
    let mut start = 0;
    let mut push = |text: &str| match scalar(text.trim()) {
        Entry::Text(text) => {
            list.push(text);
            true
        }
        Entry::Null => true,
        Entry::List(_) | Entry::Other => false,
    };
    for (at, letter) in inner.char_indices() {
        match (quote, letter) {
            (None, '"' | '\'') if inner[start..at].trim().is_empty() => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None, ',') => {
                if !push(&inner[start..at]) {
                    return Entry::Other;
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    if quote.is_some() || !push(&inner[start..]) { Entry::Other } else { Entry::List(list) }
}

/// `|` keeps line ends, `>` folds them; `-` drops the last one.
fn block(header: &str, body: &[String]) -> Entry {
    let (style, chomp) = header.split_at(1);
    if !matches!(chomp, "" | "-" | "+") {
        return Entry::Other;
    }
    let lines: Vec<_> = body.iter().map(|line| line.trim()).collect();
    let mut text = lines.join(if style == "|" { "\n" } else { " " }).trim_end().to_owned();
    if chomp != "-" && !text.is_empty() {
        text.push('\n');
    }
    Entry::Text(text)
}

/// A comment begins with a space and `#`.
fn uncommented(text: &str) -> &str {
    text.split_once(" #").map_or(text, |(text, _)| text).trim_end()
}

fn scalar(text: &str) -> Entry {
    let quoted = |quote: char| {
        let rest = text.strip_prefix(quote)?;
        let (inner, tail) = rest.rsplit_once(quote)?;
        let tail = tail.trim_start();
        (tail.is_empty() || tail.starts_with('#')).then_some(inner)
    };
    match text.chars().next() {
        None => Entry::Null,
        Some('"') => quoted('"').map_or(Entry::Other, double_quoted),
        Some('\'') => quoted('\'').map_or(Entry::Other, |inner| Entry::Text(inner.replace("''", "'"))),
        Some('&' | '*' | '!' | '{' | '[' | '@' | '`' | '%') => Entry::Other,
        Some(_) => match uncommented(text) {
            "~" | "null" | "Null" | "NULL" => Entry::Null,
            text if text.contains(": ") || text.ends_with(':') => Entry::Other,
            text => Entry::Text(text.to_owned()),
        },
    }
}

fn double_quoted(inner: &str) -> Entry {
    let mut text = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return Entry::Other,
            '\\' => match letters.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(plain @ ('"' | '\\' | '/')) => text.push(plain),
                _ => return Entry::Other,
            },
            plain => text.push(plain),
        }
    }
    Entry::Text(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn get(yaml: &str, key: &str) -> Entry {
        let entries = parse(format!("---\n{yaml}\n---\n# Model\nlicense: not this\n").as_bytes());
        entries.into_iter().find(|(name, _)| name == key).map_or(Entry::Null, |(_, entry)| entry)
    }

    fn text(text: &str) -> Entry {
        Entry::Text(text.to_owned())
    }

    fn list(items: &[&str]) -> Entry {
        Entry::List(items.iter().map(|item| (*item).to_owned()).collect())
    }

    #[test]
    fn the_forms_that_model_cards_use_are_read() {
        let card = "license: apache-2.0 # free\ntags:\n- text-generation\n- 'it''s'\nlanguage:\n  - en\n  - no\n\
                    datasets: [a/b, \"c, d\",\n  e]\nlibrary: \"x\\\"y\"\nempty:\nabout: |\n  one\n  two\nlong: >-\n  one\n  \
                    two\nurl: https://x/y";
        assert_eq!(get(card, "license"), text("apache-2.0"));
        assert_eq!(get(card, "tags"), list(&["text-generation", "it's"]));
        assert_eq!(get(card, "language"), list(&["en", "no"]));
        assert_eq!(get(card, "datasets"), list(&["a/b", "c, d", "e"]));
        assert_eq!(get(card, "library"), text("x\"y"));
        assert_eq!(get(card, "empty"), Entry::Null);
        assert_eq!(get(card, "about"), text("one\ntwo\n"));
        assert_eq!(get(card, "long"), text("one two"));
        assert_eq!(get(card, "url"), text("https://x/y"));
    }

    #[test]
    fn what_lies_outside_the_subset_is_called_so() {
        let card = "model-index:\n- name: x\n  results:\n  - task: y\nwidget:\n  text: z\nalias: *a\nlicense: mit";
        assert_eq!(get(card, "model-index"), Entry::Other);
        assert_eq!(get(card, "widget"), Entry::Other);
        assert_eq!(get(card, "alias"), Entry::Other);
        assert_eq!(get(card, "license"), text("mit"), "what follows is still read");
    }

    #[test]
    fn without_front_matter_there_is_nothing() {
        assert!(parse(b"# Title\nlicense: mit\n").is_empty());
        assert!(parse(b"").is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(body in "[-:#\"'\\[\\],|>& \n\tab\u{e9}]{0,120}") {
            let _ = parse(format!("---\n{body}").as_bytes());
        }
    }
}
