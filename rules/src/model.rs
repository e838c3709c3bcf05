//! Checked rules: what the YAML means once nothing in it can be wrong any more. Parsed, not validated: every type here
//! holds only what the bridge can do.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::{Ipv4Net, Ipv6Net};

use crate::ether::{Mac, Side, Vid};

/// A whole file: one process, its ports, and the bridges between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// In the order of the file; a side names its port by the index here.
    pub ports: Vec<Port>,
    /// The cores that forward, one worker each; at least one.
    pub workers: Vec<u16>,
    /// What a worker does when there is nothing to do.
    pub idle: Idle,
    /// The control socket.
    pub control: Control,
    /// Where the metrics are served, if they are.
    pub metrics: Option<SocketAddr>,
    /// At least one, in the order of the file.
    pub bridges: Vec<Bridge>,
    /// All that the file says, or leaves to defaults, but for members: by this two files are compared.
    pub(crate) settings: Vec<Setting>,
}

/// What one key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The way from the root: `bridges.wix.macs.age`.
    pub(crate) path: String,
    /// In the operator's words.
    pub(crate) value: String,
    /// Only a restart changes it.
    pub(crate) fixed: bool,
}

/// A DPDK port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name in the YAML.
    pub name: String,
    /// A PCI address, or a DPDK virtual device with its arguments.
    pub device: String,
    /// The layer-3 MTU of its largest side, in bytes.
    pub mtu: u16,
    /// The most VLAN tags that one of its sides has (0 to 2): room that a frame needs on top of the MTU.
    pub tags: u8,
}

/// What an idle worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Idle {
    /// Spins: the lowest latency, a whole core.
    #[default]
    Poll,
    /// Spins with pause instructions.
    Pause,
    /// Sleeps for microseconds at a time.
    Sleep,
    /// The same, and in a longer silence waits until a port wakes it.
    Interrupt,
}

/// The control socket: where it is and who may open it besides root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Path of the Unix socket.
    pub socket: PathBuf,
    /// The group that may open it.
    pub group: Option<String>,
}

/// One bridge: two sides and the filter between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Bridge {
    /// Its name in the YAML.
    pub name: String,
    /// By [`Side::index`].
    pub sides: [SideRules; 2],
    /// The exchange's IPv4 prefixes.
    pub peering4: Vec<Ipv4Net>,
    /// The exchange's IPv6 prefixes.
    pub peering6: Vec<Ipv6Net>,
    /// The bridge's own addresses.
    pub own: Own,
    /// Who may speak.
    pub admission: Admission,
    /// In the order of the file; entries of one side that share a MAC are joined into one.
    pub members: Vec<Member>,
    /// What happens to another MAC's claim of a member's address.
    pub conflict: Conflict,
    /// What happens to ARP requests.
    pub arp: Resolution,
    /// What happens to neighbour solicitations.
    pub nd: Resolution,
    /// The neighbour table's size.
    pub neighbours: Neighbours,
    /// Replies a side.
    pub answers: Rate,
    /// Which sources are anycast.
    pub anycast: Anycast,
    /// Limits of Packet Too Big and Fragmentation Needed.
    pub mtu_errors: MtuErrors,
    /// Limits of broadcast and multicast.
    pub storm: Storm,
    /// Limit of frames to unknown destinations, a side; `None` drops them all.
    pub unknown_unicast: Option<Rate>,
    /// The MAC table.
    pub macs: Macs,
    /// Loop probes.
    pub loops: Loops,
    /// Multicast listener discovery passes.
    pub mld: bool,
    /// BGP between peering addresses is dropped, to drain the bridge.
    pub drain: bool,
}

impl Bridge {
    /// The rules of one side.
    pub fn side(&self, side: Side) -> &SideRules {
        &self.sides[side.index()]
    }
}

/// One side of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideRules {
    /// Its name in the YAML.
    pub name: String,
    /// Index into [`Rules::ports`].
    pub port: usize,
    /// How its frames are tagged.
    pub tags: Tags,
    /// The largest layer-3 packet that its VLAN carries, in bytes: 1280 to 9216.
    pub mtu: u16,
    /// The bridge's own MAC on this side, where the YAML gives one.
    pub mac: Option<Mac>,
    /// IPv4 packets without DF that do not fit this side are fragmented instead of dropped.
    pub fragment: bool,
}

