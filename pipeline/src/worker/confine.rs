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
    libc::SYS_mount,
    // sockets, and what else speaks to others
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_mq_open,
    // programs, processes and threads
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
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_OLD: &[c_long] = &[];

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
    let refused = REFUSED.iter().chain(REFUSED_OLD).map(|&call| (call, Vec::new())).collect();
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
