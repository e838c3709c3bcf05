//! What wakes the control thread.

use std::sync::mpsc;

use super::status::Question;

/// What wakes the control thread.
#[derive(Debug)]
pub enum Wake {
    /// SIGHUP; or somebody asks for it through the socket, and the outcome goes to the sender.
    Reload(Option<mpsc::Sender<String>>),
    /// SIGTERM or SIGINT, by its name.
    Stop(&'static str),
    /// Somebody asks through the socket; the answer goes to the sender.
    Ask(Question, mpsc::Sender<String>),
}
