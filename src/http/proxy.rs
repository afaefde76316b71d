//! The proxy that a request goes by: what the variables say, as curl understands them.
//!
//! Reqwest reads the variables itself, and connects directly where it can't understand one. Here that is an error: a person
//! who sets a proxy does not want a direct connection. So reqwest is told which proxy to use, and reads nothing.
//!
//! An endpoint is `https`, or on this machine, where no proxy is asked. So `HTTP_PROXY` has nothing to say.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fmt::Write;
use std::net::Ipv6Addr;

use base64::prelude::{BASE64_STANDARD, Engine};
use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Proxy;
use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

use super::{Endpoint, resolver};
use crate::error::{Error, Result};

/// The variables that may name a proxy, in curl's order.
const NAMES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// The variables that may list the hosts which no proxy is asked for, in curl's order.
const EXCEPTIONS: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// What the environment says of proxies.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProxyVariables {
    proxy: Option<(&'static str, OsString)>,
    exceptions: OsString,
}

/// A proxy's URL may hold a password.
impl fmt::Debug for ProxyVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProxyVariables").field(&self.proxy.as_ref().map(|(name, _)| name)).finish()
    }
}

impl ProxyVariables {
    /// Reads the variables; an empty one is an unset one.
    pub fn read<'a>(variable: impl Fn(&str) -> Option<&'a OsStr>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(OsStr::to_owned);
        Self {
            proxy: NAMES.into_iter().find_map(|name| Some((name, set(name)?))),
            exceptions: EXCEPTIONS.into_iter().find_map(set).unwrap_or_default(),
        }
    }

    /// The proxy that requests to an endpoint go by; `None` for a direct connection.
    ///
    /// Fails when the variable can't be understood. Its value is not repeated: it may hold a password.
    pub fn of(&self, endpoint: &Endpoint) -> Result<Option<NamedProxy>> {
        match &self.proxy {
            Some((variable, value)) if !self.is_exception(endpoint) => {
                let proxy = NamedProxy::parse(variable, value).map_err(|why| {
                    Error::new(format!("{variable} can't be understood as the address of a proxy: {why}"))
                        .hint(format!("export {variable}=http://USER:PASSWORD@HOST:PORT, or unset it"))
                })?;
                Ok(Some(proxy))
            }
            _ => Ok(None),
        }
    }

    fn is_exception(&self, endpoint: &Endpoint) -> bool {
        let Ok(uri) = endpoint.as_str().parse::<Uri>() else { return false };
        if endpoint.is_loopback() || uri.host().is_some_and(resolver::is_loopback_name) {
            return true;
        }
        // Curl takes space between the names, too, and a star only where nothing else is there.
        let exceptions = self.exceptions.to_string_lossy();
        let names: Vec<&str> = exceptions
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|name| !name.is_empty())
            .collect();
        let is_name = |name: &&&str| names.len() == 1 || **name != "*";
        let names: Vec<&str> = names.iter().filter(is_name).copied().collect();
        // Which proxy this one is told does not matter: the question is whether it would be asked.
        Matcher::builder().all("http://proxy").no(names.join(",")).build().intercept(&uri).is_none()
    }
}

/// A proxy, and the variable that names it.
pub struct NamedProxy {
    variable: &'static str,
    scheme: &'static str,
    /// `HOST` or `HOST:PORT`.
    address: String,
    /// The user's name and password, where there are some.
    login: Option<Login>,
}

/// A name and a password, as they are sent.
type Login = (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>);

/// The proxy for people, without its password.
impl fmt::Display for NamedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.address, self.variable)
    }
}

