//! An exchange in memory: a worker between two sides with as many stations as wanted, and the frames that these send each
//! other. For the benches, and for `examples/packet_cost.rs`.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use pipeline::base::BURST;
use pipeline::base::time::Time;
use pipeline::control::effects::Effects;
use pipeline::control::plane::ControlPlane;
use pipeline::frame::buffer::Buffer;
use pipeline::frame::{checksum, icmp6};
use pipeline::io::Io;
use pipeline::io::mem::Packet;
use pipeline::path::control_queue::ControlRx;
use pipeline::plan::Plan;
use pipeline::worker::Worker;
use rules::{Admission, Mac, Member, Rate, Resolution, Role, Rules, Side};

/// What a worker looks at in this time at 10 Mpps: both ports, a burst each.
pub(crate) const STEP: Duration = Duration::from_nanos(100 * 2 * BURST as u64);
/// Of the hashes: fixed, so that each run is as the one before.
pub(crate) const SEED: u64 = 0;
/// Of each side.
const VLANS: [u16; 2] = [10, 20];
/// No limit, as far as a run of a few milliseconds goes.
const WIDE: Rate = Rate { per_second: 1_000_000, burst: 1_000_000 };
/// Neighbours in the order of the sources are far apart in that of the destinations.
const STRIDE: usize = 7919;

/// A bridge with the exchange's rules, and how it knows the stations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange {
    /// On each side.
    pub(crate) stations: usize,
    /// Members, pinned to their sides, each with an IPv4 and an IPv6 address; nobody else may speak.
    pub(crate) members: bool,
    /// ARP and neighbour discovery are answered for members.
    pub(crate) answer: bool,
    /// Both sides in VLANs.
    pub(crate) tagged: bool,
    /// What a side may send to groups.
    pub(crate) storm: Rate,
    /// Workers that share the tables and limits; one of them is looked at.
    pub(crate) workers: usize,
}

impl Exchange {
    /// So many members in all.
    pub(crate) const fn members(count: usize) -> Exchange {
        Exchange { stations: count / 2, members: true, answer: false, tagged: true, storm: WIDE, workers: 1 }
    }

    /// So many stations in all, of which the rules know nothing.
    pub(crate) const fn learned(count: usize) -> Exchange {
        Exchange { members: false, ..Exchange::members(count) }
    }

    fn rules(&self) -> Result<Rules, Box<dyn Error>> {
        let vlan = |side: usize| if self.tagged { format!("vlan: {}, ", VLANS[side]) } else { String::new() };
        let text = format!(
            r#"
version: 1
ports: {{ trunk0: {{ device: net_null0 }}, trunk1: {{ device: net_null1 }} }}
bridges:
  wix:
    sides:
      mud: {{ port: trunk0, {}mac: "02:51:00:00:00:0a" }}
      wix: {{ port: trunk1, {}mac: "02:51:00:00:00:14" }}
    peering: {{ ipv4: [202.7.0.0/17], ipv6: ["2001:7fa:3:ca07::/64"] }}
    own: {{ ipv4: 202.7.127.254, ipv6: "2001:7fa:3:ca07::fe" }}
"#,
            vlan(0),
            vlan(1),
        );
        let mut rules = rules::parse(&text, "rules").map_err(|errors| errors.to_string())?.rules;
        let bridge = rules.bridges.first_mut().ok_or("no bridge")?;
        bridge.storm.broadcast = self.storm;
        bridge.storm.multicast = self.storm;
        bridge.storm.mac = WIDE;
        bridge.answers = WIDE;
        bridge.macs.new = WIDE;
        if self.answer {
            (bridge.arp, bridge.nd) = (Resolution::Answer, Resolution::Answer);
        }
        if self.members {
            bridge.admission = Admission::Members;
            // as values: under valgrind a minute goes by until YAML of this size is read
            bridge.members = Side::BOTH.into_iter().flat_map(|side| self.members_of(side)).collect();
        } else {
            bridge.macs.capacity = self.stations.try_into()?;
        }
        Ok(rules)
    }

    fn members_of(&self, side: Side) -> impl Iterator<Item = Member> {
        (0..self.stations).map(move |station| Member {
            name: format!("{side:?}{station}"),
            side: Some(side),
            macs: vec![mac(side.index(), station)],
            addresses: vec![
                IpAddr::V4(ipv4_of(side.index(), station)),
                IpAddr::V6(ipv6_of(side.index(), station)),
            ],
            role: Role::default(),
        })
    }

