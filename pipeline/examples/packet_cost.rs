//! A worker on frames in memory, for `perf/instructions`: run under callgrind it tells what the packet path costs a frame.
//!
//! Prints how many frames went through `counted`, which is what callgrind counts. Filling and emptying the bursts is
//! outside of it.

use std::error::Error;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use pipeline::io::{BURST, Buffer, Io};
use pipeline::plan::Plan;
use pipeline::time::Time;
use pipeline::worker::Worker;

/// Frames in all, so that a fixed cost vanishes.
const FRAMES: usize = 200_000;
/// Of each side.
const VLANS: [u16; 2] = [10, 20];
/// What a worker looks at in this time at 10 Mpps: both ports, a burst each.
const STEP: Duration = Duration::from_nanos(100 * 2 * BURST as u64);
const SEED: u64 = 0;

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "expected: packet_cost ipv4|ipv6 members|learned COUNT";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [protocol, admission, count] = arguments.as_slice() else { return Err(usage.into()) };
    let pinned = match admission.as_str() {
        "members" => true,
        "learned" => false,
        _ => return Err(usage.into()),
    };
    let stations = count.parse::<usize>()?.div_ceil(2).max(1);
    let packet: fn(u32) -> Vec<u8> = match protocol.as_str() {
        "ipv4" => ipv4,
        "ipv6" => ipv6,
        _ => return Err(usage.into()),
    };

    let plan = Plan::new(exchange(pinned, stations)?, None, &[], SEED);
    let (mut worker, _events) = Worker::new(Hopper::default(), Arc::new(plan), 1, SEED);
    let frames = [0, 1].map(|side| frames(side, stations, packet));
    let mut now = Time::ZERO;
    // once round, so that every address is known
    let bursts = frames[0].len().div_ceil(BURST);
    for burst in 0..bursts {
        worker.io.fill(&frames, burst);
        worker.poll(now);
    }
    let before = forwarded(&worker);
    let mut offered = 0;
    while offered < FRAMES as u64 {
        for burst in 0..bursts {
            worker.io.fill(&frames, burst);
            now = now.after(STEP);
            offered += counted(&mut worker, now) as u64;
        }
    }
    if forwarded(&worker) - before != offered || worker.books().unaccounted() != 0 {
        return Err(format!("not every frame crossed: {:?}", worker.books()).into());
    }
    println!("{offered}");
    Ok(())
}

/// What callgrind counts.
#[inline(never)]
fn counted(worker: &mut Worker<Hopper>, now: Time) -> usize {
    worker.poll(now)
}

fn forwarded(worker: &Worker<Hopper>) -> u64 {
    worker.books().sides.iter().flatten().map(|side| side.forwarded).sum()
}

/// The exchange's rules, the stations pinned to their sides or to be learned.
fn exchange(pinned: bool, stations: usize) -> Result<rules::Rules, Box<dyn Error>> {
    let mut text = format!(
        r#"
version: 1
ports: {{ trunk0: {{ device: net_null0 }}, trunk1: {{ device: net_null1 }} }}
bridges:
  wix:
    sides:
      mud: {{ port: trunk0, vlan: {}, mac: "02:51:00:00:00:0a" }}
      wix: {{ port: trunk1, vlan: {}, mac: "02:51:00:00:00:14" }}
    peering: {{ ipv4: [202.7.0.0/23], ipv6: ["2001:7fa:3:ca07::/64"] }}
    own: {{ ipv4: 202.7.1.254, ipv6: "2001:7fa:3:ca07::fe" }}
    admission: {}
    macs: {{ capacity: {stations}, new: {{ rate: 1000000/s, burst: 1000000 }} }}
"#,
        VLANS[0],
        VLANS[1],
        if pinned { "members" } else { "learned" },
    );
    if pinned {
        text += "    members:\n";
        for (side, name) in ["mud", "wix"].into_iter().enumerate() {
            for station in 0..stations {
                let mac: Vec<String> = mac(side, station).iter().map(|byte| format!("{byte:02x}")).collect();
                writeln!(
                    text,
                    "      - {{ name: {name}{station}, side: {name}, mac: \"{}\" }}",
                    mac.join(":")
                )?;
            }
        }
    }
    rules::parse(&text, "rules").map(|checked| checked.rules).map_err(|errors| format!("{errors}").into())
}

