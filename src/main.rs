//! The `keepalive-policy` command.

fn main() {}
