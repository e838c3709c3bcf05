//! What a worker may ask of the kernel: it works on queues and memory that it has. Whoever takes it over by a frame gets no
//! file, no socket and no process by it.
//!
//! The service's own list of system calls (`SystemCallFilter=` of the unit) is for the whole process, which must open devices
//! when it starts; this one is for the worker's thread alone, and in force wherever the bridge runs.

use anyhow::Context;
use libc::c_long;
use rustix::io::Errno;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

/// System calls that end with `EACCES`: all by which a thread gets at what it has not got.
const REFUSED: &[c_long] = &[
    // files
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_open_by_handle_at,
    libc::SYS_memfd_create,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_fchmodat,
    libc::SYS_fchownat,
    libc::SYS_truncate,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_fanotify_init,
    libc::SYS_inotify_init1,
    // sockets, and what else speaks to others
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_mq_open,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_shmget,
    // programs, processes and threads; tgkill stays, by which abort(3) ends
    libc::SYS_kill,
    libc::SYS_pidfd_send_signal,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_unshare,
    libc::SYS_setns,
    // the machine, where the bridge runs as root
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_acct,
    libc::SYS_swapon,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    // ways round a list like this
    libc::SYS_io_uring_setup,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
];

/// The older forms of the same calls.
#[cfg(target_arch = "x86_64")]
const REFUSED_OLD: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_mknod,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_inotify_init,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_OLD: &[c_long] = &[];

/// A kernel with the x32 ABI takes each call by a second number too, and is the same architecture to a filter
/// (`__X32_SYSCALL_BIT` of asm/unistd.h). Some of its numbers are its own: execve, ptrace, process_vm_readv, process_vm_writev
/// and execveat.
#[cfg(target_arch = "x86_64")]
fn second_numbers() -> impl Iterator<Item = c_long> {
    const X32: c_long = 0x4000_0000;
    REFUSED.iter().chain(REFUSED_OLD).chain(&[520, 521, 539, 540, 545]).map(|call| call | X32)
}
#[cfg(not(target_arch = "x86_64"))]
fn second_numbers() -> impl Iterator<Item = c_long> {
    std::iter::empty()
}

/// Takes all that from the calling thread, for good: to be called when it has everything that it needs.
///
/// # Errors
/// The kernel has no seccomp filters, or this processor has none here.
pub fn confine() -> anyhow::Result<()> {
    let program = program().context("making the list of system calls")?;
    seccompiler::apply_filter(&program).context("confining the thread")
}

fn program() -> anyhow::Result<BpfProgram> {
    let architecture: TargetArch = std::env::consts::ARCH.try_into()?;
    let refused = REFUSED.iter().chain(REFUSED_OLD).copied().chain(second_numbers());
    let refused = refused.map(|call| (call, Vec::new())).collect();
    let errno = SeccompAction::Errno(Errno::ACCESS.raw_os_error().unsigned_abs());
    Ok(SeccompFilter::new(refused, SeccompAction::Allow, errno, architecture)?.try_into()?)
}

/// Whether an error is the answer of a confined thread.
#[cfg(test)]
pub(crate) fn is_refusal(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ACCESS.raw_os_error())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io;
    use std::net::UdpSocket;
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    /// What a confined thread gets of the kernel.
    fn refused<T>(ask: impl FnOnce() -> io::Result<T> + Send + 'static) -> bool {
        let thread = std::thread::spawn(|| {
            confine().unwrap();
            ask().map(drop)
        });
        thread.join().unwrap().is_err_and(|error| is_refusal(&error))
    }

    #[test]
    fn a_confined_thread_opens_no_file() {
        assert!(File::open("/dev/null").is_ok());
        assert!(refused(|| File::open("/dev/null")));
        assert!(refused(|| File::create("/dev/null")));
        assert!(refused(|| std::fs::remove_file("/nonexistent")));
    }

    #[test]
    fn a_confined_thread_opens_no_socket() {
        assert!(UdpSocket::bind("127.0.0.1:0").is_ok());
        assert!(refused(|| UdpSocket::bind("127.0.0.1:0")));
        assert!(refused(UnixDatagram::unbound));
    }

    #[test]
    fn a_confined_thread_starts_no_program_and_no_thread() {
        assert!(refused(|| Command::new("/bin/true").spawn()));
        assert!(refused(|| std::thread::Builder::new().spawn(|| ())));
    }

    /// What the filter says of a call: classic BPF (seccomp(2)), as far as the crate uses it.
    #[cfg(target_arch = "x86_64")]
    fn verdict(call: c_long) -> u32 {
        const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
        let program = program().unwrap();
        let (mut at, mut loaded) = (0, 0);
        loop {
            let it = &program[at];
            at += 1;
            match it.code {
                0x20 => loaded = if it.k == 0 { call as u32 } else { AUDIT_ARCH_X86_64 },
                0x15 => at += usize::from(if loaded == it.k { it.jt } else { it.jf }),
                0x05 => at += it.k as usize,
                0x06 => return it.k,
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn no_second_number_of_a_call_leads_round_the_list() {
        let refused = libc::SECCOMP_RET_ERRNO | Errno::ACCESS.raw_os_error() as u32;
        assert_eq!(verdict(libc::SYS_read), libc::SECCOMP_RET_ALLOW);
        for call in REFUSED.iter().chain(REFUSED_OLD).chain(&[520, 545]) {
            assert_eq!(verdict(call | 0x4000_0000), refused, "{call}");
        }
        assert_eq!(verdict(libc::SYS_openat), refused);
    }

    #[test]
    fn a_confined_thread_has_its_memory_its_clock_and_its_sleep() {
        let thread = std::thread::spawn(|| {
            confine().unwrap();
            std::thread::sleep(Duration::from_micros(1));
            std::thread::yield_now();
            vec![1_u8; 64 << 20].iter().map(|&byte| u64::from(byte)).sum::<u64>()
        });
        assert_eq!(thread.join().unwrap(), 64 << 20);
    }

    #[test]
    fn other_threads_keep_what_they_may() {
        std::thread::spawn(|| confine().unwrap()).join().unwrap();
        assert!(File::open("/dev/null").is_ok());
    }
}
