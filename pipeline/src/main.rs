//! `sluice`: a filtering bridge between two VLANs of an Internet exchange.

use std::process::ExitCode;

fn main() -> ExitCode {
    pipeline::cli::main()
}
