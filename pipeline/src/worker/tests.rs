use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rtrb::RingBuffer;

use super::*;
use crate::base::reason::Reason;
use crate::io::mem::{MemIo, Packet};

const RULES: &str = r#"
version: 1
ports: { a: { device: net_null0 }, b: { device: net_null1 } }
workers: [1]
idle: interrupt
bridges:
  wix:
    sides: { mud: { port: a }, wix: { port: b } }
    peering: { ipv4: [202.7.0.0/23] }
"#;

fn plan() -> Arc<Plan> {
    let rules = rules::parse(RULES, "test.yaml").unwrap().rules;
    Arc::new(Plan::new(rules, None, &[], 1).unwrap())
}

/// A UDP packet from one station to another.
fn frame(destination: u8, source: u8) -> Packet {
    let mut bytes = [0; 60];
    bytes[..12].copy_from_slice(&[2, 0, 0, 0, 0, destination, 2, 0, 0, 0, 0, source]);
    bytes[12..38].copy_from_slice(&[
        8,
        0,
        0x45,
        0,
        0,
        46,
        0,
        0,
        0,
        0,
        64,
        17,
        0,
        0,
        202,
        7,
        0,
        source,
        202,
        7,
        0,
        destination,
        0,
        9,
        0,
        9,
    ]);
    bytes[38..42].copy_from_slice(&[0, 26, 0, 0]);
    Packet::new(&bytes)
}

#[test]
fn frames_for_a_port_that_was_let_go_end_as_tx_full_and_the_books_balance() {
    let mut worker = Worker::new(MemIo::new(2), plan(), 1).0;
    worker.io.input[1].push_back(frame(1, 2));
    worker.io.input[0].push_back(frame(2, 1));
    worker.poll(Time::from_nanos(1));
    worker.io.release(1);
    for frame in [frame(2, 1), frame(2, 1)] {
        worker.io.input[0].push_back(frame);
    }
    worker.io.input[1].push_back(frame(1, 2));
    worker.poll(Time::from_nanos(2));
    let mud = &worker.books().sides[0][0];
    assert_eq!((mud.forwarded, mud.dropped[Reason::TxFull.index()]), (1, 2));
    assert_eq!((worker.books().ports[1].received, worker.books().unaccounted()), (1, 0));
}

/// Ports that can wake: what was asked of them, in order. A frame comes in the moment in which they are armed first, and one
/// that ends the first wait.
#[derive(Debug)]
struct Bell {
    ports: MemIo,
    asked: Arc<Mutex<Vec<&'static str>>>,
    refuses: bool,
    /// Frames come in each wait and do not end it.
    mute: bool,
}

impl Bell {
    /// How often it was asked that before.
    fn note(&self, what: &'static str) -> usize {
        let mut asked = self.asked.lock().unwrap();
        asked.push(what);
        asked.iter().filter(|&&asked| asked == what).count() - 1
    }
}

impl Io for Bell {
    type Buffer = Packet;

    fn receive(&mut self, port: usize, into: &mut Vec<Packet>) {
        self.ports.receive(port, into);
    }

    fn transmit(&mut self, port: usize, frames: &mut Vec<Packet>) {
        self.ports.transmit(port, frames);
    }

    fn make(&mut self, bytes: &[u8]) -> Option<Packet> {
        self.ports.make(bytes)
    }

    fn wakes_after(&self) -> Option<Duration> {
        Some(Duration::from_millis(1))
    }

    fn arm(&mut self) -> bool {
        if self.note("arm") == 0 {
            self.ports.input[0].push_back(frame(2, 1));
        }
        !self.refuses
    }

    fn wait(&mut self, longest: Duration) -> bool {
        if longest == Duration::ZERO {
            self.note("woken?");
            return false;
        }
        assert_eq!(longest, LONGEST_WAIT);
        let is_first = self.note("wait") == 0;
        if is_first || self.mute {
            self.ports.input[0].push_back(frame(2, 1));
        }
        is_first && !self.mute
    }

    fn disarm(&mut self) {
        self.note("disarm");
    }
}

/// Runs a worker until its ports were asked for so many things; what these were, and the books. An idle turn takes half a
/// millisecond of its clock.
fn run(refuses: bool, mute: bool, until: usize) -> (Vec<&'static str>, Books) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let bell = Bell { ports: MemIo::new(2), asked: Arc::clone(&asked), refuses, mute };
    let (mut orders, ordered) = RingBuffer::new(1);
    let (reporting, _reports) = RingBuffer::new(1);
    let ticks = Arc::new(AtomicU64::new(0));
    let ticking = Arc::clone(&ticks);
    let clock = move || Time::from_nanos(500_000 * ticking.fetch_add(1, Ordering::Relaxed));
    let worker = Worker::new(bell, plan(), 1).0;
    let worker = std::thread::spawn(move || worker.run(clock, ordered, reporting));
    while asked.lock().unwrap().len() < until {
        std::thread::yield_now();
    }
    // and some turns more
    let then = ticks.load(Ordering::Relaxed);
    while ticks.load(Ordering::Relaxed) < then + 20 {
        std::thread::yield_now();
    }
    orders.push(Order::Stop).unwrap();
    let books = worker.join().unwrap();
    let asked = asked.lock().unwrap().clone();
    (asked, books)
}

#[test]
fn a_worker_waits_after_a_silence_and_takes_first_what_came_before_its_ports_could_wake_it() {
    let (asked, books) = run(false, false, 8);
    assert_eq!(asked[..8], ["arm", "disarm", "arm", "wait", "disarm", "arm", "wait", "disarm"]);
    assert_eq!((books.ports[0].received, books.unaccounted()), (2, 0));
    assert!(books.meter.time(Spent::Asleep) > Duration::ZERO);
}

#[test]
fn where_a_port_refuses_to_wake_nobody_waits_for_it() {
    let (asked, books) = run(true, false, 6);
    assert!(!asked.contains(&"wait"), "{asked:?}");
    assert_eq!(asked[..2], ["arm", "disarm"]);
    assert_eq!(books.ports[0].received, 1);
}

#[test]
fn a_worker_that_frames_do_not_wake_gives_up_waiting() {
    let (asked, books) = run(false, true, 2 + 4 * DEAF as usize);
    assert_eq!(asked[2..6], ["arm", "wait", "woken?", "disarm"]);
    assert_eq!(asked.iter().filter(|&&asked| asked == "wait").count(), DEAF as usize);
    assert_eq!((books.ports[0].received, books.unaccounted()), (1 + u64::from(DEAF), 0));
}