    /// Bursts in which every station sends as often as the others, to stations of the other side.
    pub(crate) fn bursts(&self, traffic: Traffic) -> Bursts {
        /// A multiple of a burst, and of what [`Traffic::Mix`] repeats.
        const ROUND: usize = 3200;
        let count = self.stations.max(ROUND).next_multiple_of(BURST);
        [0, 1].map(|side| {
            let frames: Vec<Frame> = (0..count).map(|number| self.frame(side, number, traffic)).collect();
            frames.chunks(BURST).map(<[Frame]>::to_vec).collect()
        })
    }

    fn frame(&self, side: usize, number: usize, traffic: Traffic) -> Frame {
        let (src, dst) = (number % self.stations, number.wrapping_mul(STRIDE) % self.stations);
        let tag = [[0x81, 0], VLANS[side].to_be_bytes()].concat();
        let tag = if self.tagged { &tag[..] } else { &[] };
        // of the smallest frame with FCS, behind everything up to the IPv4 header
        let udp = |frame: usize| frame - 4 - 14 - tag.len() - 20;
        let from = mac(side, src);
        let to = mac(1 - side, dst);
        let (to, packet) = match traffic {
            Traffic::Ipv4 => (to, ipv4(number, udp(64))),
            Traffic::Ipv6 => (to, ipv6_udp(number)),
            Traffic::Imix => {
                (to, ipv4(number, udp([64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 594, 64][number % 12])))
            }
            Traffic::Mix if number % 100 != 99 => (to, ipv4(number, udp(64))),
            Traffic::Mix | Traffic::Arp => {
                (Mac::BROADCAST, arp_request(from, ipv4_of(side, src), ipv4_of(1 - side, dst)))
            }
            Traffic::ForeignArp => {
                let other = |station| Ipv4Addr::from_bits(0x0a00_0000 | station as u32);
                (Mac::BROADCAST, arp_request(from, other(src), other(dst)))
            }
            Traffic::Nd => {
                let target = ipv6_of(1 - side, dst);
                let group = icmp6::solicited_node(target);
                (icmp6::group_mac(group), solicitation(from, ipv6_of(side, src), group, target))
            }
            Traffic::Ipv4Broadcast => (Mac::BROADCAST, ipv4(number, udp(64))),
        };
        let mut frame = [&to.bytes()[..], &from.bytes(), tag, &packet].concat();
        frame.resize(frame.len().max(60), 0);
        Frame(Box::new(Packet::new(&frame)))
    }

    /// The bridge in operation: it has met all stations, and knows their addresses as far as the frames tell.
    pub(crate) fn open(&self, bursts: &Bursts) -> Result<Bridge, Box<dyn Error>> {
        let plan = Arc::new(Plan::new(self.rules()?, None, &[], SEED)?);
        let (worker, messages) = Worker::new(Hopper::default(), plan, self.workers);
        let mut bridge =
            Bridge { worker, messages, control: ControlPlane::new(SEED, false), now: Time::ZERO };
        for number in 0..bursts[0].len() {
            bridge.offer(bursts, number);
            bridge.now = bridge.now.after(STEP);
            bridge.worker.poll(bridge.now);
        }
        bridge.listen();
        Ok(bridge)
    }
}

/// A worker, and the part of the control side that it talks to.
pub(crate) struct Bridge {
    /// The worker.
    pub(crate) worker: Worker<Hopper>,
    /// The time of its last poll.
    pub(crate) now: Time,
    messages: ControlRx,
    control: ControlPlane,
}

impl Bridge {
    /// A burst for each port; what was sent is gone, and what the worker had to say is heard.
    pub(crate) fn offer(&mut self, bursts: &Bursts, number: usize) {
        self.listen();
        let Hopper { input, output } = &mut self.worker.io;
        output.clear();
        for (input, bursts) in input.iter_mut().zip(bursts) {
            input.clone_from(&bursts[number]);
        }
    }

    fn listen(&mut self) {
        while let Some(message) = self.messages.pop() {
            self.control.take_in(self.worker.plan(), &message, &mut Effects::default());
        }
    }
}

/// By side.
pub(crate) type Bursts = [Vec<Vec<Frame>>; 2];

