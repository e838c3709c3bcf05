//! The keys of a bridge.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::{Ipv4Net, Ipv6Net};

use crate::ether::Vid;
use crate::fields::{Fields, Notes, suggest};
use crate::form::{
    ADDRESS4, ADDRESS6, AddressOrPrefix6, Choice, Form, MAX_RATE, NAME, OffOr, PREFIX4, PREFIX6, PerSecond,
    Station, Switch, Time, Whole, Wrong,
};
use crate::member;
use crate::model::{
    Admission, Anycast, Bridge, Conflict, Flap, Loops, Macs, MtuErrors, Neighbours, Own, Rate, Resolution,
    SideRules, Storm, Tags,
};
use crate::tree::{Id, Node, shown};

/// Ethernet's.
pub(crate) const DEFAULT_MTU: u16 = 1500;
/// IPv6's least (RFC 8200 section 5) to what switches call jumbo.
const MTU: std::ops::RangeInclusive<u16> = 1280..=9216;
/// Peering prefixes of each IP version.
const MAX_PREFIXES: usize = 64;
/// Entries of `anycast.never` and `anycast.extra`.
const MAX_ANYCAST: usize = 1024;
/// Entries of a table. A million MAC addresses a side take 576 MiB, and what each worker's limits take: `sluice check` says.
const CAPACITY: std::ops::RangeInclusive<u32> = 1..=1_048_576;

const fn seconds(least: u64, most: u64) -> Time {
    milliseconds(least * 1000, most * 1000)
}

const fn milliseconds(least: u64, most: u64) -> Time {
    Time(std::ops::RangeInclusive::new(Duration::from_millis(least), Duration::from_millis(most)))
}

/// The ports of the file, and which side has which tags of them.
pub(crate) struct Ports {
    names: Vec<String>,
    taken: HashMap<(usize, Tags), String>,
    /// Whether a port's sides are tagged, by the first of them.
    tagged: HashMap<usize, (bool, String)>,
}

impl Ports {
    pub(crate) fn new(names: Vec<String>) -> Ports {
        Ports { names, taken: HashMap::new(), tagged: HashMap::new() }
    }

    /// Gives a side the frames with these tags on this port, if no other has them.
    fn take(&mut self, notes: &mut Notes, id: Option<Id>, port: usize, tags: Tags, side: String) {
        let name = self.names.get(port).map_or("", String::as_str);
        match self.taken.entry((port, tags)) {
            Entry::Occupied(other) => {
                let what = crate::diff::tags(tags);
                let message = format!("{what} on port {name} is {} already", other.get());
                notes.error(id, message, "expected tags that no other side of the port has");
                return;
            }
            Entry::Vacant(free) => free.insert(side.clone()),
        };
        let tagged = tags != Tags::Untagged;
        let (first, other) = self.tagged.entry(port).or_insert((tagged, side));
        if *first != tagged {
            let (this, that) = if tagged { ("a tagged", "untagged") } else { ("an untagged", "tagged") };
            let message = format!("{this} side on port {name}, whose side {other} is {that}");
            notes.error(id, message, "expected all sides of a port tagged, or one untagged side alone");
        }
    }
}

/// The exchange's prefixes.
pub(crate) struct Peering {
    v4: Vec<Ipv4Net>,
    v6: Vec<Ipv6Net>,
    /// Read without error: only then can an address be said to be outside of them.
    sound: bool,
}