/// The VLAN tags of a side's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tags {
    /// An access side.
    Untagged,
    /// One 802.1Q tag (TPID 0x8100).
    Single(Vid),
    /// An 802.1ad service tag (TPID 0x88a8) around an 802.1Q tag.
    Double {
        /// The service tag.
        outer: Vid,
        /// The customer tag.
        inner: Vid,
    },
}

impl Tags {
    /// How many tags: 0, 1 or 2.
    pub const fn depth(self) -> usize {
        match self {
            Tags::Untagged => 0,
            Tags::Single(_) => 1,
            Tags::Double { .. } => 2,
        }
    }
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tags::Untagged => f.write_str("untagged"),
            Tags::Single(vid) => write!(f, "VLAN {vid}"),
            Tags::Double { outer, inner } => write!(f, "VLAN {inner} in service VLAN {outer}"),
        }
    }
}

/// The bridge's own addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Own {
    /// In the peering prefixes.
    pub ipv4: Option<Ipv4Addr>,
    /// In the peering prefixes.
    pub ipv6: Option<Ipv6Addr>,
    /// Source of Fragmentation Needed; globally routed.
    pub icmp_source4: Option<Ipv4Addr>,
    /// Source of Packet Too Big; globally routed.
    pub icmp_source6: Option<Ipv6Addr>,
}

/// Who may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Admission {
    /// Any MAC, learned under the limits.
    #[default]
    Learned,
    /// Only the MACs of members.
    Members,
}

/// A network at the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name; joined with ` / ` where entries of one side share a MAC.
    pub name: String,
    /// The side that it is pinned to; `None`: either, and it moves under the guard.
    pub side: Option<Side>,
    /// At least one.
    pub macs: Vec<Mac>,
    /// Addresses that are its alone: each an [`IpAddr`] in the peering prefixes.
    pub addresses: Vec<IpAddr>,
    /// Router or host (the R flag of answers on its behalf).
    pub role: Role,
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Forwards: neighbour advertisements carry R=1.
    #[default]
    Router,
    /// Does not forward: R=0.
    Host,
}

/// What happens to another MAC's claim of a member's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Conflict {
    /// It is dropped.
    #[default]
    Drop,
    /// It passes and is reported.
    Pass,
}

/// What happens to a request for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resolution {
    /// Checked, limited and bridged: the owner answers.
    #[default]
    Bridge,
    /// Answered on the owner's behalf where that is sure to be right.
    Answer,
}

/// A token bucket's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens a second, at least 1.
    pub per_second: u32,
    /// The most tokens that it holds, at least 1.
    pub burst: u32,
}

/// Size of the neighbour table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbours {
    /// Entries in all.
    pub capacity: u32,
    /// Entries of one MAC.
    pub per_mac: u32,
}

/// Which sources draw no Packet Too Big because they are anycast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anycast {
    /// Subnet-router anycast addresses of the peering prefixes are.
    pub subnet_router: bool,
    /// Never anycast, whatever else says so.
    pub never: Vec<Ipv6Net>,
    /// Anycast besides.
    pub extra: Vec<Ipv6Net>,
    /// Packet Too Big is sent to `extra` all the same.
    pub ptb: bool,
}

/// Limits of path-MTU errors, tried in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MtuErrors {
    /// One source address (or its /64).
    pub source: Rate,
    /// One MAC.
    pub mac: Rate,
    /// One side.
    pub side: Rate,
}

/// Limits of broadcast and multicast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storm {
    /// All broadcast of a side.
    pub broadcast: Rate,
    /// All multicast of a side.
    pub multicast: Rate,
    /// Broadcast and multicast of one source MAC.
    pub mac: Rate,
}

/// The MAC table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Macs {
    /// Learned addresses a side, exactly.
    pub capacity: u32,
    /// An address unheard for so long is forgotten.
    pub age: Duration,
    /// New addresses a side.
    pub new: Rate,
    /// An address heard on its side within this time is not believed on the other.
    pub move_guard: Duration,
    /// When moving becomes flapping.
    pub flap: Flap,
}

/// So many moves within so long, and the address is quarantined on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flap {
    /// Moves: 1 to 16.
    pub moves: u8,
    /// The window.
    pub within: Duration,
    /// How long the quarantine lasts.
    pub hold: Duration,
}

/// Loop probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loops {
    /// Interval of the probes; `None` sends none.
    pub probe: Option<Duration>,
    /// How long a looped side's flooding is held.
    pub hold: Duration,
}
