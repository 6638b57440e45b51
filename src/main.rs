//! The `keepalive-policy` command.

fn main() -> std::process::ExitCode {
    keepalive_policy::cli::run()
}
