//! From files to samples: reading, writing chats out, tokenizing, cutting.

use crate::chat::ChatTemplate;
use crate::file::{Documents, TextFile};
use crate::record::{Content, Record};
use crate::report::{digest, replace_firsts};
use crate::tokenizer::{Special, Tokenizer, Windows};
use crate::{FileReport, Heads, Packing, Report, Samples, TextError, shuffle};

/// Samples of the texts of `files`, in their order.
///
/// Without a shuffle, reading stops as soon as there are enough samples.
///
/// # Errors
/// What is wrong with a file, a chat or the packing; too little text for one sample; tokens that the model lacks.
pub fn samples(files: &[TextFile], tokenizer: &Tokenizer, packing: &Packing) -> Result<Samples, TextError> {
    let limit = files.iter().map(|f| f.options().limits.tokens).min();
    let limit = limit.ok_or_else(|| TextError::Packing { message: "no text was given".to_owned() })?;
    let wanted = wanted(packing, limit)?;
    let mut packer =
        Packer { tokenizer, packing, wanted, limit, tokens: Vec::new(), checked: 0, report: Report::default() };
    for (i, file) in files.iter().enumerate() {
        packer.file(file)?;
        if packer.is_full() {
            break;
        }
        if i + 1 == files.len() {
            packer.close_all(file)?;
        }
    }
    packer.close()
}

/// After how many tokens reading stops.
fn wanted(packing: &Packing, limit: usize) -> Result<Option<usize>, TextError> {
    let wrong = |message: String| Err(TextError::Packing { message });
    if packing.seqlen == 0 {
        return wrong("a sample needs at least one token".to_owned());
    }
    let Some(samples) = packing.samples else { return Ok(None) };
    if samples == 0 {
        return wrong("at least one sample has to be asked for".to_owned());
    }
    match samples.checked_mul(packing.seqlen) {
        Some(tokens) if tokens <= limit => Ok((packing.shuffle.is_none()).then_some(tokens)),
        _ => wrong(format!("{samples} samples of {} tokens are more than {limit} tokens", packing.seqlen)),
    }
}

struct Packer<'a> {
    tokenizer: &'a Tokenizer,
    packing: &'a Packing,
    wanted: Option<usize>,
    limit: usize,
    tokens: Vec<u32>,
    /// How many of `tokens` were looked at.
    checked: usize,
    report: Report,
}

