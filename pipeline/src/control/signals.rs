//! Signals: SIGHUP reloads, SIGTERM and SIGINT end.

use std::io;
use std::sync::mpsc::Sender;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::wake::Wake;

/// Turns signals into wakes, from a thread of its own.
pub(super) fn watch(wake: Sender<Wake>) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGTERM, SIGINT])?;
    let forward = move || {
        for signal in signals.forever() {
            let what = match signal {
                SIGHUP => Wake::Reload(None),
                SIGINT => Wake::Stop("SIGINT"),
                _ => Wake::Stop("SIGTERM"),
            };
            if wake.send(what).is_err() {
                return; // the control thread has ended
            }
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(forward).map(drop)
}
