//! The control socket: a request a line in, its answer as JSON out, the connection closed. Only root and one group may
//! open it, and of these the group may only ask.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Group;
use rules::Control;
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

use super::status::Question;
use super::wake::Wake;

/// A question is a word; longer lines are nonsense.
const LONGEST_QUESTION: usize = 256;
/// Conversations at a time, a thread for each. Those who come when all are held wait in the listener's queue, and no longer
/// than one conversation may last.
const CONVERSATIONS: usize = 8;

/// What a client may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Tell something.
    Show(Question),
    /// Put the rules file in force, as SIGHUP does.
    Reload,
}

impl FromStr for Request {
    type Err = strum::ParseError;

    fn from_str(line: &str) -> Result<Request, strum::ParseError> {
        if line == "reload" { Ok(Request::Reload) } else { line.parse().map(Request::Show) }
    }
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Request::Show(question) => question.fmt(f),
            Request::Reload => f.write_str("reload"),
        }
    }
}

/// How long a conversation may last, counted from its beginning: whoever brings or takes a byte now and then gains nothing.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// The question is there.
    question: Duration,
    /// The control thread has answered: it may be busy with a reload of a large file.
    answer: Duration,
    /// The client has read it all.
    whole: Duration,
}

const LIMITS: Limits = Limits {
    question: Duration::from_secs(5),
    answer: Duration::from_secs(10),
    whole: Duration::from_secs(15),
};

impl Limits {
    /// Reading a very large file of rules takes seconds, and somebody else's reload may be before it.
    fn of(self, request: Request) -> Limits {
        let longer = match request {
            Request::Show(_) => Duration::ZERO,
            Request::Reload => Duration::from_secs(50),
        };
        Limits { answer: self.answer + longer, whole: self.whole + longer, ..self }
    }
}

/// The socket's file, removed when this is dropped.
#[derive(Debug)]
pub(super) struct Listening(PathBuf);

