//! Texts of `.env` files.

/// What no client takes for anything while it has what `exec` sets, or has no value, or is none.
pub const HARMLESS: &str = "\
CLOUDFLARE_API_TOKEN=hunter2-other
CF_API_TOKEN=hunter2-other
CF_API_KEY=hunter2-other
CLOUDFLARE_ACCOUNT_ID=fedcba9876543210fedcba9876543210
CF_ACCOUNT_ID=fedcba9876543210fedcba9876543210
CLOUDFLARE_ACCOUNT_EMAIL=other@example.com
CLOUDFLARE_API_BASE_URL=http://127.0.0.1:1
CLOUDFLARE_BASE_URL=http://127.0.0.1:1
CF_API_BASE_URL=http://127.0.0.1:1
CLOUDFLARE_COMPLIANCE_REGION=fedramp_high
CLOUDFLARE_API_USER_SERVICE_KEY=hunter2-other
CLOUDFLARE_CUSTOM_HEADERS=Authorization: Bearer hunter2-other
CLOUDFLARE_API_HEADERS={\"x-trace\":\"1\"}
CLOUDFLARE_AUTH_PROFILE=other
CLOUDFLARE_PROFILE=other
ALCHEMY_PROFILE=other
WRANGLER_API_ENVIRONMENT=staging
WRANGLER_CF_AUTHORIZATION_TOKEN=hunter2-other
CLOUDFLARE_ACCESS_CLIENT_ID=hunter2-other
CLOUDFLARE_ACCESS_CLIENT_SECRET=hunter2-other
# CLOUDFLARE_API_KEY=hunter2-other
NOTE='one
CLOUDFLARE_API_KEY=hunter2-other
two'
";
