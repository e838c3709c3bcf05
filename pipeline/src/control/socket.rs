//! The control socket: a question a line in, its answer as JSON out, the connection closed. Only root and one group may
//! open it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Group;
use rules::Control;

use super::Wake;
use super::status::Question;

/// A question is a word; longer lines are nonsense.
const LONGEST_QUESTION: u64 = 256;
/// A client that neither asks nor reads for so long is dropped.
const PATIENCE: Duration = Duration::from_secs(5);

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
    let serve = move || {
        for stream in listener.incoming().flatten() {
            // one at a time: answers are small, and nobody can pile up threads
            let _ = converse(stream, &wake);
        }
    };
    std::thread::Builder::new().name("control-socket".into()).spawn(serve).context("starting a thread")?;
    Ok(Listening(path.clone()))
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
/// The client says nothing, or no text, or does not read.
pub fn converse(mut stream: UnixStream, wake: &Sender<Wake>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new((&stream).take(LONGEST_QUESTION)).read_line(&mut line)?;
    let answer = match line.trim().parse::<Question>() {
        // a line of that length may have been cut: its front is not the question
        Ok(question) if (line.len() as u64) < LONGEST_QUESTION => {
            let (answer, answered) = mpsc::channel();
            let _ = wake.send(Wake::Ask(question, answer));
            answered.recv().unwrap_or_else(|_| r#"{"error":"the bridge is stopping"}"#.to_owned())
        }
        _ => r#"{"error":"no such question"}"#.to_owned(),
    };
    stream.write_all(answer.as_bytes())
}

/// Asks a running bridge.
///
/// # Errors
/// Where nobody answers at `path`, or the caller may not open it: said in words for an operator.
pub fn ask(path: &Path, question: Question) -> anyhow::Result<String> {
    let connect = || format!("{}: is the bridge running, and may you open its socket?", path.display());
    let mut stream = UnixStream::connect(path).with_context(connect)?;
    let talk = |stream: &mut UnixStream| -> std::io::Result<String> {
        stream.set_read_timeout(Some(2 * PATIENCE))?;
        writeln!(stream, "{question}")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    talk(&mut stream).with_context(|| format!("asking the bridge at {}", path.display()))
}
