//! OAuth 2.0: how a grant is got, renewed and revoked.
//!
//! A public client (no secret) asks for an authorization code with PKCE (RFC 6749 §4.1, RFC 7636), gets
//! it back on a loopback port or from the person's clipboard (RFC 8252), and exchanges it for a grant:
//! an access token that lives for an hour or so, and a refresh token that can be spent once.

pub(crate) mod authorization;
pub(crate) mod callback;
pub(crate) mod client;
pub(crate) mod failure;
pub(crate) mod scopes;
pub(crate) mod token;