impl Drop for Listening {
    fn drop(&mut self) {
        // nothing to do about an error: the next start removes a stale socket
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Opens the socket and hands what is asked to the control thread.
pub(super) fn listen(control: &Control, wake: Sender<Wake>) -> anyhow::Result<Listening> {
    let path = &control.socket;
    let listener = bind(control).with_context(|| format!("control.socket {}", path.display()))?;
    serve(listener, &wake, LIMITS).context("starting a thread")?;
    Ok(Listening(path.clone()))
}

/// The threads that talk to clients.
fn serve(listener: UnixListener, wake: &Sender<Wake>, limits: Limits) -> io::Result<()> {
    let listener = Arc::new(listener);
    for _ in 0..CONVERSATIONS {
        let (listener, wake) = (Arc::clone(&listener), wake.clone());
        let talk = move || {
            for stream in listener.incoming().flatten() {
                // who is too slow, or gone, is let go
                let _ = converse_within(stream, &wake, limits);
            }
        };
        std::thread::Builder::new().name("control-socket".into()).spawn(talk)?;
    }
    Ok(())
}

fn bind(control: &Control) -> anyhow::Result<UnixListener> {
    let path = &control.socket;
    let group = match &control.group {
        None => None,
        Some(name) => {
            let found = Group::from_name(name).with_context(|| format!("looking up group {name}"))?;
            let hint = || {
                format!(
                    "control.group: there is no group {name}: make it with `groupadd --system {name}`, or leave the key out"
                )
            };
            Some(found.with_context(hint)?.gid.as_raw())
        }
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
    }
    if let Ok(there) = std::fs::symlink_metadata(path) {
        if !there.file_type().is_socket() {
            bail!("there is a file of that name that is no socket");
        }
        if UnixStream::connect(path).is_ok() {
            bail!("another sluice answers there: give each its own control.socket");
        }
        std::fs::remove_file(path).context("removing a stale socket")?;
    }
    // closed to all but the owner from its first moment on, then opened to the group
    let before = umask(Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(path);
    umask(before);
    let listener = listener?;
    if let Some(gid) = group {
        chown(path, None, Some(gid)).context("giving the socket to its group")?;
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o660))
            .context("opening the socket to its group")?;
    }
    Ok(listener)
}

/// One client's connection: its question goes to the control thread, and the answer back.
///
/// # Errors
/// The client says nothing, or is too slow to ask or to read.
pub fn converse(stream: UnixStream, wake: &Sender<Wake>) -> io::Result<()> {
    converse_within(stream, wake, LIMITS)
}

fn converse_within(mut stream: UnixStream, wake: &Sender<Wake>, limits: Limits) -> io::Result<()> {
    let began = Instant::now();
    let line = read_line(&mut stream, began + limits.question)?;
    let mut limits = limits;
    let answer = match line.trim().parse::<Request>() {
        Ok(Request::Reload) if !may_change(&stream) => format!(
            r#"{{"error":"only root and the user that the bridge runs as (uid {}) may reload: others may ask, and change nothing"}}"#,
            geteuid().as_raw()
        ),
        // a line of that length may have been cut: its front is not the question
        Ok(request) if line.len() < LONGEST_QUESTION => {
            limits = limits.of(request);
            let (answer, answered) = mpsc::channel();
            let _ = wake.send(match request {
                Request::Show(question) => Wake::Ask(question, answer),
                Request::Reload => Wake::Reload(Some(answer)),
            });
            match answered.recv_timeout(limits.answer.saturating_sub(began.elapsed())) {
                Ok(answer) => answer,
                Err(RecvTimeoutError::Timeout) => r#"{"error":"the bridge is busy: ask again"}"#.to_owned(),
                Err(RecvTimeoutError::Disconnected) => r#"{"error":"the bridge is stopping"}"#.to_owned(),
            }
        }
        _ => r#"{"error":"no such question"}"#.to_owned(),
    };
    write_all(&mut stream, answer.as_bytes(), began + limits.whole)
}

/// Root, or the user that the bridge runs as, who could also send it a signal; by what the kernel says of the client (SO_PEERCRED,
/// unix(7)).
fn may_change(stream: &UnixStream) -> bool {
    socket_peercred(stream).is_ok_and(|client| is_owner(client.uid.as_raw(), geteuid().as_raw()))
}

const fn is_owner(client: u32, bridge: u32) -> bool {
    client == 0 || client == bridge
}

/// What is left until a moment; an error once it has come.
fn left(until: Instant) -> io::Result<Option<Duration>> {
    match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(ErrorKind::TimedOut.into()),
        left => Ok(Some(left)),
    }
}