impl Peering {
    /// Why an address cannot be that of a router in the prefixes, if it cannot.
    pub(crate) fn refuses(&self, address: IpAddr) -> Option<Wrong> {
        let (inside, edge) = match address {
            IpAddr::V4(address) => {
                let net = self.v4.iter().find(|net| net.contains(&address));
                let edge = net.filter(|net| net.prefix_len() <= 30).and_then(|net| match address {
                    _ if address == net.network() => Some(format!("the network address of {net}")),
                    _ if address == net.broadcast() => Some(format!("the broadcast address of {net}")),
                    _ => None,
                });
                (net.is_some(), edge)
            }
            IpAddr::V6(address) => (self.v6.iter().any(|net| net.contains(&address)), None),
        };
        if !inside && self.sound {
            let nets: Vec<String> = match address {
                IpAddr::V4(_) => self.v4.iter().map(ToString::to_string).collect(),
                IpAddr::V6(_) => self.v6.iter().map(ToString::to_string).collect(),
            };
            let hint = if nets.is_empty() {
                "expected no address of this version, or a prefix under peering".to_owned()
            } else {
                format!("expected one in {}", nets.join(" or "))
            };
            return Some(Wrong::new(format!("{address} is outside the peering prefixes"), hint));
        }
        edge.map(|edge| Wrong::new(format!("{address} is {edge}"), "expected a host's address"))
    }

    /// The prefix whose subnet-router anycast address this is (RFC 4291 section 2.6.1; a /127 has none: RFC 6164).
    pub(crate) fn subnet_router(&self, address: Ipv6Addr) -> Option<Ipv6Net> {
        self.v6.iter().copied().find(|net| net.prefix_len() <= 126 && net.network() == address)
    }
}

/// Reads a bridge; `None` where its sides are not two.
pub(crate) fn read(name: &str, m: &mut Fields<'_, '_>, ports: &mut Ports) -> Option<Bridge> {
    let sides =
        m.named("sides", 2..=2, "The two sides, by name.", |side_name, m| side(name, side_name, m, ports));
    if let [SideRules { mac: Some(first), .. }, SideRules { mac: Some(second), .. }] = sides.as_slice()
        && first == second
    {
        let hint =
            "expected a MAC of its own for each side: one MAC on both VLANs upsets the switches around";
        m.notes.error(m.at("sides"), format!("both sides have the MAC {first}"), hint);
    }
    let peering = m.required_section("peering", "The exchange's prefixes.", peering);
    let own = m.section("own", "The bridge's own addresses.", |m| own(m, &peering));
    unsent_errors(m, &peering, own);
    let admission = m.or(
        "admission",
        Choice(&[("learned", Admission::Learned), ("members", Admission::Members)]),
        Admission::default(),
        "Who may speak: any MAC, learned under the limits, or the members' alone.",
    );
    let anycast =
        m.section("anycast", "Which sources draw no Packet Too Big because they are anycast.", anycast);
    let neighbours = m.section("neighbours", "The table of IP addresses.", |m| {
        let capacity = m.or("capacity", Whole(CAPACITY), 8192, "Entries in all. A change needs a restart.");
        let per_mac = m.or("per_mac", Whole(CAPACITY), 16, "Learned entries of one MAC.");
        if per_mac > capacity && m.has("per_mac") {
            m.notes.error(
                m.at("per_mac"),
                format!("{per_mac} is more than the capacity"),
                format!("expected 1 to {capacity}"),
            );
        }
        Neighbours { capacity, per_mac }
    });
    let members = member::read(m, &sides, &peering, &own, &anycast);
    let addresses: usize = members.iter().map(|member| member.addresses.len()).sum();
    if addresses > neighbours.capacity as usize {
        let message = format!(
            "the members' {addresses} addresses do not fit neighbours.capacity, {}",
            neighbours.capacity
        );
        m.notes.error(m.at("members"), message, "expected a larger capacity, or fewer addresses");
    }
    if admission == Admission::Members && members.is_empty() {
        m.notes.warn(
            m.at("admission"),
            "there are no members: nothing will pass",
            "list members, or admit learned",
        );
    }
    let resolution = |m: &mut Fields<'_, '_>| {
        m.or(
            "mode",
            Choice(&[("bridge", Resolution::Bridge), ("answer", Resolution::Answer)]),
            Resolution::default(),
            "bridge: checked, limited and passed, the owner answers; answer: answered for the owner where that is sure to be right.",
        )
    };
    let conflict = m.or(
        "conflict",
        Choice(&[("drop", Conflict::Drop), ("pass", Conflict::Pass)]),
        Conflict::default(),
        "What happens to another MAC's claim of a member's address; pass reports it.",
    );
    let mld = Choice(&[("drop", false), ("pass", true)]);
    let bridge = Bridge {
        name: name.to_owned(),
        sides: [DEFAULT_SIDE; 2],
        peering4: peering.v4,
        peering6: peering.v6,
        own,
        admission,
        members,
        conflict,
        arp: m.section("arp", "What happens to ARP requests.", resolution),
        nd: m.section("nd", "What happens to neighbour solicitations.", resolution),
        neighbours,
        answers: m.section("answers", "Replies a side, echo included.", |m| rate(m, 1000, 1000)),
        anycast,
        mtu_errors: m.section("mtu_errors", "Packet Too Big and Fragmentation Needed sent.", |m| MtuErrors {
            source: m
                .section("source", "To one source address, or /64 beyond the exchange.", |m| rate(m, 10, 20)),
            mac: m.section("mac", "To one MAC.", |m| rate(m, 500, 250)),
            side: m.section("side", "On one side.", |m| rate(m, 2000, 500)),
        }),
        storm: m.section("storm", "Limits of broadcast and multicast.", storm),
        unknown_unicast: m.section_or(
            "unknown_unicast",
            "drop",
            true,
            "Frames to unknown destinations that pass, a side; or drop.",
            |m| rate(m, 100, 100),
        ),
        macs: m.section("macs", "The table of MAC addresses.", macs),
        loops: m.section("loop", "Loop probes.", |m| Loops {
            probe: m.or(
                "probe",
                OffOr(milliseconds(100, 60_000)),
                Some(Duration::from_secs(1)),
                "Interval of the probes, 100ms to 60s; or off.",
            ),
            hold: m.or(
                "hold",
                seconds(1, 900),
                Duration::from_secs(60),
                "How long a looped side's flooding is held at first, 1s to 15m.",
            ),
        }),
        mld: m.or("mld", mld, false, "Multicast listener discovery."),
        drain: m.or(
            "drain",
            Switch,
            false,
            "Drop BGP between peering addresses, so that members leave before work on the bridge.",
        ),
    };
    Some(Bridge { sides: sides.try_into().ok()?, ..bridge })
}

