//! What a model's id says: organization, base name, size, fine-tune, version.
//!
//! The rules are those of llama.cpp's converter, down to the odd ones, because files are compared with its files.

use std::sync::LazyLock;

use regex::Regex;

/// The parts of `org/name-7B-instruct-v0.2`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ModelId {
    pub(super) name: Option<String>,
    pub(super) organization: Option<String>,
    pub(super) basename: Option<String>,
    pub(super) finetune: Option<String>,
    pub(super) version: Option<String>,
    pub(super) size_label: Option<String>,
}

/// What one dash-separated part can be; a part can be several things.
#[derive(Clone, Copy, Default)]
struct Marks {
    basename: bool,
    size: bool,
    finetune: bool,
    version: bool,
    encoding: bool,
}

impl Marks {
    fn count(self) -> usize {
        [self.basename, self.size, self.finetune, self.version, self.encoding].into_iter().filter(|mark| *mark).count()
    }
}

struct Part {
    text: String,
    marks: Marks,
}

fn pattern(expression: &str) -> Regex {
    Regex::new(&format!("(?i)^(?:{expression})$")).expect("the expression is a constant")
}

static VERSION: LazyLock<Regex> = LazyLock::new(|| pattern(r"(v|iter)?[0-9]+([.][0-9]+)*"));
static ENCODING: LazyLock<Regex> = LazyLock::new(|| pattern(r"i?q[0-9](_\w)*|b?fp?(16|32)"));
static SIZE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(a|[0-9]+x)?[0-9]+([._][0-9]+)?[kmbt][0-9]?|small|mini|medium|large|x?xl"));
static FINETUNE: LazyLock<Regex> = LazyLock::new(|| pattern("chat|instruct|vision|lora"));
static KEPT_IN_TITLE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(v[0-9]+(\.[0-9]+)*|[0-9].*)$").expect("the expression is a constant"));

impl ModelId {
    /// Takes an id apart; `total` is the model's parameter count (0 if unknown), which tells sizes from context lengths.
    pub(super) fn parse(id: &str, total: u64) -> Self {
        if id.contains(' ') {
            // A sentence is a name and nothing more.
            return Self { name: Some(id.to_owned()), ..Self::default() };
        }
        let (organization, name) = match id.split_once('/') {
            Some((organization, name)) => (Some(organization).filter(|text| !text.starts_with('.')), name),
            None => (None, id),
        };
        let texts = name.split('-').filter(|part| !part.is_empty());
        let mut parts: Vec<_> = texts.enumerate().map(|(index, text)| marked(text, index > 0, total)).collect();
        forget_worded_sizes(&mut parts);
        mark_basename(&mut parts);

        let join = |wanted: fn(Marks) -> bool| {
            let texts: Vec<_> = parts.iter().filter(|part| wanted(part.marks)).map(|part| part.text.as_str()).collect();
            Some(texts.join("-")).filter(|text| !text.is_empty())
        };
        let size_label = sizes(&parts);
        let finetune = join(|marks| marks.finetune);
        let version = join(|marks| marks.version && !marks.basename);
        // A name that nothing distinguishes is too ambiguous to call its whole the base name.
        let told = size_label.is_some() || finetune.is_some() || version.is_some();
        Self {
            name: Some(name.to_owned()),
            organization: organization.map(str::to_owned),
            basename: join(|marks| marks.basename).filter(|_| told),
            finetune,
            version,
            size_label,
        }
    }
}

fn marked(text: &str, after_first: bool, total: u64) -> Part {
    let mut part = Part { text: text.to_owned(), marks: Marks::default() };
    if VERSION.is_match(text) {
        part.marks.version = true;
    } else if ENCODING.is_match(text) {
        part.marks.encoding = true;
        part.text = text.to_uppercase();
    } else if after_first && SIZE.is_match(text) {
        part.text = normalized_size(text);
        if is_context_length(&part.text, total) {
            part.marks.finetune = true;
            part.text = lower_last(&part.text);
        } else {
            part.marks.size = true;
        }
    } else if after_first && FINETUNE.is_match(text) {
        part.marks.finetune = true;
    }
    part
}

/// `7b` to `7B`, `1_5b` to `1.5B`, BLOOM's `7b1` to `7.1B`. The text is ASCII: it matched [`SIZE`].
fn normalized_size(text: &str) -> String {
    let mut text = text.replace('_', ".");
    if text.ends_with(|c: char| c.is_ascii_digit()) {
        let unit = text.remove(text.len() - 2);
        let fraction = text.split_off(text.len() - 1);
        text = format!("{text}.{fraction}{unit}");
    }
    let mut letters = text.chars().rev();
    let (last, before) = (letters.next(), letters.next());
    if before.is_some_and(|c| c.is_ascii_digit()) && last.is_some_and(|c| "kmbt".contains(c)) {
        let unit = text.split_off(text.len() - 1);
        text.push_str(&unit.to_ascii_uppercase());
    }
    text
}

fn lower_last(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(last) = text.pop() {
        text.push(last.to_ascii_lowercase());
    }
    text
}

