//! Why there was no answer: reqwest's errors in words of ours.

use std::error::Error as StdError;
use std::io;

use super::Limits;
use crate::error::{lower_first, reason};

/// A request without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreachable {
    /// Why, in words of ours.
    pub detail: String,
    /// There was no connection, so nothing was sent for certain.
    pub unsent: bool,
    /// A certificate was not trusted, or TLS failed otherwise.
    pub tls: bool,
    /// It took too long.
    pub timed_out: bool,
}

impl Unreachable {
    /// The failure that an error of reqwest's is.
    pub(crate) fn new(error: reqwest::Error, limits: Limits) -> Self {
        let error = error.without_url();
        let (unsent, timed_out, tls) = (error.is_connect(), error.is_timeout(), is_tls(&error));
        let detail = if timed_out {
            let (what, limit) =
                if unsent { ("connection", limits.connect) } else { ("answer", limits.request) };
            format!("no {what} within {} s", limit.as_secs_f32())
        } else {
            chain(&error)
        };
        Self { detail, unsent, tls, timed_out }
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
    super::tame(&text, "")
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
