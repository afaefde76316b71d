//! A session as variables to set and to unset. Pure: values in, values out.

use crate::cloudflare::Credential;
use crate::environment::{
    ACCOUNT_ID, API_BASE_URL, API_KEY, API_TOKEN, BASE_URL, Changes, DEFAULT_ACCOUNT_ID, EMAIL, EXPIRATION,
    PROFILE, SET, Value, may_repeat, removed,
};
use crate::session::Session;

/// The changes that give a command this session. `also` repeats the token under further names.
pub(crate) fn changes(session: &Session, also: &[String]) -> Changes {
    let plain = |name: &str, value: &dyn ToString| (name.to_owned(), Value::Plain(value.to_string()));
    let mut set = Vec::new();
    match &session.credential {
        Credential::Token(token) => {
            set.push((API_TOKEN.to_owned(), Value::Secret(token.clone())));
            let also = also.iter().filter(|name| may_repeat(name));
            set.extend(also.map(|name| (name.clone(), Value::Secret(token.clone()))));
        }
        Credential::Key { key, email } => {
            set.push((API_KEY.to_owned(), Value::Secret(key.clone())));
            set.push(plain(EMAIL, email));
        }
    }
    if let Some(account) = &session.account {
        set.extend([ACCOUNT_ID, DEFAULT_ACCOUNT_ID].map(|name| plain(name, &account.id)));
    }
    set.extend(session.profile.iter().map(|name| plain(PROFILE, name)));
    set.extend(session.expires.iter().map(|at| plain(EXPIRATION, at)));
    set.push(plain(API_BASE_URL, &session.endpoint));
    set.push(plain(BASE_URL, &session.endpoint));
    let unset = SET
        .into_iter()
        .chain(removed())
        .filter(|name| !set.iter().any(|(taken, _)| taken == *name))
        .map(str::to_owned)
        .collect();
    Changes { set, unset }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::ACTIVE;
    use crate::http::Endpoint;
    use crate::profile::{Account, AccountId, ProfileName};
    use crate::secret::Secret;

    fn session(credential: Credential) -> Session {
        Session {
            profile: ProfileName::parse("prod").ok(),
            account: AccountId::parse(&"a".repeat(32)).map(|id| Account { id, name: "Acme".into() }),
            credential,
            grant: false,
            expires: None,
            endpoint: Endpoint::cloudflare(),
        }
    }

    fn names(changes: &Changes) -> Vec<&str> {
        changes.set.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn a_token_takes_the_place_of_a_key_and_a_key_of_a_token() {
        let token = changes(&session(Credential::Token(Secret::from("t".to_owned()))), &[]);
        assert_eq!(
            names(&token),
            [API_TOKEN, ACCOUNT_ID, DEFAULT_ACCOUNT_ID, PROFILE, API_BASE_URL, BASE_URL]
        );
        assert!(token.unset.contains(&API_KEY.to_owned()) && token.unset.contains(&EMAIL.to_owned()));
        let key = Credential::Key { key: Secret::from("k".to_owned()), email: "me@example.com".into() };
        let key = changes(&session(key), &["CF_API_TOKEN".to_owned()]);
        assert_eq!(
            names(&key),
            [API_KEY, EMAIL, ACCOUNT_ID, DEFAULT_ACCOUNT_ID, PROFILE, API_BASE_URL, BASE_URL]
        );
        assert!(key.unset.contains(&API_TOKEN.to_owned()) && key.unset.contains(&EXPIRATION.to_owned()));
    }

    #[test]
    fn a_repeated_token_is_set_and_not_scrubbed() {
        // A kept name that cannot be one is left out.
        let also = ["CF_API_TOKEN", ACCOUNT_ID, ACTIVE, "PATH", API_TOKEN].map(str::to_owned);
        let token = changes(&session(Credential::Token(Secret::from("t".to_owned()))), &also);
        let mut set = names(&token);
        set.sort_unstable();
        assert_eq!(
            set,
            [PROFILE, "CF_API_TOKEN", ACCOUNT_ID, API_BASE_URL, API_TOKEN, BASE_URL, DEFAULT_ACCOUNT_ID]
        );
        assert!(names(&token).contains(&"CF_API_TOKEN"));
        assert!(!token.unset.contains(&also[0]));
    }
}
