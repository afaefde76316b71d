//! The network: whether the servers that the profiles are for can be reached, whether what they show is
//! trusted, and whether they have the same time as this machine.

use std::net::Ipv6Addr;

use jiff::{SignedDuration, Timestamp};

use super::{Finding, Machine, few};
use crate::http::Endpoint;
use crate::http::probe::Probe;
use crate::shell;
use crate::terminal::life;

/// How far a clock may be off: what a proof of a moment (RFC 7519 §4.1.4) is usually given.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// An endpoint, and what came of asking it.
pub struct Asked {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The profiles that are for it.
    pub profiles: Vec<String>,
    /// What came of it.
    pub probe: Probe,
    /// The time of this machine when it did.
    pub now: Timestamp,
}

impl Asked {
    /// In words, for the facts.
    #[must_use]
    pub fn in_words(&self, machine: &Machine) -> String {
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
#[must_use]
pub fn check(machine: &Machine, asked: &Asked) -> Option<Finding> {
    let Asked { endpoint, profiles, probe, now } = asked;
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

/// The proxy that a request goes by, as reqwest chooses it, without the password that may stand in it.
fn proxy(machine: &Machine, endpoint: &Endpoint) -> Option<String> {
    if endpoint.is_loopback() {
        return None;
    }
    let names = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    let (name, value) = names.iter().find_map(|name| Some((name, machine.text(name)?)))?;
    Some(host_and_port(value).map_or_else(|| (*name).to_owned(), |host| format!("{host} ({name})")))
}

/// The `host[:port]` in a proxy's URL. A password may hold any character that should have been escaped, and
/// what is no host is shown to nobody.
fn host_and_port(url: &str) -> Option<&str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.rsplit('@').next().unwrap_or_default();
    let shown = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = match shown.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (shown, None),
    };
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match inside {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)),
    };
    (is_host && is_port).then_some(shown)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::store::home::Home;

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
            let asked = Asked { endpoint: Endpoint::cloudflare(), profiles: vec!["prod".into()], probe, now };
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
    #[test]
    fn of_a_proxy_only_the_host_and_the_port_are_shown() {
        for (url, expected) in [
            ("http://me:hunter2@proxy.corp:3128/", Some("proxy.corp:3128")),
            ("proxy.corp", Some("proxy.corp")),
            ("http://me:hunter2#1@h:1", Some("h:1")),
            ("http://me:hun/ter2@h:1", Some("h:1")),
            ("http://me:hun?ter2@h:1/x", Some("h:1")),
            ("http://me:hun@ter2@[::1]:1", Some("[::1]:1")),
            ("socks5h://[fe80::1]", Some("[fe80::1]")),
            ("http://me:hunter2", None),
            ("me:hunter2", None),
            ("http://me:hunter2@", None),
            ("http://me:hunter2@:1", None),
            ("http://me:hunter2@h:70000", None),
            ("http://[hunter2]:1", None),
        ] {
            assert_eq!(host_and_port(url), expected, "{url}");
        }
    }
}
