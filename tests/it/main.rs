//! Tests of the program's interface: arguments, stdin, stdout, exit code, files and network. They
//! use real processes and a real server; to advance the clock they change the times in the cache.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::let_underscore_must_use,
    reason = "tests create their own environment, and a panic is a test failure"
)]
#![allow(clippy::too_many_lines, reason = "tables of test cases are long")]
#![allow(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "the tests choose the names of the files"
)]

#[cfg(target_os = "linux")]
mod attacks;
mod cache;
#[cfg(target_os = "linux")]
mod clients;
mod commands;
#[cfg(target_os = "linux")]
mod completions;
mod concurrency;
mod configuration;
#[cfg(target_os = "linux")]
mod cooldown;
#[cfg(target_os = "linux")]
mod curl;
#[cfg(unix)]
mod default_profile;
mod docker_helpers;
#[cfg(target_os = "linux")]
mod docs;
#[cfg(unix)]
mod doctor;
mod exchange;
#[cfg(target_os = "linux")]
mod exec;
#[cfg(target_os = "linux")]
mod expiry;
#[cfg(target_os = "linux")]
mod fault_injection;
#[cfg(target_os = "linux")]
mod hardening;
mod harness;
mod helper;
mod hosts;
#[cfg(unix)]
mod integrations;
mod language;
mod layers;
mod leaks;
#[cfg(target_os = "linux")]
mod lock_file;
#[cfg(target_os = "linux")]
mod login;
#[cfg(target_os = "linux")]
mod login_keychains;
#[cfg(target_os = "linux")]
mod logout;
#[cfg(target_os = "linux")]
mod manual;
#[cfg(unix)]
mod network;
#[cfg(target_os = "linux")]
mod packages;
#[cfg(target_os = "linux")]
mod passphrases;
#[cfg(target_os = "linux")]
mod programs;
#[cfg(target_os = "linux")]
mod roots;
#[cfg(unix)]
mod servers;
#[cfg(target_os = "linux")]
mod setup;
#[cfg(all(target_os = "linux", feature = "shared-store"))]
mod shared_store;
#[cfg(unix)]
mod sources;
#[cfg(target_os = "linux")]
mod speed;
#[cfg(unix)]
mod status;
mod store;
#[cfg(target_os = "linux")]
mod style;
#[cfg(target_os = "linux")]
mod terminal;
mod tidy;
mod time_limit;
#[cfg(unix)]
mod transcripts;
mod workflows;
