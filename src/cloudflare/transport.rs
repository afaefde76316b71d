//! Why there was no answer: reqwest's errors in words of ours.

use std::error::Error as StdError;
use std::io;

use super::client::Timing;
use super::error::{ApiError, Cause};
use crate::error::{lower_first, reason};

/// The failure that a request without an answer is.
pub(super) fn unreachable(error: reqwest::Error, timing: &Timing) -> ApiError {
    let error = error.without_url();
    let failed = ApiError::new(Cause::Unreachable);
    if error.is_timeout() {
        let (what, limit) =
            if error.is_connect() { ("connection", timing.connect) } else { ("answer", timing.request) };
        let seconds = limit.as_secs_f32();
        return failed.detail(format!("no {what} within {seconds} s"));
    }
    let tls = is_tls(&error);
    ApiError {
        tls,
        // A certificate does not become good by asking again.
        transient: !tls,
        ..failed.detail(chain(&error))
    }
}

/// The whole chain of sources in one line, without layers that say nothing: the cause is often
/// only in the last (facts, crates §3).
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    for error in sources(error) {
        let text = match error.downcast_ref::<io::Error>() {
            Some(io) => reason(io),
            None => lower_first(&error.to_string()),
        };
        let said = texts.last().is_some_and(|last| last.contains(&text));
        let layer = text.starts_with("error sending request")
            || text.starts_with("client error (")
            || text == "builder error";
        if !said && !layer {
            texts.push(text);
        }
    }
    let text = if texts.is_empty() { lower_first(&error.to_string()) } else { texts.join(": ") };
    super::error::tame(&text, "")
}

fn is_tls(error: &reqwest::Error) -> bool {
    sources(error).any(<dyn StdError>::is::<rustls::Error>)
}

/// An error and its causes. What is inside an `io::Error` is not among its sources, but is here.
fn sources(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |&error| {
        let inside = error.downcast_ref().and_then(io::Error::get_ref);
        match inside {
            Some(inside) => Some(inside),
            None => error.source(),
        }
    })
}