/// Stands in until both sides are known to be there.
const DEFAULT_SIDE: SideRules = SideRules {
    name: String::new(),
    port: 0,
    tags: Tags::Untagged,
    mtu: DEFAULT_MTU,
    mac: None,
    fragment: false,
};

fn side(bridge: &str, name: &str, m: &mut Fields<'_, '_>, ports: &mut Ports) -> SideRules {
    let port = m.required("port", NAME, "The port, by its name under ports.").and_then(|wanted| {
        let found = ports.names.iter().position(|name| *name == wanted);
        if found.is_none() {
            let names = ports.names.iter().map(String::as_str);
            m.notes.error(
                m.at("port"),
                format!("there is no port {}", shown(&wanted)),
                suggest(&wanted, names),
            );
        }
        found
    });
    let vlan = m.optional("vlan", VlanId, "Its VLAN; without one the side is untagged (an access side).");
    let outer = m.optional("outer_vlan", VlanId, "An 802.1ad service tag around the VLAN's.");
    if m.has("outer_vlan") && !m.has("vlan") {
        m.notes.error(
            m.at("outer_vlan"),
            "a service tag without a VLAN in it",
            "expected a key vlan beside it",
        );
    }
    let tags = match (outer, vlan) {
        (Some(outer), Some(inner)) => Tags::Double { outer, inner },
        (None, Some(vid)) => Tags::Single(vid),
        (_, None) => Tags::Untagged,
    };
    let readable = vlan.is_some() == m.has("vlan")
        && outer.is_some() == m.has("outer_vlan")
        && !(vlan.is_none() && outer.is_some());
    if let Some(port) = port.filter(|_| readable) {
        let id = m.at(if vlan.is_some() { "vlan" } else { "port" });
        ports.take(m.notes, id, port, tags, format!("bridges.{bridge}.sides.{name}"));
    }
    SideRules {
        name: name.to_owned(),
        port: port.unwrap_or_default(),
        tags,
        mtu: m.or(
            "mtu",
            Whole(MTU),
            DEFAULT_MTU,
            "The largest layer-3 packet that its VLAN carries, in bytes.",
        ),
        mac: m.optional(
            "mac",
            Station,
            "The bridge's own MAC on this side. Default: derived from the port's.",
        ),
        fragment: m.or(
            "fragment",
            Switch,
            false,
            "Fragment IPv4 packets without DF that do not fit this side, instead of dropping them.",
        ),
    }
}

