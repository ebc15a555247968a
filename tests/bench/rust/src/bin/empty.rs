//! The least that a Rust program can be.

fn main() {}
