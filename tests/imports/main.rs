//! What is imported from other tools, which stays as it was.

mod import_cf_vault;
mod import_env;
mod import_npm;
mod import_wrangler;