/// A VLAN identifier.
struct VlanId;

impl VlanId {
    const NUMBER: Whole<u16> = Whole(1..=4094);
}

impl Form for VlanId {
    type Value = Vid;

    fn read(&self, node: &Node) -> Result<Vid, Wrong> {
        VlanId::NUMBER
            .read(node)
            .and_then(|number| Vid::new(number).ok_or_else(|| Wrong::found(node, "1 to 4094")))
    }

    fn schema(&self) -> serde_json::Value {
        VlanId::NUMBER.schema()
    }

    fn show(&self, value: &Vid) -> serde_json::Value {
        serde_json::json!(value.get())
    }
}

fn peering(m: &mut Fields<'_, '_>) -> Peering {
    let before = m.notes.count();
    let v4 = m.list("ipv4", MAX_PREFIXES, PREFIX4, "IPv4 prefixes, /8 to /31.");
    let v6 = m.list("ipv6", MAX_PREFIXES, PREFIX6, "IPv6 prefixes, /16 to /127.");
    if v4.is_empty() && v6.is_empty() && m.notes.count() == before {
        m.notes.error(m.here(), "there is no peering prefix", "expected at least one under ipv4 or ipv6");
    }
    apart(m, &v4, |a, b| a.contains(b) || b.contains(a));
    apart(m, &v6, |a, b| a.contains(b) || b.contains(a));
    let sound = m.notes.count() == before && m.here().is_some();
    Peering { v4: values(v4), v6: values(v6), sound }
}

fn values<T>(listed: Vec<(Id, T)>) -> Vec<T> {
    listed.into_iter().map(|(_, value)| value).collect()
}

/// Notes prefixes that overlap an earlier one.
fn apart<N: std::fmt::Display>(m: &mut Fields<'_, '_>, nets: &[(Id, N)], overlap: impl Fn(&N, &N) -> bool) {
    for (index, (id, net)) in nets.iter().enumerate() {
        if let Some((_, other)) = nets.iter().take(index).find(|(_, other)| overlap(net, other)) {
            m.notes.error(
                Some(*id),
                format!("{net} overlaps {other}"),
                "expected prefixes apart from one another",
            );
        }
    }
}

fn own(m: &mut Fields<'_, '_>, peering: &Peering) -> Own {
    let own = Own {
        ipv4: m.optional("ipv4", ADDRESS4, "In the peering prefixes; answered on both sides."),
        ipv6: m.optional("ipv6", ADDRESS6, "In the peering prefixes; answered on both sides."),
        icmp_source4: m.optional("icmp_source4", ADDRESS4, "Source of Fragmentation Needed, routed in the Internet (the peering prefix is not). Default: ipv4."),
        icmp_source6: m.optional("icmp_source6", ADDRESS6, "Source of Packet Too Big, routed in the Internet (the peering prefix is not). Default: ipv6."),
    };
    for (key, address) in [("ipv4", own.ipv4.map(IpAddr::V4)), ("ipv6", own.ipv6.map(IpAddr::V6))] {
        if let Some(wrong) = address.and_then(|address| peering.refuses(address)) {
            m.notes.error(m.at(key), wrong.message, wrong.hint);
        }
    }
    for (key, address) in [("ipv6", own.ipv6), ("icmp_source6", own.icmp_source6)] {
        if let Some(net) = address.and_then(|address| peering.subnet_router(address)) {
            let message = format!("is the subnet-router anycast address of {net}");
            m.notes.error(m.at(key), message, "expected a unicast address");
        }
    }
    own
}