fn mac(side: usize, station: usize) -> [u8; 6] {
    let [_, a, b, c] = (station as u32).to_be_bytes();
    [0x02, 0xaa, side as u8, a, b, c]
}

/// One frame of each station, in whole bursts, to stations of the other side in another order.
fn frames(side: usize, stations: usize, packet: fn(u32) -> Vec<u8>) -> Vec<Frame> {
    const STRIDE: usize = 7919; // a prime: neighbours in the order of the sources are far apart in that of the destinations
    let count = stations.next_multiple_of(BURST);
    let frame = |number: usize| {
        let mut bytes = mac(1 - side, number.wrapping_mul(STRIDE) % stations).to_vec();
        bytes.extend(mac(side, number % stations));
        bytes.extend([0x81, 0]);
        bytes.extend(VLANS[side].to_be_bytes());
        bytes.extend(packet(number as u32));
        Frame(bytes.into_boxed_slice())
    };
    (0..count).map(frame).collect()
}

/// EtherType and a UDP datagram that fills a frame of 64 bytes with its FCS.
fn ipv4(number: u32) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 42, 0, 0, 0x40, 0, 64, 17, 0, 0, 198, 18, 0, 0, 198, 19, 0, 0];
    packet[14..16].copy_from_slice(&(number as u16).to_be_bytes());
    let sum = !pipeline::frame::checksum::fold(pipeline::frame::checksum::sum(&packet));
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    [&[0x08, 0][..], &packet, &udp(22)].concat()
}

/// EtherType and the shortest UDP datagram: 66 bytes with the FCS.
fn ipv6(number: u32) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 8, 17, 64];
    for half in [0x0001_u16, 0x0002] {
        packet.extend([0x20, 0x01, 0x0d, 0xb8]);
        packet.extend(half.to_be_bytes());
        packet.extend([0; 6]);
        packet.extend(number.to_be_bytes());
    }
    [&[0x86, 0xdd][..], &packet, &udp(8)].concat()
}

fn udp(length: u16) -> Vec<u8> {
    let header = [4000, 5000, length, 0].map(u16::to_be_bytes).concat();
    [header, vec![0; usize::from(length) - 8]].concat()
}

/// A frame in a buffer of its own length.
#[derive(Clone)]
struct Frame(Box<[u8]>);

impl Buffer for Frame {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    fn is_whole(&self) -> bool {
        true
    }

    // both sides have one tag: nothing grows or shrinks

    fn grow_front(&mut self, _: usize) -> bool {
        false
    }

    fn shrink_front(&mut self, _: usize) {}

    fn grow_back(&mut self, _: usize) -> bool {
        false
    }
}

/// Two ports whose queues take and give whole bursts, at next to no cost.
#[derive(Default)]
struct Hopper {
    input: [Vec<Frame>; 2],
    output: [Vec<Frame>; 2],
}

impl Hopper {
    fn fill(&mut self, frames: &[Vec<Frame>; 2], burst: usize) {
        for (side, frames) in frames.iter().enumerate() {
            self.output[side].clear();
            self.input[side].extend_from_slice(&frames[burst * BURST..][..BURST]);
        }
    }
}

impl Io for Hopper {
    type Buffer = Frame;

    fn make(&mut self, _: &[u8]) -> Option<Self::Buffer> {
        None
    }

    fn receive(&mut self, port: usize, into: &mut Vec<Frame>) {
        into.append(&mut self.input[port]);
    }

    fn transmit(&mut self, port: usize, frames: &mut Vec<Frame>) {
        self.output[port].append(frames);
    }
}
