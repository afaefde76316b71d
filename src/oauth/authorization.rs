//! The authorization request, and what comes back (RFC 6749 §4.1, RFC 7636).

use std::fmt;

use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope};
use reqwest::Url;

use super::client::Client;
use super::scopes::OFFLINE_ACCESS;
use crate::error::{Error, Result};
use crate::http::{Endpoint, tame};
use crate::secret::Secret;

/// Random bytes of `state`, and of the verifier: as many as the npm package takes.
const STATE_BYTES: u32 = 32;
const VERIFIER_BYTES: u32 = 96;

/// An authorization request that a person is to follow in a browser.
pub(crate) struct Request {
    url: Url,
    state: CsrfToken,
    verifier: PkceCodeVerifier,
    redirect_uri: Endpoint,
}

/// What the authorization server says when it gives no code (RFC 6749 §4.1.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The code, such as `access_denied`.
    pub error: String,
    /// What the server says about it, safe to show; often nothing.
    pub description: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.description.as_str() {
            "" => f.write_str(&self.error),
            description => write!(f, "{}: {description}", self.error),
        }
    }
}

/// What the authorization server answers: a code to exchange, or why not.
pub(crate) type Answer = std::result::Result<Secret, Refusal>;

impl Request {
    /// A request for these scopes, with a state and a verifier of its own.
    ///
    /// Fails when a URL of the client's is none to the OAuth library.
    pub(crate) fn new(client: &Client, redirect_uri: Endpoint, scopes: &[String]) -> Result<Self> {
        let wrong = |error: oauth2::url::ParseError| Error::new(format!("a url of the client: {error}"));
        let auth_url = AuthUrl::new(client.auth_url().as_str().to_owned()).map_err(wrong)?;
        let redirect = RedirectUrl::new(redirect_uri.as_str().to_owned()).map_err(wrong)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256_len(VERIFIER_BYTES);
        let oauth = BasicClient::new(ClientId::new(client.id.to_string())).set_auth_uri(auth_url);
        let offline = client.offline_access.then_some(OFFLINE_ACCESS);
        let scopes = scopes.iter().map(String::as_str).chain(offline);
        let (url, state) = oauth
            .authorize_url(|| CsrfToken::new_random_len(STATE_BYTES))
            .set_redirect_uri(std::borrow::Cow::Owned(redirect))
            .set_pkce_challenge(challenge)
            .add_scopes(scopes.map(|scope| Scope::new(scope.to_owned())))
            .url();
        Ok(Self { url, state, verifier, redirect_uri })
    }

    /// Where the browser is to go.
    pub(crate) fn url(&self) -> &str {
        self.url.as_str()
    }

    /// What the exchange of the code needs: the verifier (RFC 7636 §4.5), and the redirect URI again.
    pub(crate) fn proof(&self) -> (PkceCodeVerifier, &Endpoint) {
        (PkceCodeVerifier::new(self.verifier.secret().clone()), &self.redirect_uri)
    }

    /// The origin of the page that the browser is redirected to.
    pub(crate) fn redirect_origin(&self) -> String {
        Url::parse(self.redirect_uri.as_str())
            .map(|url| url.origin().ascii_serialization())
            .unwrap_or_default()
    }

    /// The answer in the query of a callback. `None` when it is none to this request: a stray visit, or
    /// another sign-in's. Parameters that we do not know (`iss`, RFC 9207) are passed over.
    pub(crate) fn answer(&self, query: &str) -> Option<Answer> {
        let parameters = Parameters::read(query);
        (parameters.one("state")? == *self.state.secret()).then(|| parameters.answer())?
    }

    /// The answer in what a person pasted: the callback's whole URL, `CODE#STATE`, or the bare code.
    ///
    /// Fails when it is none of these, or another sign-in's; the person can paste again.
    pub(crate) fn pasted(&self, text: &str) -> Result<Answer> {
        let text = text.trim();
        let hint = "paste the code that the page shows, or the whole address that it was sent to";
        let other = || Error::new("that is the answer to another sign-in").hint(hint);
        let query = Url::parse(text).ok().filter(|_| text.contains("://")).map(|url| match url.query() {
            Some(query) => query.to_owned(),
            None => String::new(),
        });
        if let Some(query) = query
            .or_else(|| ["code=", "error="].iter().any(|name| text.contains(name)).then(|| text.to_owned()))
        {
            let parameters = Parameters::read(&query);
            if parameters.one("state").is_some_and(|state| state != *self.state.secret()) {
                return Err(other());
            }
            return parameters.answer().ok_or_else(|| Error::new("there is no code in that").hint(hint));
        }
        let (code, state) = text.split_once('#').map_or((text, None), |(code, state)| (code, Some(state)));
        if state.is_some_and(|state| state != self.state.secret()) {
            return Err(other());
        }
        if code.is_empty() || !code.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::new("that is no code").hint(hint));
        }
        Ok(Ok(Secret::from(code.to_owned())))
    }
}