impl NamedProxy {
    /// Takes a variable's value apart as curl does (`parse_proxy` of `lib/url.c`), and refuses what curl refuses.
    fn parse(variable: &'static str, value: &OsStr) -> Result<Self, &'static str> {
        let value = value.to_str().ok_or("it isn't UTF-8")?;
        if value.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("it holds white space or a control character");
        }
        let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => "http",
            "https" => "https",
            "socks4" | "socks" => "socks4",
            "socks4a" => "socks4a",
            "socks5" => "socks5",
            "socks5h" => "socks5h",
            _ => return Err("it must begin with http://, https:// or socks5h://"),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (login, address) = match authority.split_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, authority),
        };
        let login = login.map(|login| {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            (decoded(user), decoded(password))
        });
        if !is_address(address) {
            return Err("it names no host, or the user or password holds a character that must be written \
                        as %40 (@), %2F (/), %3F (?) or %23 (#)");
        }
        let address = address.strip_suffix(':').unwrap_or(address).to_owned();
        let proxy = Self { variable, scheme, address, login };
        if proxy.is_socks()
            && proxy.login.as_ref().is_some_and(|(user, _)| std::str::from_utf8(user).is_err())
        {
            return Err("its user isn't UTF-8");
        }
        Ok(proxy)
    }

    fn is_socks(&self) -> bool {
        self.scheme.starts_with("socks")
    }

    /// The proxy as reqwest takes it, for all requests.
    ///
    /// Fails when reqwest doesn't understand the address.
    pub(super) fn for_reqwest(&self) -> Result<Proxy> {
        let refused = || {
            Error::new(format!("{} names no proxy that can be asked", self.variable))
                .hint(format!("export {}=http://HOST:PORT, or unset it", self.variable))
        };
        let mut url = Zeroizing::new(format!("{}://", self.scheme));
        if let (Some((user, password)), true) = (&self.login, self.is_socks()) {
            escape(&mut url, user);
            url.push(':');
            escape(&mut url, password);
            url.push('@');
        }
        url.push_str(&self.address);
        let proxy = Proxy::all(url.as_str()).map_err(|_| refused())?;
        match &self.login {
            Some((user, password)) if !self.is_socks() => {
                let login = Zeroizing::new([user.as_slice(), b":", password.as_slice()].concat());
                let header = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(login.as_slice())));
                let mut header = HeaderValue::from_str(&header).map_err(|_| refused())?;
                header.set_sensitive(true);
                Ok(proxy.custom_http_auth(header))
            }
            _ => Ok(proxy),
        }
    }
}

/// Whether this is `HOST` or `HOST:PORT` with a host that can be one.
fn is_address(address: &str) -> bool {
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (address, ""),
    };
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inside) => inside.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "._-".contains(c)),
    };
    is_host && (port.is_empty() || (port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()))
}

/// What `%XX` stands for; any other `%` stands for itself.
fn decoded(text: &str) -> Zeroizing<Vec<u8>> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (bytes, mut decoded, mut at) = (text.as_bytes(), Zeroizing::new(Vec::with_capacity(text.len())), 0);
    while let Some(byte) = bytes.get(at) {
        let escaped =
            (*byte == b'%').then(|| digit(bytes.get(at + 1)).zip(digit(bytes.get(at + 2)))).flatten();
        let escaped = escaped.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        decoded.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    decoded
}

