//! The `amiwarden` program. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return amiwarden::cli::cannot_start(&error),
    };
    let code = runtime.block_on(amiwarden::cli::main());
    // Not waited for: a question on the terminal that nobody answers any more would keep the process.
    runtime.shutdown_background();
    code
}
