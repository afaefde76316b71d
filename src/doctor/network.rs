//! The network: whether the servers that the profiles are for can be reached, whether what they show is
//! trusted, and whether they have the same time as this machine.

use jiff::{SignedDuration, Timestamp};

use super::{Finding, Machine, few};
use crate::http::probe::Probe;
use crate::http::{Endpoint, NamedProxy, ProxyVariables};
use crate::shell;
use crate::terminal::life;

/// How far a clock may be off: what a proof of a moment (RFC 7519 §4.1.4) is usually given.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// An endpoint, and what came of asking it.
pub(crate) struct ServerAnswer {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The profiles that are for it.
    pub profiles: Vec<String>,
    /// What came of it.
    pub probe: Probe,
    /// The time of this machine when it did.
    pub now: Timestamp,
}

impl ServerAnswer {
    /// In words, for the facts.
    pub(crate) fn in_words(&self, machine: &Machine) -> String {
        let by = proxy(machine, &self.endpoint).map(|proxy| format!(", by the proxy {proxy}"));
        let by = by.unwrap_or_default();
        match &self.probe {
            Probe::Answered { took, .. } => {
                format!("{} answers in {} ms{by}", self.endpoint.host(), took.as_millis())
            }
            _ => format!("{} does not answer{by}", self.endpoint.host()),
        }
    }
}

/// What is off with the way to a server.
pub(crate) fn check(machine: &Machine, asked: &ServerAnswer) -> Option<Finding> {
    let ServerAnswer { endpoint, profiles, probe, now } = asked;
    let host = endpoint.host();
    let by = proxy(machine, endpoint).map(|proxy| format!(" by the proxy {proxy}")).unwrap_or_default();
    let who = if profiles.is_empty() { String::new() } else { format!(" for {}", few(profiles)) };
    match probe {
        Probe::Answered { date: Some(date), .. } => {
            let ahead = now.duration_since(*date);
            (ahead.abs() > SKEW).then(|| {
                let (off, side) =
                    (life(ahead.abs()), if ahead.is_negative() { "behind" } else { "ahead of" });
                let what = format!("the clock of this machine is {off} {side} that of {host}");
                let why =
                    "tokens are taken for alive that are not, or renewed when they need not be; TLS may fail";
                Finding::problem("clock-skew", what).why(why).mend("sudo timedatectl set-ntp true")
            })
        }
        Probe::Answered { date: None, .. } => {
            let what = format!("{host} does not say what time it is");
            let why = "so the clock of this machine was not compared";
            Some(Finding::note("clock-unknown", what).why(why).mend("compare it yourself: date -u"))
        }
        Probe::Unreachable { detail, tls: true } => {
            let what = format!("the certificate of {host} is not trusted{by}: {detail}");
            let why = "a company's proxy shows its own, or somebody is in between: nothing is sent there";
            let mend = "export SSL_CERT_FILE=/path/to/your-ca.pem";
            Some(Finding::problem("tls", what).why(why).mend(mend))
        }
        Probe::Unreachable { detail, tls: false } => {
            let what = format!("{host} cannot be reached{by}: {detail}");
            let why = format!("no session is renewed{who}, and nothing deployed");
            Some(
                Finding::problem("unreachable", what)
                    .why(why)
                    .mend(format!("curl -sSI {}", shell::word(endpoint.as_str()))),
            )
        }
        Probe::Unready(error) => Some(Finding::of("tls-unready", error).why("no request can be made")),
    }
}

/// The proxy that a request goes by, without the password that may stand in it. One that can't be understood is
/// found as what makes the request impossible.
fn proxy(machine: &Machine, endpoint: &Endpoint) -> Option<NamedProxy> {
    ProxyVariables::read(|name| machine.variable(name)).of(endpoint).ok().flatten()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::disk::home::Home;

    #[test]
    fn a_clock_a_certificate_and_a_proxy_are_named_and_no_password() {
        let home = Home::new(None, Path::new("/home/me"), None);
        let variables =
            [(OsString::from("HTTPS_PROXY"), OsString::from("http://me:hunter2@proxy.corp:3128/"))];
        let machine = Machine {
            home: &home,
            user_home: Path::new("/home/me"),
            uid: 1000,
            now: Timestamp::UNIX_EPOCH,
            variables: &variables,
            directory: Path::new("/"),
            shown: &|path| path.display().to_string(),
        };
        let found = |probe, now: i64| {
            let now = Timestamp::from_second(now).expect("a time");
            let asked =
                ServerAnswer { endpoint: Endpoint::cloudflare(), profiles: vec!["prod".into()], probe, now };
            check(&machine, &asked).map(|finding| (finding.id, finding.what))
        };
        let at = |second| {
            let date = Timestamp::from_second(second).ok();
            Probe::Answered { date, took: Duration::ZERO }
        };
        assert_eq!(found(at(1000), 1060), None);
        let (id, what) = found(at(1000), 1061).expect("a finding");
        assert_eq!(id, "clock-skew");
        assert!(
            what.contains("1m 1s ahead of that of api.cloudflare.com") || what.contains("1m ahead"),
            "{what}"
        );
        assert!(found(at(1000), 900).expect("a finding").1.contains("behind"));
        let unreachable = |tls| Probe::Unreachable { detail: "invalid peer certificate".to_owned(), tls };
        let (id, what) = found(unreachable(true), 0).expect("a finding");
        assert_eq!(id, "tls");
        assert!(what.contains("proxy.corp:3128 (HTTPS_PROXY)") && !what.contains("hunter2"), "{what}");
        assert_eq!(found(unreachable(false), 0).expect("a finding").0, "unreachable");
    }
}