fn escape(url: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // A string takes all that is written.
        let _ = write!(url, "%{byte:02X}");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> ProxyVariables {
        let variables: Vec<(&str, OsString)> =
            variables.iter().map(|(name, value)| (*name, OsString::from(value))).collect();
        ProxyVariables::read(|name| {
            variables.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_os_str())
        })
    }

    fn chosen(variables: &[(&str, &str)], endpoint: &str) -> Option<String> {
        let endpoint = Endpoint::parse(endpoint).expect(endpoint);
        let proxy = read(variables).of(&endpoint).expect("a proxy or none");
        proxy.map(|proxy| proxy.to_string())
    }

    const API: &str = "https://api.cloudflare.com/client/v4";

    #[test]
    fn the_variable_is_the_one_that_curl_takes() {
        let all = [("ALL_PROXY", "d"), ("all_proxy", "c"), ("HTTPS_PROXY", "b"), ("https_proxy", "a")];
        for (count, expected) in
            [(4, "a (https_proxy)"), (3, "b (HTTPS_PROXY)"), (2, "c (all_proxy)"), (1, "d (ALL_PROXY)")]
        {
            assert_eq!(chosen(&all[..count], API).as_deref(), Some(expected));
        }
        assert_eq!(chosen(&[("HTTP_PROXY", "a"), ("http_proxy", "a:x")], API), None);
        assert_eq!(
            chosen(&[("https_proxy", ""), ("HTTPS_PROXY", "b")], API).as_deref(),
            Some("b (HTTPS_PROXY)")
        );
    }

    #[test]
    fn hosts_without_a_proxy_are_those_of_curl_and_this_machine() {
        for (exceptions, is_exception) in [
            ("api.cloudflare.com", true),
            ("cloudflare.com", true),
            (".cloudflare.com", true),
            ("example.com cloudflare.com", true),
            ("example.com,\tCLOUDFLARE.com", true),
            ("*", true),
            ("*,example.com", false),
            ("flare.com", false),
            ("api.cloudflare.com.evil", false),
            ("10.0.0.0/8", false),
        ] {
            let variables = [("HTTPS_PROXY", "proxy"), ("NO_PROXY", exceptions)];
            assert_eq!(chosen(&variables, API).is_none(), is_exception, "{exceptions}");
        }
        let variables = [("HTTPS_PROXY", "proxy"), ("no_proxy", "10.0.0.0/8"), ("NO_PROXY", "*")];
        assert_eq!(chosen(&variables, "https://10.1.2.3"), None);
        assert!(chosen(&variables, "https://11.1.2.3").is_some());
        for endpoint in [
            "http://127.0.0.1:1",
            "http://localhost",
            "https://app.localhost",
            "https://localhost.",
            "http://[::1]",
        ] {
            assert_eq!(chosen(&[("HTTPS_PROXY", "%")], endpoint), None, "{endpoint}");
        }
    }

    #[test]
    fn of_a_proxy_only_the_host_and_the_port_are_shown() {
        for (value, shown) in [
            ("http://me:hunter2@proxy.corp:3128/", "proxy.corp:3128"),
            (r"http://corp\user:hunter2@proxy.corp:3128", "proxy.corp:3128"),
            ("proxy.corp", "proxy.corp"),
            ("me:hunter2@proxy.corp:", "proxy.corp"),
            ("HTTPS://[::1]:1/x?y#z", "[::1]:1"),
            ("socks5h://[fe80::1]", "[fe80::1]"),
            ("socks://h:1", "h:1"),
            ("http://me:%68unter2:%@h:1", "h:1"),
        ] {
            let shown = format!("{shown} (HTTPS_PROXY)");
            assert_eq!(chosen(&[("HTTPS_PROXY", value)], API), Some(shown), "{value}");
            let proxy =
                read(&[("HTTPS_PROXY", value)]).of(&Endpoint::cloudflare()).expect(value).expect(value);
            assert!(proxy.for_reqwest().is_ok(), "{value}");
        }
    }

    #[test]
    fn what_curl_refuses_is_an_error_that_names_the_variable_and_not_its_value() {
        for value in [
            "http://me:hunter2#1@h:1",
            "http://me:hun/ter2@h:1",
            "http://me:hun?ter2@h:1",
            "http://me:hun@ter2@h:1",
            "http://me:hunter2",
            "me:hunter2",
            "http://me:hunter2@",
            "http://me:hunter2@:1",
            "http://me:hunter2@h:70000",
            "http://[hunter2]:1",
            "ftp://hunter2",
            " http://hunter2",
            "http://hunter2\n",
            "http://",
            "//hunter2",
            "http:hunter2",
            "http://hunter2:1x",
            "http://me:hunter2 @h",
            "http://h;hunter2",
            "socks5://%ff:hunter2@h",
        ] {
            let variables = read(&[("ALL_PROXY", value)]);
            let error = variables.of(&Endpoint::cloudflare()).err().expect(value);
            let told = format!("{error} {:?} {variables:?}", error.next_step());
            assert!(told.contains("ALL_PROXY") && !told.contains("ter2"), "{told}");
        }
        let latin_1 = OsString::from(OsStr::from_bytes(b"http://me:hunter\xe9@h"));
        let variables = ProxyVariables::read(|name| (name == "https_proxy").then_some(latin_1.as_os_str()));
        assert!(variables.of(&Endpoint::cloudflare()).is_err());
    }

    #[test]
    fn a_login_is_decoded_as_curl_does() {
        for (text, expected) in
            [("a%40b", &b"a@b"[..]), ("%zz%", b"%zz%"), ("%ff", b"\xff"), (r"corp\user", br"corp\user")]
        {
            assert_eq!(decoded(text).as_slice(), expected, "{text}");
        }
    }
}
