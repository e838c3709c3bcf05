//! Writes the [state] to its file, by a thread of its own: a disk may be full, or not answer at all, and neither the
//! packet path nor the control thread waits for it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::geteuid;
use tracing::{info, warn};

use super::plane::ControlPlane;
use super::state::{self, Moment};
use crate::base::time::Time;
use crate::plan::Plan;

/// Between two savings. Whoever is killed forgets no more than this.
const EVERY: Duration = Duration::from_secs(10);
/// What is waited for the disk at the end.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// Takes in what a file says, if it is there and can be used; says in one line what became of it.
pub(super) fn restore(path: &Path, plan: &Plan, plane: &mut ControlPlane, now: Time) {
    let file = path.display();
    let bytes = match read(path, state::largest(plan)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            info!(%file, "no state to restore: there is no such file yet");
            return;
        }
        Err(error) => {
            warn!(%file, "no state restored, all is learned anew: {error}");
            return;
        }
    };
    match state::restore(&bytes, plan, plane, now, &Moment::now()) {
        Ok(restored) => {
            let (macs, neighbours, saved_s) = (restored.macs, restored.neighbours, restored.age.as_secs());
            match restored.refused() {
                0 => info!(macs, neighbours, saved_s, "state restored"),
                refused => info!(macs, neighbours, saved_s, refused, "state restored; refused: {restored}"),
            }
        }
        Err(unusable) => {
            // the next saving takes its place, and it may be somebody's file, or a newer version's
            let kept = beside(path, ".refused");
            let _ = fs::rename(path, &kept);
            warn!(%file, kept = %kept.display(), "no state restored, all is learned anew: {unusable}");
        }
    }
}

/// A file of the same folder, with a longer name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A file, whole; one byte more than it may have, where it has more.
fn read(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    // a pipe of that name must not stop the start
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(no_file());
    }
    if ![0, geteuid().as_raw()].contains(&about.uid()) || about.mode() & 0o022 != 0 {
        let why =
            "others can write it: it must be of root or the bridge's own user, and writable by nobody else";
        return Err(io::Error::new(ErrorKind::PermissionDenied, why));
    }
    let mut bytes = Vec::new();
    file.take(largest + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts bytes in the place of a file, which has either all of them or what it had before, also after a loss of power.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // /dev/null is what somebody names who wants no state: it must stay what it is
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(no_file());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let new = beside(path, ".new");
    let written = write_new(&new, bytes).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // a part of it is of no use, and takes room that there may be none of
        let _ = fs::remove_file(&new);
    }
    written?;
    File::open(folder)?.sync_all()
}

fn no_file() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "it is no file")
}

