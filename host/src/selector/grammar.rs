//! One rule, from text: `SELECTOR=TYPE`.

use super::layers::Layers;
use llmq_plugin_api::wire::Role;
use regex::bytes::{Regex, RegexBuilder};

/// Longest selector accepted, in bytes. The longest in use list the experts of a layer.
pub const MAX_SELECTOR: usize = 8192;
/// Largest compiled expression, in bytes.
const MAX_COMPILED: usize = 4 << 20;

/// Gives the tensors that a selector selects one encoding.
#[derive(Debug, Clone)]
pub struct Rule {
    /// As it was written.
    pub text: String,
    /// Where it was written, for messages: `--tensor-type`, or a file with its line.
    pub place: String,
    /// The encoding's name, in the user's spelling.
    pub encoding: String,
    selector: Selector,
}

#[derive(Debug, Clone)]
enum Selector {
    /// llama-quantize's own form: searched in output names.
    Name(Regex),
    /// All must hold.
    Terms(Vec<Term>),
}

#[derive(Debug, Clone)]
pub(super) enum Term {
    Role(Vec<Role>),
    Layers(Layers),
    Name(Regex),
    Source(Regex),
}

/// A tensor of the output, as selectors see it.
pub(super) struct Subject<'a> {
    pub name: &'a str,
    pub sources: Vec<&'a str>,
    pub roles: Vec<&'a Role>,
    pub layer: Option<u32>,
    /// Layers of the output.
    pub layers: u32,
}

impl Rule {
    /// Reads a rule, or says what is wrong with it. The first `=` ends the selector.
    pub fn parse(text: &str, place: &str) -> Result<Rule, String> {
        let Some((selector, encoding)) = text.split_once('=') else {
            return Err(format!("`{text}` is not of the form SELECTOR=TYPE"));
        };
        if selector.is_empty() || encoding.is_empty() {
            let missing = if selector.is_empty() { "selector before" } else { "type behind" };
            return Err(format!("`{text}` has no {missing} the `=`"));
        }
        if selector.len() > MAX_SELECTOR {
            return Err(format!("a selector has {} bytes; at most {MAX_SELECTOR} are accepted", selector.len()));
        }
        let structured = ["role:", "layers:", "name:", "source:"].iter().any(|word| selector.starts_with(word));
        let selector = match structured {
            true => Selector::Terms(selector.split('/').map(term).collect::<Result<_, String>>()?),
            // The reference lower-cases the pattern, though not the names: all names are in lower case.
            false => Selector::Name(expression(&selector.to_ascii_lowercase())?),
        };
        Ok(Rule { text: text.to_owned(), place: place.to_owned(), encoding: encoding.to_owned(), selector })
    }

    pub(super) fn selects(&self, subject: &Subject) -> bool {
        let found = |expression: &Regex, name: &str| expression.is_match(name.as_bytes());
        match &self.selector {
            Selector::Name(expression) => found(expression, subject.name),
            Selector::Terms(terms) => terms.iter().all(|term| match term {
                Term::Role(roles) => roles.iter().any(|role| subject.roles.contains(&role)),
                Term::Layers(layers) => subject.layer.is_some_and(|layer| layers.contains(layer, subject.layers)),
                Term::Name(expression) => found(expression, subject.name),
                Term::Source(expression) => subject.sources.iter().any(|source| found(expression, source)),
            }),
        }
    }

    /// The terms of a structured selector; none for a plain pattern.
    pub(super) fn terms(&self) -> &[Term] {
        match &self.selector {
            Selector::Name(_) => &[],
            Selector::Terms(terms) => terms,
        }
    }

    /// The selector as written.
    pub(super) fn selector(&self) -> &str {
        self.text.split_once('=').map_or(&*self.text, |(selector, _)| selector)
    }
}