/// Whether a number with a unit is so far from the parameter count (seven eighths of it) that it means something else.
fn is_context_length(text: &str, total: u64) -> bool {
    let unit = text.chars().last().and_then(|unit| "KMBT".find(unit));
    let number = text.get(..text.len().saturating_sub(1)).and_then(|number| number.parse::<f64>().ok());
    let (Some(unit), Some(number)) = (unit, number) else { return false };
    let count = number * 1000_f64.powi(unit as i32 + 1);
    total > 0 && (count - total as f64).abs() > ((u128::from(total) * 7) / 8) as f64
}

/// `mini` is no size where there is `7B`.
fn forget_worded_sizes(parts: &mut [Part]) {
    let numbered = parts.iter().any(|part| part.marks.size && part.text.contains(|c: char| c.is_ascii_digit()));
    for part in parts.iter_mut().filter(|part| numbered && part.marks.size) {
        part.marks.size = !part.text.chars().all(char::is_alphabetic);
    }
}

/// The base name is the words and versions at the start, less the versions at its end.
fn mark_basename(parts: &mut [Part]) {
    let mut at_start = true;
    for part in parts.iter_mut() {
        let bare = part.marks.count() == 0;
        if at_start && ((bare && part.text.starts_with(char::is_alphabetic)) || part.marks.version) {
            part.marks.basename = true;
        } else {
            at_start = false;
            part.marks.finetune |= bare;
        }
    }
    for part in parts.iter_mut().rev() {
        if !part.marks.basename || part.marks.count() == 1 {
            break;
        }
        part.marks.basename = false;
    }
}

/// The size labels, each once, in order.
fn sizes(parts: &[Part]) -> Option<String> {
    let mut labels: Vec<&str> = Vec::new();
    for part in parts.iter().filter(|part| part.marks.size) {
        if !labels.contains(&part.text.as_str()) {
            labels.push(&part.text);
        }
    }
    Some(labels.join("-")).filter(|label| !label.is_empty())
}

/// `llama-3-instruct` to `Llama 3 Instruct`; words with capitals and versions stay as they are.
pub(super) fn title(id: &str) -> String {
    let words = id.trim().replace('-', " ");
    words.split_whitespace().map(titled).collect::<Vec<_>>().join(" ")
}

fn titled(word: &str) -> String {
    let lower = word.chars().any(char::is_lowercase) && !word.chars().any(char::is_uppercase);
    if !lower || KEPT_IN_TITLE.is_match(word) {
        return word.to_owned();
    }
    let mut inside = false;
    let mut result = String::with_capacity(word.len());
    for letter in word.chars() {
        if inside {
            result.push(letter);
        } else {
            result.extend(letter.to_uppercase());
        }
        inside = letter.is_alphabetic();
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: basename, finetune, version, size label.
    fn parts(id: &str, total: u64) -> [Option<String>; 4] {
        let id = ModelId::parse(id, total);
        [id.basename, id.finetune, id.version, id.size_label]
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn published_names_come_apart_as_people_read_them() {
        let mistral = parts("mistralai/Mistral-7B-Instruct-v0.2", 7_241_732_096);
        assert_eq!(mistral, [some("Mistral"), some("Instruct"), some("v0.2"), some("7B")]);
        let llama = parts("meta-llama/Meta-Llama-3-8B", 8_030_261_248);
        assert_eq!(llama, [some("Meta-Llama-3"), None, None, some("8B")]);
        let qwen = parts("Qwen2-57B-A14B-Instruct", 57_000_000_000);
        assert_eq!(qwen, [some("Qwen2"), some("Instruct"), None, some("57B-A14B")]);
        assert_eq!(parts("bloom-7b1-petals", 7_069_016_064), [some("bloom"), some("petals"), None, some("7.1B")]);
    }

    #[test]
    fn a_number_far_from_the_parameter_count_is_a_context_length() {
        let phi = parts("Phi-3-mini-4K-instruct", 3_800_000_000);
        assert_eq!(phi, [some("Phi-3"), some("4k-instruct"), None, some("mini")]);
    }

    #[test]
    fn an_undistinguished_name_has_no_base_name() {
        assert_eq!(parts("llama-rope-llama3", 1000), [None, None, None, None]);
        assert_eq!(parts("trained-mini", 1_705_216), [some("trained"), None, None, some("mini")]);
    }

    #[test]
    fn titles_leave_capitals_and_versions_alone() {
        assert_eq!(title("llama-rope-llama3"), "Llama Rope Llama3");
        assert_eq!(title("deepseek-v2"), "Deepseek v2");
        assert_eq!(title("Qwen2-MoE-57b"), "Qwen2 MoE 57b");
    }

    #[test]
    fn odd_ids_do_no_harm() {
        for id in ["", "-", "/", "./x", "a-7é", "--7b1--", "7b", "x-1b", "x-١B"] {
            let _ = ModelId::parse(id, 1);
        }
        assert_eq!(ModelId::parse("../model", 0).organization, None);
    }
}
