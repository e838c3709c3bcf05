//! Writes the man pages, one of the program and one of each command, into a folder: `cargo run --example manual -- DIR`. No
//! command of the program itself: nobody needs it there.

use std::env;
use std::io::{Error, Result};

fn main() -> Result<()> {
    let folder = env::args().nth(1).ok_or_else(|| Error::other("usage: manual DIR"))?;
    clap_mangen::generate_to(pipeline::cli::command(), folder)
}