impl Packer<'_> {
    fn is_full(&self) -> bool {
        self.wanted.is_some_and(|wanted| self.tokens.len() >= wanted)
    }

    fn file(&mut self, file: &TextFile) -> Result<(), TextError> {
        let (bytes, sha256) = file.fingerprint()?;
        let before = self.report.documents;
        let finished = match file.read()? {
            Documents::Plain(text) => self.plain(file, text)?,
            records => self.records(file, records)?,
        };
        self.report.warnings.extend(file.remark().map(str::to_owned));
        let (name, form) = (file.name().to_owned(), file.form());
        let documents = self.report.documents - before;
        self.report.files.push(FileReport { name, form, bytes, sha256, documents, stopped_early: !finished });
        Ok(())
    }

    /// One document in pieces; says whether it was read to its end.
    fn plain(
        &mut self,
        file: &TextFile,
        mut text: crate::read::PlainText<Box<dyn std::io::Read>>,
    ) -> Result<bool, TextError> {
        let like_llama = self.packing.heads == Heads::LlamaCpp;
        let mut windows = Windows::new(self.tokenizer, self.special());
        // A line break at the end of a piece, which is left out if it is the last.
        let mut held = false;
        let mut empty = true;
        while let Some(piece) = text.next_piece()? {
            if std::mem::take(&mut text.had_mark) {
                let name = file.name();
                self.report.warnings.push(format!("The byte order mark at the beginning of {name} was left out."));
            }
            let mut piece = if held { format!("\n{piece}") } else { piece };
            held = like_llama && piece.ends_with('\n');
            if held {
                piece.pop();
            }
            if empty && !piece.is_empty() {
                empty = false;
                self.open_text();
            }
            windows.push(&piece, &mut self.tokens)?;
            self.check(file)?;
            if self.is_full() {
                self.report.documents += 1;
                return Ok(false);
            }
        }
        if empty {
            self.report.documents_empty += 1;
            return Ok(true);
        }
        windows.finish(&mut self.tokens)?;
        self.close_text();
        self.report.documents += 1;
        self.check(file)?;
        Ok(true)
    }

    /// Records one after the other; says whether they were read to their end.
    fn records(&mut self, file: &TextFile, mut records: Documents) -> Result<bool, TextError> {
        let mut template: Option<ChatTemplate> = None;
        // The document that all texts of the file are parts of.
        let mut joined: Option<Windows<'_>> = None;
        let tokenizer = self.tokenizer;
        while let Some(Record { place, content }) = records.next_record()? {
            match (content, &file.options().join) {
                (Content::Text(text), Some(between)) => {
                    let windows = match &mut joined {
                        Some(windows) => {
                            windows.push(between, &mut self.tokens)?;
                            windows
                        }
                        None => {
                            self.open_text();
                            self.report.documents += 1;
                            joined.insert(Windows::new(tokenizer, self.special()))
                        }
                    };
                    windows.push(&text, &mut self.tokens)?;
                }
                (Content::Text(text), None) => {
                    if text.is_empty() {
                        self.report.documents_empty += 1;
                        continue;
                    }
                    self.open_text();
                    let mut windows = Windows::new(tokenizer, self.special());
                    windows.push(&text, &mut self.tokens)?;
                    windows.finish(&mut self.tokens)?;
                    self.close_text();
                    self.report.documents += 1;
                }
                (Content::Chat(messages), _) => {
                    if messages.is_empty() {
                        self.report.documents_empty += 1;
                        continue;
                    }
                    if template.is_none() {
                        template = tokenizer.chat_template(&file.options().chat)?;
                    }
                    let template = template.as_ref().ok_or(TextError::NoChatTemplate { place: place.clone() })?;
                    let text = template.render(&messages, &place)?;
                    // The template has written the special tokens itself.
                    let mut windows = Windows::new(tokenizer, Special::Parsed);
                    windows.push(&text, &mut self.tokens)?;
                    windows.finish(&mut self.tokens)?;
                    self.report.documents += 1;
                }
            }
            self.check(file)?;
            if self.is_full() {
                return Ok(false);
            }
        }
        if let Some(windows) = joined {
            windows.finish(&mut self.tokens)?;
            self.close_text();
            self.check(file)?;
        }
        Ok(true)
    }

    fn special(&self) -> Special {
        match self.packing.heads {
            Heads::Stream => Special::Parsed,
            Heads::LlamaCpp => Special::Text,
        }
    }

    /// The special tokens before a text.
    fn open_text(&mut self) {
        if self.packing.heads == Heads::Stream || self.tokens.is_empty() {
            self.tokens.extend(self.tokenizer.around().0);
        }
    }

    /// The special tokens behind a text.
    fn close_text(&mut self) {
        if self.packing.heads == Heads::Stream {
            self.tokens.extend(self.tokenizer.around().1);
        }
    }

    /// The special tokens behind everything, where there is one text only.
    fn close_all(&mut self, file: &TextFile) -> Result<(), TextError> {
        if self.packing.heads == Heads::LlamaCpp && !self.tokens.is_empty() {
            self.tokens.extend(self.tokenizer.around().1);
        }
        self.check(file)
    }

    /// Looks at the tokens that are new.
    fn check(&mut self, file: &TextFile) -> Result<(), TextError> {
        if self.tokens.len() > self.limit {
            return Err(TextError::TooManyTokens { limit: self.limit });
        }
        let new = self.tokens.get(self.checked..).unwrap_or_default();
        if let Some(rows) = self.packing.rows
            && let Some(&id) = new.iter().find(|id| **id >= rows)
        {
            let token = self.tokenizer.token(id).unwrap_or_else(|| "unnamed".to_owned());
            return Err(TextError::TokenOutOfRange { file: file.name().to_owned(), id, token, rows });
        }
        self.checked = self.tokens.len();
        Ok(())
    }

    fn close(mut self) -> Result<Samples, TextError> {
        let seqlen = self.packing.seqlen;
        let made = self.tokens.len();
        let whole = made / seqlen;
        if whole == 0 {
            return Err(TextError::TooShort { tokens: made, seqlen });
        }
        let count = self.packing.samples.map_or(whole, |samples| samples.min(whole));
        if let Some(seed) = self.packing.shuffle {
            let order = shuffle::order(whole, seed);
            let drawn = order.iter().take(count).flat_map(|i| &self.tokens[i * seqlen..(i + 1) * seqlen]);
            self.tokens = drawn.copied().collect();
        } else {
            self.tokens.truncate(count * seqlen);
        }
        let bos = self.tokenizer.bos().filter(|_| self.packing.heads == Heads::LlamaCpp);
        let replaced = bos.map_or_else(Vec::new, |bos| replace_firsts(&mut self.tokens, seqlen, bos));
        self.warn(count);
        let report = Report {
            samples: count,
            seqlen,
            tokens_used: count * seqlen,
            tokens_dropped: made - count * seqlen,
            digest: digest(&self.tokens, seqlen),
            bos: self.tokenizer.bos(),
            ..self.report
        };
        Ok(Samples { tokens: self.tokens, seqlen, replaced, report })
    }

    fn warn(&mut self, count: usize) {
        let warnings = &mut self.report.warnings;
        if let Some(asked) = self.packing.samples.filter(|asked| *asked > count) {
            let seqlen = self.packing.seqlen;
            warnings.push(format!(
                "The text gives {count} samples of {seqlen} tokens, and {asked} were asked for: give more text or a smaller sample length."
            ));
        }
        let empty = self.report.documents_empty;
        if empty > 0 {
            let all = empty + self.report.documents;
            warnings.push(format!("{empty} of {all} documents hold no text and were passed over."));
        }
    }
}