fn read_line(stream: &mut UnixStream, until: Instant) -> io::Result<String> {
    let mut line = [0; LONGEST_QUESTION];
    let mut read = 0;
    while read < line.len() && !line[..read].contains(&b'\n') {
        stream.set_read_timeout(left(until)?)?;
        match stream.read(&mut line[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    // a line is all that counts: what comes behind it is no part of the question
    let end = line[..read].iter().position(|byte| *byte == b'\n').map_or(read, |end| end + 1);
    Ok(String::from_utf8_lossy(&line[..end]).into_owned())
}

fn write_all(stream: &mut UnixStream, mut bytes: &[u8], until: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_write_timeout(left(until)?)?;
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Asks a running bridge.
///
/// # Errors
/// Where nobody answers at `path`, or the caller may not open it: said in words for an operator.
pub fn ask(path: &Path, request: Request) -> anyhow::Result<String> {
    let connect = || format!("{}: is the bridge running, and may you open its socket?", path.display());
    let mut stream = UnixStream::connect(path).with_context(connect)?;
    let talk = |stream: &mut UnixStream| -> std::io::Result<String> {
        stream.set_read_timeout(Some(LIMITS.of(request).whole))?;
        writeln!(stream, "{request}")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = talk(&mut stream).with_context(|| format!("asking the bridge at {}", path.display()))?;
    if answer.is_empty() {
        bail!("{}: the bridge ended, or took too long, before it answered: look at its log", path.display());
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Receiver;
    use std::thread;

    use super::*;

    /// Well beyond what a loaded machine adds, and still short for a test.
    const SHORT: Limits = Limits {
        question: Duration::from_millis(300),
        answer: Duration::from_millis(600),
        whole: Duration::from_millis(900),
    };

    /// A socket whose control thread answers each question with so many bytes.
    fn served(bytes: usize) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let (wake, wakes): (_, Receiver<Wake>) = mpsc::channel();
        serve(UnixListener::bind(&path).unwrap(), &wake, SHORT).unwrap();
        thread::spawn(move || {
            for wake in wakes {
                let Wake::Ask(_, answer) = wake else { continue };
                let _ = answer.send("x".repeat(bytes));
            }
        });
        (folder, path)
    }

    fn answer(path: &Path) -> usize {
        ask(path, Request::Show(Question::Counters)).unwrap().len()
    }

    /// Until the other end has closed.
    fn drained(mut stream: UnixStream) -> usize {
        let mut bytes = [0; 4096];
        std::iter::from_fn(|| stream.read(&mut bytes).ok().filter(|&read| read > 0)).sum()
    }

    #[test]
    fn a_client_that_brings_a_byte_now_and_then_is_cut_off_and_others_are_answered_meanwhile() {
        let (_folder, path) = served(10);
        let began = Instant::now();
        let mut slow = UnixStream::connect(&path).unwrap();
        let dripping = thread::spawn(move || {
            // each byte well within the limit, and no end of them
            while slow.write_all(b"c").is_ok() {
                thread::sleep(SHORT.question / 10);
            }
        });
        assert_eq!(answer(&path), 10);
        assert!(!dripping.is_finished());
        dripping.join().unwrap();
        assert!(began.elapsed() < 20 * SHORT.question);
    }

    #[test]
    fn clients_that_hold_every_conversation_hold_them_no_longer_than_one_may_last() {
        let (_folder, path) = served(10);
        let silent: Vec<_> = (0..3 * CONVERSATIONS).map(|_| UnixStream::connect(&path).unwrap()).collect();
        assert_eq!(answer(&path), 10);
        drop(silent);
    }

    #[test]
    fn who_does_not_read_the_answer_is_cut_off() {
        const LARGE: usize = 4 << 20;
        let (_folder, path) = served(LARGE);
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(b"counters\n").unwrap();
        thread::sleep(2 * SHORT.whole);
        assert!(drained(stream) < LARGE);
        assert_eq!(answer(&path), LARGE);
    }

    #[test]
    fn only_root_and_the_bridges_own_user_may_change_anything() {
        assert!(is_owner(0, 0) && is_owner(0, 998) && is_owner(998, 998));
        assert!(!is_owner(1000, 998) && !is_owner(1000, 0) && !is_owner(998, 0));
        // who runs this test talks to itself
        assert!(may_change(&UnixStream::pair().unwrap().0));
    }

    #[test]
    fn a_bridge_that_ends_before_it_answers_is_said_to_have() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let ends = thread::spawn(move || listener.accept().map(|(mut stream, _)| stream.read(&mut [0; 64])));
        let error = ask(&path, Request::Reload).unwrap_err().to_string();
        ends.join().unwrap().unwrap().unwrap();
        assert!(error.contains("before it answered"), "{error}");
    }

    #[test]
    fn a_control_thread_that_is_busy_is_said_to_be() {
        let (asking, stream) = UnixStream::pair().unwrap();
        let (wake, wakes) = mpsc::channel();
        (&asking).write_all(b"counters\n").unwrap();
        converse_within(stream, &wake, SHORT).unwrap();
        let mut told = String::new();
        (&asking).read_to_string(&mut told).unwrap();
        assert!(told.contains("busy"), "{told}");
        drop(wakes);
    }
}