fn write_new(new: &Path, bytes: &[u8]) -> io::Result<()> {
    // left by one that was killed, or put there by somebody: whatever it is, nothing is written into it
    let _ = fs::remove_file(new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// What is to be saved: of a moment that is now, as the thread takes it at once or not at all.
#[derive(Debug)]
struct Job {
    plan: Arc<Plan>,
    now: Time,
}

/// The thread that writes the file.
#[derive(Debug)]
pub(super) struct Saver {
    jobs: SyncSender<Job>,
    thread: JoinHandle<()>,
    health: Arc<Health>,
    due: Instant,
}

/// How it goes; told when it changes.
#[derive(Debug)]
struct Health {
    path: PathBuf,
    failures: AtomicU64,
    failing: AtomicBool,
}

impl Health {
    fn failed(&self, why: &str) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        if !self.failing.swap(true, Ordering::Relaxed) {
            warn!(
                file = %self.path.display(),
                every_s = EVERY.as_secs(),
                "the state is not saved, and a restart would learn all anew: {why}; it is tried again"
            );
        }
    }

    fn succeeded(&self) {
        if self.failing.swap(false, Ordering::Relaxed) {
            info!(file = %self.path.display(), failures = self.failures.load(Ordering::Relaxed), "the state is saved again");
        }
    }
}

impl Saver {
    /// Saves to this file from now on.
    ///
    /// # Errors
    /// No thread could be started.
    pub(super) fn new(path: PathBuf) -> io::Result<Saver> {
        let health = Arc::new(Health { path, failures: AtomicU64::new(0), failing: AtomicBool::new(false) });
        // no room: who is busy with a disk is given nothing that is old when it comes to it
        let (jobs, queue) = mpsc::sync_channel(0);
        let work = {
            let health = Arc::clone(&health);
            move || work(&queue, &health)
        };
        let thread = std::thread::Builder::new().name("state".into()).spawn(work)?;
        Ok(Saver { jobs, thread, health, due: Instant::now() + EVERY })
    }

    /// Failed savings.
    pub(super) fn failures(&self) -> u64 {
        self.health.failures.load(Ordering::Relaxed)
    }

    /// To be called now and then: has the state saved where it is time to. Waits for nobody.
    pub(super) fn tick(&mut self, plan: &Arc<Plan>, now: Time) {
        if Instant::now() >= self.due {
            self.due = Instant::now() + EVERY;
            if self.jobs.try_send(Job { plan: Arc::clone(plan), now }).is_err() {
                self.health.failed("the disk does not answer");
            }
        }
    }

    /// Has it saved for the last time, and waits for that, but not for ever.
    pub(super) fn finish(self, plan: &Arc<Plan>, now: impl Fn() -> Time) {
        let until = Instant::now() + LAST_PATIENCE;
        let wait = || {
            std::thread::park_timeout(Duration::from_millis(1)); // as in `workers`
            Instant::now() < until
        };
        while let Err(TrySendError::Full(_)) = self.jobs.try_send(Job { plan: Arc::clone(plan), now: now() })
        {
            if !wait() {
                self.health.failed("the disk does not answer");
                return;
            }
        }
        drop(self.jobs);
        while !self.thread.is_finished() {
            if !wait() {
                self.health.failed("the disk does not answer");
                return;
            }
        }
    }
}

/// Saves what it is given, but for what is there already.
fn work(jobs: &Receiver<Job>, health: &Health) {
    let mut written = None;
    for Job { plan, now } in jobs {
        let snapshot = state::snapshot(&plan, now, &Moment::now());
        if written == Some(snapshot.content) {
            continue;
        }
        match replace(&health.path, &snapshot.bytes) {
            Ok(()) => {
                written = Some(snapshot.content);
                health.succeeded();
            }
            Err(error) => {
                written = None;
                health.failed(&error.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;
    use crate::plan::small;
    use crate::table::fdb::State;

    fn at(seconds: u64) -> Time {
        Time::from_nanos((7200 + seconds) * 1_000_000_000)
    }

    fn plan() -> Arc<Plan> {
        Arc::new(small(""))
    }

    fn hear(plan: &Plan, mac: u64, now: Time) {
        let bridge = &plan.bridges[0];
        let mac = rules::Mac::from_u64(mac);
        let _ = bridge.tables.macs.learn(mac, rules::Side::First, now, &bridge.rules.macs, || true);
    }

    #[test]
    fn at_the_end_the_state_is_there_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let plan = plan();
        hear(&plan, 0x02aa_0000_0001, at(0));
        Saver::new(path.clone()).unwrap().finish(&plan, || at(1));
        let (fresh, mut plane) = (small(""), ControlPlane::new(0, true));
        restore(&path, &fresh, &mut plane, at(0));
        let bridge = &fresh.bridges[0];
        let entries: Vec<_> = bridge.tables.macs.entries(at(0), &bridge.rules.macs).collect();
        assert_eq!(entries.len(), 1);
        assert!(matches!(entries[0].state, State::Heard { .. }));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the temporary file is gone");
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_leaves_the_file_of_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none").join("state");
        let mut saver = Saver::new(path.clone()).unwrap();
        let plan = plan();
        let failures = |saver: &mut Saver, more: u64| {
            let before = saver.failures();
            for _ in 0..10_000 {
                saver.due = Instant::now();
                saver.tick(&plan, at(0));
                std::thread::sleep(Duration::from_millis(1));
                if saver.failures() >= before + more {
                    return;
                }
            }
            panic!("{} failures", saver.failures());
        };
        failures(&mut saver, 2);
        fs::create_dir(path.parent().unwrap()).unwrap();
        while !path.exists() {
            saver.due = Instant::now();
            saver.tick(&plan, at(0));
            std::thread::sleep(Duration::from_millis(1));
        }
        // a folder of that name: it cannot be replaced, and stays
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        hear(&plan, 0x02aa_0000_0001, at(0));
        failures(&mut saver, 1);
        assert!(path.is_dir());
        saver.finish(&plan, || at(1));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no part of it is left");
    }

    #[test]
    fn a_disk_that_does_not_answer_stops_nobody_and_is_counted() {
        // a pipe that nobody reads, in the place of the disk: the thread stands still in the middle of its work
        let folder = tempfile::tempdir().unwrap();
        let health = Arc::new(Health {
            path: folder.path().join("state"),
            failures: AtomicU64::new(0),
            failing: AtomicBool::new(false),
        });
        let (jobs, queue) = mpsc::sync_channel::<Job>(0);
        let (release, held) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let _ = queue.recv();
            let _ = held.recv();
        });
        let mut saver = Saver { jobs, thread, health, due: Instant::now() };
        let plan = plan();
        saver.finish_tick(&plan);
        saver.due = Instant::now();
        saver.tick(&plan, at(0));
        assert_eq!(saver.failures(), 1);
        let health = Arc::clone(&saver.health);
        let began = Instant::now();
        saver.finish(&plan, || at(1));
        assert!(began.elapsed() < 10 * LAST_PATIENCE);
        assert_eq!(health.failures.load(Ordering::Relaxed), 2);
        drop(release);
    }

    impl Saver {
        /// Until the thread has taken a job.
        fn finish_tick(&mut self, plan: &Arc<Plan>) {
            while self.jobs.try_send(Job { plan: Arc::clone(plan), now: at(0) }).is_err() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    #[test]
    fn what_has_not_changed_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let plan = plan();
        hear(&plan, 0x02aa_0000_0001, at(0));
        let content = |seconds| state::snapshot(&plan, at(seconds), &Moment::now()).content;
        assert_eq!(content(1), content(100), "nobody spoke");
        let before = content(100);
        hear(&plan, 0x02aa_0000_0001, at(100));
        assert_ne!(content(100), before, "it was heard again");
        drop(path);
    }

    #[test]
    fn a_state_that_others_can_write_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        fs::write(&path, []).unwrap();
        for (mode, read) in [(0o600, true), (0o644, true), (0o620, false), (0o602, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(super::read(&path, 10).is_ok(), read, "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        // another's: only root can make one
        if chown(&path, Some(65534), None).is_ok() {
            assert!(read(&path, 10).is_err());
        }
    }

    #[test]
    fn what_lies_in_the_way_of_the_temporary_file_is_not_written_into() {
        let folder = tempfile::tempdir().unwrap();
        let (path, new) = (folder.path().join("state"), folder.path().join("state.new"));
        let victim = folder.path().join("victim");
        fs::write(&victim, "kept").unwrap();
        let lay: [&dyn Fn(); 4] = [
            &|| symlink(&victim, &new).unwrap(),
            &|| fs::hard_link(&victim, &new).unwrap(),
            &|| nix::unistd::mkfifo(&new, nix::sys::stat::Mode::S_IRWXU).unwrap(),
            &|| fs::write(&new, "half of a state").unwrap(),
        ];
        for lay in lay {
            lay();
            replace(&path, b"state").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"state");
            assert_eq!(fs::read(&victim).unwrap(), b"kept");
        }
    }

    #[test]
    fn only_a_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(replace(&path, b"state").is_err());
        assert!(!fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_refused_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        fs::write(&path, "somebody's").unwrap();
        let plan = plan();
        restore(&path, &plan, &mut ControlPlane::new(0, true), at(0));
        Saver::new(path.clone()).unwrap().finish(&plan, || at(1));
        assert_eq!(fs::read(folder.path().join("state.refused")).unwrap(), b"somebody's");
        assert!(fs::read(&path).unwrap().starts_with(b"{\"sluice_state\""));
    }

    #[test]
    fn what_is_no_file_is_not_read_and_of_a_file_no_more_than_it_may_have() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert!(read(folder.path(), 10).is_err());
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(read(&path, 10).is_err());
        fs::remove_file(&path).unwrap();
        fs::write(&path, [0; 1000]).unwrap();
        assert_eq!(read(&path, 10).unwrap().len(), 11);
    }
}
