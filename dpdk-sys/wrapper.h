/* What sluice uses of DPDK: build.rs picks the names out of these headers. */

#include <stdio.h>

#include <rte_config.h>

#include <rte_cpuflags.h>
#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_version.h>

/* rte_errno is a macro over a thread-local variable, which Rust cannot name. */
static inline int dpdk_sys_errno(void)
{
	return rte_errno;
}
