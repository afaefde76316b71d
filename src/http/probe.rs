//! One request without a credential: whether a server can be reached, and what time it has.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap};

use super::{Endpoint, Limits, Network, Requests, Unreachable, client};
use crate::error::Error;

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(5);

/// What came of it.
#[derive(Debug)]
pub(crate) enum Probe {
    /// The server answered; with what does not matter.
    Answered {
        /// The time that it has, by its header `Date`, in whole seconds.
        date: Option<Timestamp>,
        /// How long it took.
        took: Duration,
    },
    /// It did not.
    Unreachable {
        /// Why, in words of ours.
        detail: String,
        /// A certificate was not trusted, or TLS failed otherwise.
        tls: bool,
    },
    /// Nothing could be sent, as this machine is not ready for it.
    Unready(Error),
}

/// Asks once, for up to 5 s, by the proxy that is set.
pub(crate) fn probe(endpoint: &Endpoint, network: &Network) -> Probe {
    let limits = Limits { connect: LIMIT, request: LIMIT };
    let ready =
        client(endpoint, HeaderMap::new(), network, limits).and_then(|http| Ok((http, Requests::new()?)));
    let (http, requests) = match ready {
        Ok(ready) => ready,
        Err(error) => return Probe::Unready(error),
    };
    let started = Instant::now();
    // What Cloudflare tells everyone: which addresses are its own.
    let request = http.get(format!("{endpoint}/ips"));
    match requests.run(async { request.send().await }) {
        Ok(answer) => {
            let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok()).and_then(time);
            Probe::Answered { date, took: started.elapsed() }
        }
        Err(error) => {
            let Unreachable { detail, tls, .. } = Unreachable::new(error, limits);
            Probe::Unreachable { detail, tls }
        }
    }
}

/// The time of a header (RFC 9110 §5.6.7); servers write the form that RFC 2822 has, too.
fn time(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_a_header_is_a_time() {
        let expected = "1994-11-06T08:49:37Z".parse().ok();
        assert_eq!(time("Sun, 06 Nov 1994 08:49:37 GMT"), expected);
        assert_eq!(time("yesterday"), None);
    }
}
