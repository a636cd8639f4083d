//! Which tokens the post-processor of tokenizer.json puts around a text.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// The special tokens by role (`bos`, `eos`, `cls`, ...) as tokenizer_config.json names them, corrected by the
/// post-processor, which is what the tokenizer really does.
pub(super) struct Roles {
    /// Whether there is a tokenizer_config.json at all.
    pub(super) configured: bool,
    /// Role to the JSON that names its token (a string, or an object with `content`).
    pub(super) tokens: BTreeMap<&'static str, Json>,
    /// The roles to look up, in output order.
    pub(super) types: Vec<&'static str>,
    /// `add_{role}_token` flags in output order.
    pub(super) add: Vec<(&'static str, bool)>,
}

impl Roles {
    /// The token of a role; null if it has none.
    fn token(&self, role: &str) -> Json {
        self.tokens.get(role).cloned().unwrap_or(Json::Null)
    }

    /// Names a token for a role unless there is no tokenizer_config.json to correct.
    fn correct(&mut self, role: &'static str, token: &Json) {
        if self.configured {
            self.tokens.insert(role, token.clone());
        }
    }

    fn set_add(&mut self, role: &'static str, add: bool) {
        match self.add.iter_mut().find(|(known, _)| *known == role) {
            Some(entry) => entry.1 = add,
            None => self.add.push((role, add)),
        }
    }

    /// Whether the post-processor has decided about a role.
    pub(super) fn decided(&self, role: &str) -> Option<bool> {
        self.add.iter().find(|(known, _)| *known == role).map(|(_, add)| *add)
    }
}

/// The roles of one walk over the processors.
struct Walk<'a> {
    roles: &'a mut Roles,
    bos: Json,
    eos: Json,
    cls: Json,
    sep: Json,
}

/// Applies `post_processor` to the roles; odd templates are reported in `warnings`.
pub(super) fn apply(post_processor: &Json, roles: &mut Roles, warnings: &mut Vec<String>) {
    let [bos, eos, cls, sep] = ["bos", "eos", "cls", "sep"].map(|role| roles.token(role));
    let mut walk = Walk { roles, bos, eos, cls, sep };
    if !named(&walk.bos) && named(&walk.cls) {
        walk.bos = walk.cls.clone();
        walk.roles.correct("bos", &walk.cls);
    }
    if !named(&walk.eos) && named(&walk.sep) {
        walk.eos = walk.sep.clone();
        walk.roles.correct("eos", &walk.sep);
    }
    match &post_processor["processors"] {
        Json::Array(processors) => processors.iter().for_each(|processor| walk.processor(processor, warnings)),
        _ => walk.processor(post_processor, warnings),
    }
}

impl Walk<'_> {
    fn processor(&mut self, processor: &Json, warnings: &mut Vec<String>) {
        match processor["type"].as_str() {
            Some("ByteLevel") => {
                for role in ["bos", "eos"] {
                    if self.roles.decided(role).is_none() {
                        self.roles.set_add(role, false);
                    }
                }
            }
            Some("RobertaProcessing") => self.roberta(processor),
            Some("TemplateProcessing") => {
                let first = self.leading(processor, warnings);
                let last = self.trailing(processor, warnings);
                self.between(processor, first.as_ref(), last.as_ref(), warnings);
            }
            _ => {}
        }
    }

    fn roberta(&mut self, processor: &Json) {
        for role in ["bos", "eos", "sep"] {
            self.roles.set_add(role, true);
        }
        if !named(&self.cls) && self.roles.configured {
            self.cls = processor["cls"].get(0).unwrap_or(&self.bos).clone();
            self.roles.correct("cls", &self.cls);
        }
        if !named(&self.sep) && self.roles.configured {
            self.sep = processor["sep"].get(0).unwrap_or(&self.eos).clone();
            self.roles.correct("sep", &self.sep);
        }
    }

    /// The token in front of a single text.
    fn leading(&mut self, processor: &Json, warnings: &mut Vec<String>) -> Option<Json> {
        let first = special(single(processor)?.first()?)?;
        if !self.roles.configured {
            self.bos = first.clone();
        } else if first != self.bos && first != self.cls {
            if !named(&self.bos) {
                self.bos = first.clone();
                self.roles.correct("bos", &first);
            }
            if !named(&self.cls) {
                self.cls = first.clone();
                self.roles.correct("cls", &first);
            }
        }
        let known = first == self.bos || first == self.cls;
        if !known {
            warnings.push(format!("tokenizer.json puts {first} before a text, which is neither BOS nor CLS"));
        }
        self.roles.set_add("bos", known);
        Some(first)
    }

    /// The token behind a single text. If it is not the EOS of tokenizer_config.json it becomes the EOS and the old one
    /// the end of a turn.
    fn trailing(&mut self, processor: &Json, warnings: &mut Vec<String>) -> Option<Json> {
        let last = special(single(processor)?.last()?)?;
        if self.roles.configured && last != self.eos {
            match ["eot", "eom"].into_iter().find(|role| !self.roles.types.contains(role)) {
                Some(role) => {
                    self.roles.types.push(role);
                    self.roles.correct(role, &self.eos.clone());
                }
                None => warnings.push(format!("tokenizer.json replaces the EOS token {} by {last}", self.eos)),
            }
            self.roles.correct("eos", &last);
        }
        self.eos = last.clone();
        self.roles.set_add("eos", true);
        Some(last)
    }

    /// The tokens between the two texts of a pair: `A [sep] [eos] B`.
    fn between(&mut self, processor: &Json, first: Option<&Json>, last: Option<&Json>, warnings: &mut Vec<String>) {
        let Some(mut pair) = processor["pair"].as_array().map(Vec::as_slice).filter(|pair| !pair.is_empty()) else {
            return;
        };
        if first.is_some() && pair.first().and_then(special).as_ref() == first {
            pair = &pair[1..];
        }
        if last.is_some() && pair.last().and_then(special).as_ref() == last {
            pair = &pair[..pair.len() - 1];
        }
        let sequence = |entry: Option<&Json>, id: &str| entry.is_some_and(|entry| entry["Sequence"]["id"] == id);
        if !sequence(pair.first(), "A") || !sequence(pair.last(), "B") {
            if !pair.is_empty() {
                warnings.push("the pair template of tokenizer.json does not run from A to B; no separator read".into());
            }
            return;
        }
        let middle = pair.get(1..pair.len() - 1).unwrap_or_default();
        let separators: Vec<_> = middle.iter().take(2).map(special).collect();
        if middle.is_empty() {
            return;
        }
        let known = |token: &Option<Json>| token.as_ref().is_some_and(|token| *token == self.sep || *token == self.eos);
        let mut add = known(&separators[0]) && last.is_none();
        if middle.len() == 2 {
            add |= known(&separators[1]);
        }
        self.roles.set_add("sep", add);
        if add && !named(&self.sep) {
            self.roles.correct("sep", &self.eos.clone());
        }
    }
}

/// Whether the JSON names a token at all.
fn named(token: &Json) -> bool {
    match token {
        Json::Null | Json::Bool(false) => false,
        Json::String(text) => !text.is_empty(),
        Json::Object(entry) => !entry.is_empty(),
        _ => true,
    }
}

/// The template of a single text, if it holds more than the text.
fn single(processor: &Json) -> Option<&Vec<Json>> {
    processor["single"].as_array().filter(|single| single.len() > 1)
}

/// The token of a template entry that is a special token.
fn special(entry: &Json) -> Option<Json> {
    Some(entry["SpecialToken"]["id"].clone()).filter(named)
}
