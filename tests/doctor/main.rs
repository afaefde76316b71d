//! What `alchemy doctor` finds and fixes.

mod doctor;
mod doctor_around;
mod doctor_healthy;
mod doctor_profiles;
