//! Finds the distribution's libdpdk, generates bindings to what sluice uses of it, and compiles callable copies of its
//! `static inline` functions.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

/// The release whose ABI the bindings were written against. Another one may differ in structures and in meaning (what
/// an MTU covers, for one), so it has to be looked at before it is allowed here.
const VERSIONS: std::ops::Range<&str> = "22.11".."22.12";

const FUNCTIONS: &[&str] = &[
    "dpdk_sys_errno",
    "fopencookie",
    "rte_cpu_get_flag_enabled",
    "rte_dev_event_callback_process",
    "rte_dev_event_callback_register",
    "rte_dev_name",
    "rte_dev_probe",
    "rte_dev_remove",
    "rte_eal_init",
    "rte_eth_dev_adjust_nb_rx_tx_desc",
    "rte_eth_dev_callback_register",
    "rte_eth_dev_close",
    "rte_eth_dev_configure",
    "rte_eth_dev_fw_version_get",
    "rte_eth_dev_info_get",
    "rte_eth_dev_rx_intr_ctl_q_get_fd",
    "rte_eth_dev_rx_intr_disable",
    "rte_eth_dev_rx_intr_enable",
    "rte_eth_dev_set_link_down",
    "rte_eth_dev_set_link_up",
    "rte_eth_dev_set_mtu",
    "rte_eth_dev_set_rx_queue_stats_mapping",
    "rte_eth_dev_socket_id",
    "rte_eth_dev_start",
    "rte_eth_dev_stop",
    "rte_eth_find_next",
    "rte_eth_link_get_nowait",
    "rte_eth_macaddr_get",
    "rte_eth_promiscuous_enable",
    "rte_eth_rx_burst",
    "rte_eth_rx_queue_setup",
    "rte_eth_stats_get",
    "rte_eth_tx_burst",
    "rte_eth_tx_queue_setup",
    "rte_get_tsc_hz",
    "rte_openlog_stream",
    "rte_pktmbuf_alloc",
    "rte_pktmbuf_free",
    "rte_pktmbuf_free_bulk",
    "rte_pktmbuf_linearize",
    "rte_pktmbuf_pool_create",
    "rte_rdtsc",
    "rte_thread_register",
    "rte_thread_unregister",
    "rte_version",
];

const CONSTANTS: &[&str] = &[
    "RTE_ETHER_CRC_LEN",
    "RTE_ETHER_HDR_LEN",
    "RTE_ETH_DEV_INTR_RMV",
    "RTE_ETH_LINK_UP",
    "RTE_ETH_RSS_IP",
    "RTE_ETH_RSS_TCP",
    "RTE_ETH_RSS_UDP",
    "RTE_ETH_SPEED_NUM_UNKNOWN",
    "RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE",
    "RTE_MAX_ETHPORTS",
    "RTE_MBUF_F_RX_QINQ_STRIPPED",
    "RTE_MBUF_F_RX_VLAN_STRIPPED",
    "RTE_PKTMBUF_HEADROOM",
    "SOCKET_ID_ANY",
];

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=wrapper.h");
    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);

    let dpdk = pkg_config::Config::new().range_version(VERSIONS).probe("libdpdk").map_err(|cause| {
        format!(
            "libdpdk {}, looked for with pkg-config, was not found.\n\
             On Debian 12: apt-get install libdpdk-dev clang libclang-dev pkg-config\n\
             A DPDK elsewhere: set PKG_CONFIG_PATH to the folder of its libdpdk.pc.\n\n{cause}",
            VERSIONS.start
        )
    })?;
    // As DPDK's own .pc file has it, which the pkg-config crate does not hand on: its headers need rte_config.h, and
    // their inline functions instructions that are not in the x86-64 baseline.
    let mut flags = vec!["-D_GNU_SOURCE".to_owned(), "-include".to_owned(), "rte_config.h".to_owned()];
    if env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("x86_64") {
        flags.push("-march=corei7".to_owned());
    }
    flags.extend(dpdk.include_paths.iter().map(|path| format!("-I{}", path.display())));

    let wrappers = out.join("static_fns.c");
    let mut bindings = bindgen::Builder::default()
        .header("wrapper.h")
        .clang_args(&flags)
        // The RTE_BIT64 constants are expressions that only a compiler can evaluate.
        .clang_macro_fallback()
        .clang_macro_fallback_build_dir(out)
        .wrap_static_fns(true)
        .wrap_static_fns_path(&wrappers)
        // Packed within packed, which Rust cannot express (E0588).
        .opaque_type("rte_arp_ipv4|rte_arp_hdr|rte_l2tpv2_.*|rte_gtp_psc_.*")
        .default_enum_style(bindgen::EnumVariation::Consts)
        .layout_tests(true)
        .derive_default(true)
        .generate_comments(false)
        .merge_extern_blocks(true)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .allowlist_type("rte_eth_rx_mq_mode|rte_cpu_flag_t|rte_dev_event_type|rte_eth_event_type");
    for name in FUNCTIONS {
        bindings = bindings.allowlist_function(name);
    }
    for name in CONSTANTS {
        bindings = bindings.allowlist_var(name);
    }
    let bindings = bindings.generate().map_err(|cause| {
        format!(
            "bindgen cannot read DPDK's headers ({cause}).\nOn Debian 12: apt-get install clang libclang-dev"
        )
    })?;
    bindings.write_to_file(out.join("bindings.rs"))?;

    if !fs::exists(&wrappers)? {
        return Err("bindgen wrote no wrappers for DPDK's static functions".into());
    }
    let mut compiler = cc::Build::new();
    compiler.file(&wrappers).include(env::var("CARGO_MANIFEST_DIR")?).opt_level(3).warnings(false);
    for flag in &flags {
        compiler.flag(flag);
    }
    compiler.try_compile("dpdk_static_fns")?;
    Ok(())
}
