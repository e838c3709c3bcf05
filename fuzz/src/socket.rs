//! The control socket: whatever a client sends, it is a question or is refused, and the connection is closed.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;

use pipeline::control::Wake;
use pipeline::control::socket::{Request, converse};

/// What the bridge answers here to every question.
const ANSWER: &str = "{}";

pub(crate) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(question) = text.trim().parse::<Request>() {
        assert_eq!(question.to_string(), text.trim(), "a question has one name");
    }
    // what a socket holds before somebody reads it
    conversation(&bytes[..bytes.len().min(4096)]);
}

fn conversation(sent: &[u8]) {
    let (mut client, server) = UnixStream::pair().expect("two sockets");
    client.write_all(sent).expect("room in the socket");
    client.shutdown(Shutdown::Write).expect("a socket that is open");
    let (wake, wakes) = mpsc::channel();
    let control = std::thread::spawn(move || {
        let mut asked = Vec::new();
        while let Ok(woken) = wakes.recv() {
            match woken {
                Wake::Ask(question, answer) => {
                    asked.push(Request::Show(question));
                    // who asked may be gone
                    let _ = answer.send(ANSWER.to_owned());
                }
                // of who runs this: the bridge's own user
                Wake::Reload(Some(answer)) => {
                    asked.push(Request::Reload);
                    let _ = answer.send(ANSWER.to_owned());
                }
                other => panic!("the socket said {other:?}"),
            }
        }
        asked
    });
    let talked = converse(server, &wake);
    drop(wake);
    let asked = control.join().expect("it has not panicked");
    // what the bridge did not read makes the closing a reset, behind the answer
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(asked.len() <= 1, "one connection, one question");
    if let [question] = asked[..] {
        let line = sent.split(|byte| *byte == b'\n').next().map(String::from_utf8_lossy);
        assert_eq!(line.unwrap_or_default().trim(), question.to_string(), "it asked what the client did not");
        assert_eq!(answer, ANSWER);
    } else if talked.is_ok() {
        assert_eq!(answer, r#"{"error":"no such question"}"#);
    } else {
        assert_eq!(answer, "", "not UTF-8: closed without a word");
    }
}