fn term(text: &str) -> Result<Term, String> {
    let Some((word, rest)) = text.split_once(':') else {
        return Err(format!("`{text}` is none of role:..., layers:..., name:... and source:..."));
    };
    if rest.is_empty() {
        return Err(format!("nothing follows `{word}:`"));
    }
    match word {
        "role" => Ok(Term::Role(rest.split(',').map(Role::from_word).collect())),
        "layers" => Layers::parse(rest).map(Term::Layers),
        "name" => expression(rest).map(Term::Name),
        "source" => expression(rest).map(Term::Source),
        _ => Err(format!("`{word}:` is none of role:, layers:, name: and source:")),
    }
}

/// Bytes and no Unicode classes, as the reference matches: `\d` is 0 to 9 and `\w` has no letters beyond ASCII.
fn expression(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).unicode(false).size_limit(MAX_COMPILED).build().map_err(|error| {
        let error = error.to_string();
        let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("`{pattern}` is not a regular expression: {reason}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn subject<'a>(name: &'a str, source: &'a str, role: &'a Role, layer: u32) -> Subject<'a> {
        Subject { name, sources: vec![source], roles: vec![role], layer: Some(layer), layers: 8 }
    }

    #[test]
    fn patterns_are_searched_anywhere_in_names_and_lower_cased() {
        let down = subject("blk.3.ffn_down.weight", "model.layers.3.mlp.down_proj.weight", &Role::FfnDown, 3);
        let selects = |text: &str| Rule::parse(text, "").unwrap().selects(&down);
        for yes in ["ffn_down=Q8_0", "FFN_DOWN=Q8_0", r"blk\.(3|4)\.=q8_0", r"^blk\.\d+\.ffn=Q8_0", "weight$=Q8_0"] {
            assert!(selects(yes), "{yes}");
        }
        // \D becomes \d, as in the reference.
        for no in ["attn=Q8_0", "down_proj=Q8_0", r"blk\.\D\.attn=Q8_0"] {
            assert!(!selects(no), "{no}");
        }
        for yes in [
            "role:ffn_down=Q8_0",
            "role:attn_v,ffn_down/layers:0-3=Q8_0",
            "layers:last5/name:down=Q8_0",
            r"source:layers\.3\.mlp=Q8_0",
        ] {
            assert!(selects(yes), "{yes}");
        }
        for no in ["role:ffn_down/layers:last4=Q8_0", "role:attn_v=Q8_0", "name:DOWN=Q8_0"] {
            assert!(!selects(no), "{no}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_the_reason() {
        for (text, words) in [
            ("attn_v", "SELECTOR=TYPE"),
            ("=Q8_0", "no selector before"),
            ("attn_v=", "no type behind"),
            ("role:=Q8_0", "nothing follows `role:`"),
            ("role:attn_v/rank:3=Q8_0", "`rank:` is none of"),
            ("role:attn_v/x=Q8_0", "`x` is none of"),
            ("layers:9-1=Q8_0", "runs backwards"),
            ("attn_(v=Q8_0", "not a regular expression: unclosed group"),
            ("(?!attn)x=Q8_0", "not a regular expression: look-around"),
            (r"(a)\1=Q8_0", "not a regular expression: backreferences are not supported"),
        ] {
            let message = Rule::parse(text, "").unwrap_err();
            assert!(message.contains(words), "{text}: {message}");
        }
        assert!(Rule::parse(&format!("{}=Q8_0", "a".repeat(MAX_SELECTOR + 1)), "").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn any_text_is_read_or_refused(text in "(role:|layers:|name:|source:|/|=|,|[a-z0-9_.()|*\\\\-]){0,12}") {
            if let Ok(rule) = Rule::parse(&text, "") {
                let role = Role::FfnDown;
                rule.selects(&subject("blk.3.ffn_down.weight", "x", &role, 3));
                prop_assert!(text.contains('='));
            }
        }

        #[test]
        fn every_escaped_name_selects_itself_and_no_other(
            name in "[a-z0-9_.]{1,20}", other in "[a-z0-9_.]{1,20}",
        ) {
            let rule = Rule::parse(&format!("^{}$=Q8_0", regex::escape(&name)), "").unwrap();
            let role = Role::FfnDown;
            prop_assert!(rule.selects(&subject(&name, "x", &role, 0)));
            prop_assert_eq!(rule.selects(&subject(&other, "x", &role, 0)), name == other);
        }
    }
}
