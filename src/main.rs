//! The `amiwarden` program. Everything is in the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    amiwarden::cli::main().await
}
