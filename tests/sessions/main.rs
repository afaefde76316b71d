//! Signing in and out, refreshing, rotating: what is asked of Cloudflare, and that no session is lost.

mod api;
mod authorization_server;
mod concurrency;
mod login;
mod login_profile;
mod logout;
mod npm_refresh;
mod refresh;
mod refresh_faults;
mod refresh_interrupted;
mod refresh_rescue;
mod rescue_home;
mod resolver;
mod rotate;
mod sign_in;