/// What the stations send.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Traffic {
    /// UDP over IPv4, frames of 64 bytes.
    Ipv4,
    /// UDP over IPv6, the shortest frames.
    Ipv6,
    /// UDP over IPv4, of 12 frames 7 of 64 bytes, 4 of 594 and 1 of 1518.
    Imix,
    /// Of 100 frames 99 as in `Ipv4` and one as in `Arp`.
    Mix,
    /// ARP requests for stations of the other side.
    Arp,
    /// ARP requests for addresses that are not the exchange's.
    ForeignArp,
    /// Neighbour solicitations for stations of the other side.
    Nd,
    /// UDP over IPv4 in broadcast frames.
    Ipv4Broadcast,
}

fn mac(side: usize, station: usize) -> Mac {
    Mac::from_u64(0x02aa_0000_0000 | (side as u64) << 24 | station as u64)
}

fn ipv4_of(side: usize, station: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(0xca07_0001 + ((side as u32) << 14) + (station as u32 & 0x1fff))
}

fn ipv6_of(side: usize, station: usize) -> Ipv6Addr {
    Ipv6Addr::from([0x2001, 0x7fa, 3, 0xca07, 0, 0xaa + side as u16, 1, station as u16])
}

// EtherType and packet

fn ipv4(number: usize, udp_length: usize) -> Vec<u8> {
    let [a, b] = (20 + udp_length as u16).to_be_bytes();
    let [c, d] = (number as u16).to_be_bytes();
    let mut header = [0x45, 0, a, b, 0, 0, 0x40, 0, 64, 17, 0, 0, 198, 18, c, d, 198, 19, 0, 0];
    let sum = !checksum::fold(checksum::sum(&header));
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    [&[0x08, 0][..], &header, &udp(udp_length)].concat()
}

fn ipv6_udp(number: usize) -> Vec<u8> {
    let host = |net| Ipv6Addr::from([0x2001, 0xdb8, net, 0, 0, 0, 1, number as u16]);
    ipv6((host(1), host(2)), 17, 64, &udp(8))
}

fn ipv6((src, dst): (Ipv6Addr, Ipv6Addr), next: u8, hops: u8, payload: &[u8]) -> Vec<u8> {
    let [a, b] = (payload.len() as u16).to_be_bytes();
    [&[0x86, 0xdd, 0x60, 0, 0, 0, a, b, next, hops][..], &src.octets(), &dst.octets(), payload].concat()
}

fn udp(length: usize) -> Vec<u8> {
    let header = [4000, 5000, length as u16, 0].map(u16::to_be_bytes).concat();
    [header, vec![0; length - 8]].concat()
}

fn arp_request(from: Mac, spa: Ipv4Addr, tpa: Ipv4Addr) -> Vec<u8> {
    let head = [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1];
    [&head[..], &from.bytes(), &spa.octets(), &[0; 6], &tpa.octets()].concat()
}

fn solicitation(from: Mac, src: Ipv6Addr, group: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let mut message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &target.octets(), &[1, 1], &from.bytes()].concat();
    let sum = !icmp6::sum(src, group, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ipv6((src, group), 58, 255, &message)
}

/// A frame behind a pointer, as DPDK's are.
#[derive(Debug, Clone)]
pub(crate) struct Frame(Box<Packet>);

impl Buffer for Frame {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }

    #[inline]
    fn is_whole(&self) -> bool {
        self.0.is_whole()
    }

    fn grow_front(&mut self, count: usize) -> bool {
        self.0.grow_front(count)
    }

    fn shrink_front(&mut self, count: usize) {
        self.0.shrink_front(count);
    }

    fn grow_back(&mut self, count: usize) -> bool {
        self.0.grow_back(count)
    }
}

/// Two ports whose queues take and give whole bursts, at next to no cost.
#[derive(Debug, Default)]
pub(crate) struct Hopper {
    input: [Vec<Frame>; 2],
    /// What was sent or discarded, until the next filling.
    output: Vec<Frame>,
}

impl Io for Hopper {
    type Buffer = Frame;

    fn make(&mut self, bytes: &[u8]) -> Option<Frame> {
        Some(Frame(Box::new(Packet::new(bytes))))
    }

    fn receive(&mut self, port: usize, into: &mut Vec<Frame>) {
        into.append(&mut self.input[port]);
    }

    fn transmit(&mut self, _: usize, frames: &mut Vec<Frame>) {
        self.output.append(frames);
    }

    fn discard(&mut self, frames: &mut Vec<Frame>) {
        self.output.append(frames);
    }
}