/// Warns where errors about the path MTU cannot be sent (SPEC F178).
fn unsent_errors(m: &mut Fields<'_, '_>, peering: &Peering, own: Own) {
    let cases: [(bool, &str, Option<IpAddr>); 2] = [
        (peering.v4.is_empty(), "4", own.icmp_source4.or(own.ipv4).map(Ipv4Addr::into)),
        (peering.v6.is_empty(), "6", own.icmp_source6.or(own.ipv6).map(Ipv6Addr::into)),
    ];
    for (unused, version, source) in cases {
        if !unused && source.is_none() {
            let message = format!(
                "neither icmp_source{version} nor ipv{version}: IPv{version} packets that do not fit are dropped without an error to their sender"
            );
            m.notes.warn(m.at("own"), message, format!("give own.icmp_source{version} a routed address"));
        }
    }
}

fn anycast(m: &mut Fields<'_, '_>) -> Anycast {
    Anycast {
        subnet_router: m.or(
            "subnet_router",
            Choice(&[("auto", true), ("off", false)]),
            true,
            "auto: the subnet-router anycast addresses of the peering prefixes are anycast. The reserved ones (RFC 2526) always are, unless under never.",
        ),
        never: values(m.list(
            "never",
            MAX_ANYCAST,
            AddressOrPrefix6,
            "IPv6 addresses and prefixes that are not anycast, whatever else says so.",
        )),
        extra: values(m.list(
            "extra",
            MAX_ANYCAST,
            AddressOrPrefix6,
            "IPv6 addresses and prefixes that are anycast besides.",
        )),
        ptb: m.or("ptb", Switch, false, "Send Packet Too Big to extra all the same."),
    }
}

fn storm(m: &mut Fields<'_, '_>) -> Storm {
    let (broadcast, multicast) = m.section("side", "All of a side.", |m| {
        (
            m.section("broadcast", "Broadcast frames.", |m| rate(m, 1000, 2000)),
            m.section("multicast", "Multicast frames.", |m| rate(m, 1000, 2000)),
        )
    });
    Storm {
        broadcast,
        multicast,
        mac: m.section("mac", "Broadcast and multicast of one source MAC.", |m| rate(m, 50, 300)),
    }
}

fn macs(m: &mut Fields<'_, '_>) -> Macs {
    let capacity =
        m.or("capacity", Whole(CAPACITY), 4096, "Learned addresses a side. A change needs a restart.");
    // The table packs an address's age in few bits: an hour is what they hold.
    let age = m.or(
        "age",
        seconds(1, 3600),
        Duration::from_secs(300),
        "An address unheard for so long is forgotten, 1s to 1h.",
    );
    let new = m.section("new", "New addresses a side.", |m| rate(m, 50, 1000));
    let move_guard = m.or(
        "move_guard",
        milliseconds(100, 60_000),
        Duration::from_secs(1),
        "An address heard on its side within this time is not believed on the other, 100ms to 60s.",
    );
    if move_guard > age {
        let id = m.at(if m.has("move_guard") { "move_guard" } else { "age" });
        m.notes.error(
            id,
            "an address would be forgotten while it is guarded",
            "expected a move_guard no longer than age",
        );
    }
    let flap = m.section("flap", "An address that moves so often is refused on both sides.", |m| Flap {
        moves: m.or("moves", Whole(1..=16u8), 5, "So many moves"),
        within: m.or("within", seconds(1, 3600), Duration::from_secs(180), "within this time, 1s to 1h:"),
        hold: m.or("hold", seconds(1, 86_400), Duration::from_secs(540), "refused for so long, 1s to 24h."),
    });
    Macs { capacity, age, new, move_guard, flap }
}

fn rate(m: &mut Fields<'_, '_>, per_second: u32, burst: u32) -> Rate {
    Rate {
        per_second: m.or("rate", PerSecond, per_second, "So many a second, from 1/s."),
        burst: m.or("burst", Whole(1..=MAX_RATE), burst, "So many at once after a pause, from 1."),
    }
}
