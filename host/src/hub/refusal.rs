//! What a server's refusal means: gated, missing, busy, or something else, each with what to do.

use super::id::HubId;
use super::retry::Trouble;
use super::web::Answer;
use crate::failure::{Class, Failure};
use std::time::Duration;

/// What an answer without the wanted content means. `file` is the file that was asked for, if it was one.
pub fn refusal(id: &HubId, file: Option<&str>, answer: &Answer, has_token: bool) -> Trouble {
    let code = answer.own("x-error-code").unwrap_or_default();
    let wish = answer.last.get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    if let 408 | 429 | 500..=599 = answer.status {
        return Trouble::Passing { what: busy(answer.status), wish: wish.map(Duration::from_secs) };
    }
    let said = answer.own("x-error-message").map(clean).filter(|said| !said.is_empty());
    let said = said.map(|said| format!(" The server says: {said}")).unwrap_or_default();
    let (repository, what) = (&id.repository, id.holding.word());
    let missing = |message: String, next: String| Failure::new(Class::ModelNotFound, message + &said).suggest(next);
    let closed =
        |message: String, next: String| Failure::new(Class::AuthenticationRequired, message + &said).suggest(next);
    let token = "create a token with read access in the settings of your account, and put it into HF_TOKEN or run \
                 `hf auth login`";
    match (answer.status, code) {
        (401 | 403, "GatedRepo") if has_token => closed(
            format!("The {what} `{repository}` is gated, and the owner of the token has no access to it."),
            format!(
                "Ask for access on the {what}'s page of the Hub ({repository}), wait until it is granted, and check that the token \
                 may read gated repositories"
            ),
        ),
        (401 | 403, "GatedRepo") => closed(
            format!("The {what} `{repository}` is gated: its terms must be accepted first."),
            format!("Accept the terms on the {what}'s page of the Hub ({repository}), {token}"),
        ),
        (401 | 404, "RepoNotFound") if has_token => missing(
            format!("The Hub has no {what} `{repository}` that this token may see."),
            format!("Check the spelling; for a private {what}, check whose token it is"),
        ),
        (401 | 404, "RepoNotFound") => missing(
            format!("The Hub has no public {what} `{repository}`."),
            format!("Check the spelling; if the {what} is private, {token}"),
        ),
        (404, "RevisionNotFound") => missing(
            format!("The {what} `{repository}` has no revision `{}`.", id.revision),
            format!("Name a branch, a tag or a commit that the {what}'s page lists; without @REVISION it is main"),
        ),
        (404, "EntryNotFound") => missing(
            format!("The {what} `{id}` has no file `{}`.", file.unwrap_or("?")),
            "Its author may have changed it just now; try again, or name another revision".to_owned(),
        ),
        (401, _) if has_token => closed(
            format!("The Hub does not accept the token for `{repository}`."),
            format!("It may be expired or revoked; {token}"),
        ),
        (401, _) => closed(format!("The Hub wants a token for `{repository}`."), capital(token)),
        (403, _) => closed(
            format!("The Hub does not let this request read `{repository}`."),
            format!("Check that the token may read this {what}: fine-grained tokens name what they open. Or {token}"),
        ),
        (404 | 410, _) => missing(
            format!("The Hub has no {} for `{id}`.", file.map_or("answer".to_owned(), |file| format!("file `{file}`"))),
            format!("Check the spelling of the {what} and, if it is set, HF_ENDPOINT"),
        ),
        (status, _) => Failure::new(
            Class::General,
            format!("The Hub answers {status} to a request for {} of `{id}`.{said}", file.unwrap_or("the file list")),
        )
        .suggest("Check HF_ENDPOINT and the proxy settings, if any are set"),
    }
    .into()
}

fn busy(status: u16) -> String {
    match status {
        429 => "the server limits the rate of requests (429)".to_owned(),
        503 => "the server is busy (503)".to_owned(),
        _ => format!("the server fails ({status})"),
    }
}

/// A server's words, fit for a terminal: no control characters, not endless.
fn clean(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(300).collect()
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
