//! Panics become errors: the guard around every crossing, and the hook that remembers where it happened.
//!
//! Each dylib has its own std and therefore its own hook. A hook that writes to a thread-local misses panics of pool
//! workers (rayon re-raises them elsewhere), so the last one is kept in one global.

use super::{Error, Kind};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

/// Replaces this dylib's panic hook by one that records instead of printing: a backend writes nothing on the screen.
pub fn install_hook() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |l| format!("{}:{}:{}", l.file(), l.line(), l.column()));
        if let Ok(mut last) = LAST_PANIC.lock() {
            *last = place;
        }
    }));
}

/// Runs `body`; a panic in it comes back as an error of [`Kind::Panic`].
pub(crate) fn guard<T>(what: &str, body: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| Err(error_of(what, payload)))
}

fn error_of(what: &str, payload: Box<dyn Any + Send>) -> Error {
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a value that is not text".to_owned(),
    };
    // A payload's own Drop may panic, and there is no third chance: leak it.
    std::mem::forget(payload);
    let mut error = Error::new(Kind::Panic, format!("the backend panicked in {what}: {text}"))
        .hint("this is a defect of the plugin; please report it to its author");
    error.backtrace = LAST_PANIC.lock().map(|mut last| std::mem::take(&mut *last)).unwrap_or_default();
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_become_errors_with_their_text() {
        let error = guard::<()>("a test", || panic!("number {}", 7)).unwrap_err();
        assert_eq!(error.kind, Kind::Panic);
        assert!(error.message.contains("number 7"), "{}", error.message);
    }

    #[test]
    fn a_payload_with_a_panicking_drop_is_survived() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("second panic");
            }
        }
        let error = guard::<()>("a test", || std::panic::panic_any(Bomb)).unwrap_err();
        assert!(error.message.contains("not text"));
    }
}
