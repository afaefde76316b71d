//! What other programs load and how they find the credential, with the real programs.

mod clients;
mod hazards;
mod hazards_clients;
mod hazards_texts;
mod npm;
mod npm_deploy;
mod one_alchemy;
mod one_alchemy_trust;
mod readers;