/// The parameters of a query.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn read(query: &str) -> Self {
        // Any base will do: only the query is taken apart.
        let mut url = Url::parse("http://localhost").ok();
        if let Some(url) = &mut url {
            url.set_query(Some(query.trim_start_matches('?')));
        }
        let pairs = url.iter().flat_map(Url::query_pairs);
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The value of a parameter that is there once (RFC 6749 §3.1 forbids more) and not empty.
    fn one(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let value = values.next().filter(|value| !value.is_empty())?;
        values.next().is_none().then_some(value)
    }

    fn answer(&self) -> Option<Answer> {
        if let Some(error) = self.one("error") {
            let description = self.one("error_description").unwrap_or_default();
            return Some(Err(Refusal { error: tame(error, ""), description: tame(description, "") }));
        }
        self.one("code").map(|code| Ok(Secret::from(code.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::client::Preset;

    fn request(client: &Client) -> Request {
        Request::new(client, client.redirect_uri(), &["d1.write".to_owned()]).expect("made")
    }

    fn code(answer: &Answer) -> &str {
        answer.as_ref().expect("a code").expose()
    }

    #[test]
    fn the_request_is_as_npms_but_for_the_order() {
        let client = Client::new(Preset::Alchemy.client_id());
        let request = request(&client);
        let url = Url::parse(request.url()).expect("a url");
        assert_eq!(url.as_str().split('?').next(), Some("https://dash.cloudflare.com/oauth2/auth"));
        let parameters = Parameters(url.query_pairs().map(|(k, v)| (k.into(), v.into())).collect());
        for (name, value) in [
            ("client_id", Preset::Alchemy.client_id()),
            ("redirect_uri", "https://alchemy.run/auth/callback"),
            ("response_type", "code"),
            ("scope", "d1.write offline_access"),
            ("code_challenge_method", "S256"),
        ] {
            assert_eq!(parameters.one(name), Some(value), "{name}");
        }
        assert_eq!(parameters.one("state").map(str::len), Some(43));
        assert_eq!(parameters.one("code_challenge").map(str::len), Some(43));
        let (verifier, _) = request.proof();
        assert_eq!(verifier.secret().len(), 128);
        let without = Client { offline_access: false, ..client };
        assert!(!self::request(&without).url().contains("offline_access"));
    }

    #[test]
    fn only_an_answer_to_this_request_counts() {
        let request = request(&Client::new("mine"));
        let state = request.state.secret().clone();
        let answer = request.answer(&format!("iss=https%3A%2F%2Fx&code=a%2Bb&state={state}&new=1"));
        assert_eq!(code(&answer.expect("ours")), "a+b");
        let refusal = request.answer(&format!("error=access_denied&error_description=no%1b&state={state}"));
        let refusal = refusal.expect("ours").expect_err("refused");
        assert_eq!(refusal.to_string(), "access_denied: no\\u{1b}");
        for query in [
            "",
            "code=a",
            "code=a&state=",
            "code=a&state=other",
            "error=access_denied",
            &format!("state={state}"),
            &format!("code=a&code=b&state={state}"),
            &format!("code=a&state={state}&state={state}"),
        ] {
            assert_eq!(request.answer(query), None, "{query}");
        }
    }

    #[test]
    fn what_is_pasted_can_have_four_forms() {
        let request = request(&Client::new("mine"));
        let state = request.state.secret().clone();
        for text in [
            " abc-1.2~3\n".to_owned(),
            format!("abc-1.2~3#{state}"),
            format!("https://alchemy.run/auth/callback?code=abc-1.2~3&state={state}"),
            format!("http://localhost:9976/auth/callback?state={state}&code=abc-1.2~3&iss=x#y"),
            "http://localhost:9976/auth/callback?code=abc-1.2~3".to_owned(),
            format!("?code=abc-1.2~3&state={state}"),
        ] {
            assert_eq!(code(&request.pasted(&text).expect(&text)), "abc-1.2~3", "{text}");
        }
        for text in ["", "two words", "abc#other", "abc#", "https://x/?code=a&state=other", "https://x/", "é"]
        {
            assert!(request.pasted(text).is_err(), "{text}");
        }
        for text in ["http://localhost/?error=access_denied", "?error=access_denied"] {
            let denied = request.pasted(text).expect("read");
            assert_eq!(denied.expect_err("refused").error, "access_denied");
        }
    }
}
