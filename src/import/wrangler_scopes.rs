//! Wrangler's scopes in the spelling of our own client.
//!
//! Wrangler 4.164 asks for them in the old spelling (`DefaultScopes` of its `workers-auth`), and the client
//! `alchemy` in the one that Cloudflare documents. Most differ by `:` and `_` alone; for the others the
//! texts that both show people say which belong together. A scope that only wrangler's client has is named.

use crate::oauth::client::Client;
use crate::oauth::scopes::{Catalog, OFFLINE_ACCESS};

/// Those that differ by more than their spelling.
const OTHERWISE: [(&str, &[&str]); 9] = [
    // "Account info such as account details, analytics, and memberships"
    ("account:read", &["account-settings.read", "memberships.read"]),
    ("user:read", &["user-details.read", "memberships.read"]),
    // "Workers data such as zones, KV storage, namespaces, scripts, and routes"; also R2.
    (
        "workers:write",
        &["workers-scripts.write", "workers-kv-storage.write", "workers-routes.write", "workers-r2.write"],
    ),
    ("workers_kv:write", &["workers-kv-storage.write"]),
    ("pages:write", &["page.write"]),
    // "mTLS certificates for your account"
    ("ssl_certs:write", &["account-ssl-and-certificates.write"]),
    ("connectivity:admin", &["connectivity-directory.admin"]),
    // "Email Routing settings, rules, and destination addresses"
    ("email_routing:write", &["email-routing-rule.write", "email-routing-address.write"]),
    ("browser:write", &["browser-rendering.write"]),
];

/// What a client of ours can ask for of another client's scopes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    /// The scopes to ask for.
    pub scopes: Vec<String>,
    /// Those of the other client that ours has not.
    pub lacks: Vec<String>,
}

/// Wrangler's scopes as `client` asks for them.
pub(crate) fn mapped(wranglers: &[String], client: &Client) -> Mapped {
    let catalog = Catalog::of(client);
    // Of a client of the user's own only Cloudflare knows what it may ask for.
    let has = |scope: &str| client.preset().is_none() || catalog.all().any(|known| known.id == scope);
    let mut mapped = Mapped { scopes: Vec::new(), lacks: Vec::new() };
    for scope in wranglers.iter().filter(|scope| *scope != OFFLINE_ACCESS) {
        let ours = if client.is_v1() { vec![scope.clone()] } else { in_our_spelling(scope) };
        if ours.iter().all(|scope| has(scope)) {
            for scope in ours {
                if !mapped.scopes.contains(&scope) {
                    mapped.scopes.push(scope);
                }
            }
        } else {
            mapped.lacks.push(scope.clone());
        }
    }
    mapped
}

fn in_our_spelling(scope: &str) -> Vec<String> {
    match OTHERWISE.iter().find(|(theirs, _)| *theirs == scope) {
        Some((_, ours)) => ours.iter().map(|&scope| scope.to_owned()).collect(),
        None => vec![scope.replace('_', "-").replace(':', ".")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::client::Preset;

    /// What wrangler 4.164 and 4.125 ask for.
    const WRANGLERS: &str = "k2.read k2.write account:read user:read workers:write workers_kv:write \
        workers_routes:write workers_scripts:write workers_tail:read d1:write pages:write zone:read \
        ssl_certs:write ai:write ai-search:write ai-search:run agent-memory:write queues:write \
        pipelines:write secrets_store:write artifacts:write flagship:write containers:write \
        cloudchamber:write connectivity:admin email_routing:write email_sending:write browser:write \
        challenge-widgets.write websearch.run offline_access";

    fn of(scopes: &str, client: &str) -> Mapped {
        let scopes: Vec<String> = scopes.split_whitespace().map(str::to_owned).collect();
        mapped(&scopes, &Client::new(client.to_owned()))
    }

    #[test]
    fn all_of_wranglers_are_ours_too_but_those_of_k2() {
        let ours = of(WRANGLERS, Preset::Alchemy.client_id());
        assert_eq!(ours.lacks, ["k2.read", "k2.write"]);
        let all = Catalog::of(&Client::new(Preset::Alchemy.client_id()));
        assert!(ours.scopes.iter().all(|scope| all.all().any(|known| known.id == *scope)), "{ours:?}");
        assert!(ours.scopes.len() > 28, "{ours:?}");
    }

    #[test]
    fn each_client_has_its_own_spelling() {
        let alchemy = of("workers_kv:write d1:write offline_access new.one", Preset::Alchemy.client_id());
        assert_eq!(alchemy.scopes, ["workers-kv-storage.write", "d1.write"]);
        assert_eq!(alchemy.lacks, ["new.one"]);
        let v1 = of("workers_kv:write d1:write flagship:write", Preset::AlchemyV1.client_id());
        assert_eq!(v1.scopes, ["workers_kv:write", "d1:write"]);
        assert_eq!(v1.lacks, ["flagship:write"]);
        assert_eq!(of("my_own:scope", "mine").scopes, ["my-own.scope"]);
    }
}
