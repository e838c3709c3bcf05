//! Raw bindings to the distribution's libdpdk: generated, unsafe, and without any policy. Their documentation is
//! [DPDK's own](https://doc.dpdk.org/api-22.11/). What makes them safe to use is in `pipeline::io::dpdk`.

#[allow(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_code
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

pub use generated::*;
