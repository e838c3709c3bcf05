//! The targets under libFuzzer: see `scripts/fuzz`. The environment's `FUZZ_TARGET` says which.
#![no_main]
// libFuzzer calls a C function of a fixed name
#![allow(unsafe_code)]

use std::sync::LazyLock;

static TARGET: LazyLock<fuzz::Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    fuzz::target(&name).unwrap_or_else(|| panic!("FUZZ_TARGET={name}: there is no such target"))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| TARGET(bytes));
