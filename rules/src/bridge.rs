//! The keys of a bridge.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::ether::Vid;
use crate::fields::{Fields, Notes, suggest, values};
use crate::form::{
    ADDRESS4, ADDRESS6, AddressOrPrefix6, Choice, Form, MAX_RATE, NAME, OffOr, PerSecond, Station, Switch,
    Time, Whole, Wrong,
};
use crate::key::fixed;
use crate::member::{self, Stations};
use crate::model::{
    Admission, Anycast, Bridge, Conflict, Flap, Loops, Macs, MtuErrors, Neighbours, Own, Rate, Resolution,
    SideRules, Storm, Tags,
};
use crate::peering::{self, Peering};
use crate::tree::{Id, Node, shown};

/// The usual MTU of Ethernet.
pub(crate) const DEFAULT_MTU: u16 = 1500;
/// From the least that IPv6 allows (RFC 8200 section 5) to the jumbo frames of switches.
const MTU: std::ops::RangeInclusive<u16> = 1280..=9216;
/// Entries of `anycast.never` and `anycast.extra`.
const MAX_ANYCAST: usize = 1024;
/// Entries of a table: far more than an exchange has; what one costs in memory, the table says.
const CAPACITY: std::ops::RangeInclusive<u32> = 1..=1_048_576;

/// What is fixed here follows from several keys, so none of them is marked: `against` looks at what follows.
const SIDES: &str = "The two sides, by name. A restart is needed to swap the two, to change the largest MTU of a port's sides, and to put more tags on a port than its sides have.";

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
                let message = format!("{tags} on port {name} is {} already", other.get());
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

/// Reads a bridge; `None` where its sides are not two.
pub(crate) fn read(
    name: &str,
    m: &mut Fields<'_, '_>,
    ports: &mut Ports,
    stations: &mut Stations,
) -> Option<Bridge> {
    let sides = m.named("sides", 2..=2, SIDES, |side_name, m| side(name, side_name, m, ports));
    if let [SideRules { mac: Some(first), .. }, SideRules { mac: Some(second), .. }] = sides.as_slice()
        && first == second
    {
        let hint =
            "expected a MAC of its own for each side: one MAC on both VLANs upsets the switches around";
        m.notes.error(m.at("sides"), format!("both sides have the MAC {first}"), hint);
    }
    let peering = m.required_section("peering", "The exchange's prefixes, at least one.", peering::read);
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
        let capacity = m.or(fixed("capacity"), Whole(CAPACITY), 8192, "Entries in all.");
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
    stations.bridge(name, &sides);
    let members = member::read(m, &sides, &peering, &own, &anycast, stations);
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
            "bridge: a request is checked, limited and passed, and the owner answers. answer: it is answered on the owner's behalf where that is sure to be right.",
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
        answers: rate(m, "answers", "Replies sent per side, echo replies included.", 1000, 1000),
        anycast,
        mtu_errors: m.section("mtu_errors", "Packet Too Big and Fragmentation Needed sent.", |m| MtuErrors {
            source: rate(m, "source", "To one source address, or /64 beyond the exchange.", 10, 20),
            mac: rate(m, "mac", "To one MAC.", 500, 250),
            side: rate(m, "side", "On one side.", 2000, 500),
        }),
        storm: m.section("storm", "Limits of broadcast and multicast.", storm),
        unknown_unicast: m.whole_or(
            "unknown_unicast",
            "drop",
            true,
            "Frames to unknown destinations that pass, per side; drop lets none pass.",
            |m| bucket(m, 100, 100),
        ),
        macs: m.section("macs", "The table of MAC addresses.", macs),
        loops: m.section("loop", "Loop probes.", |m| Loops {
            probe: m.or(
                "probe",
                OffOr(milliseconds(100, 60_000)),
                Some(Duration::from_secs(1)),
                "Interval of the probes.",
            ),
            hold: m.or(
                "hold",
                seconds(1, 900),
                Duration::from_secs(60),
                "How long a looped side's flooding is held at first.",
            ),
        }),
        mld: m.or("mld", mld, false, "What happens to multicast listener discovery."),
        drain: m.or(
            "drain",
            Switch,
            false,
            "Drop BGP between peering addresses, so that members leave before work on the bridge.",
        ),
    };
    Some(Bridge { sides: sides.try_into().ok()?, ..bridge })
}

/// A placeholder until both sides have been read.
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
    let vlan = m.optional(
        "vlan",
        VlanId,
        "untagged",
        "Its VLAN; without one the side is untagged (an access side).",
    );
    let outer = m.optional("outer_vlan", VlanId, "none", "An 802.1ad service tag around the VLAN's.");
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
            "derived",
            "The bridge's own MAC on this side; without one it is derived from the port's.",
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
            .and_then(|number| Vid::new(number).ok_or_else(|| Wrong::found(node, self.expected())))
    }

    fn expected(&self) -> String {
        VlanId::NUMBER.expected()
    }

    fn schema(&self) -> serde_json::Value {
        VlanId::NUMBER.schema()
    }

    fn show(&self, value: &Vid) -> serde_json::Value {
        serde_json::json!(value.get())
    }
}

fn own(m: &mut Fields<'_, '_>, peering: &Peering) -> Own {
    let own = Own {
        ipv4: m.optional("ipv4", ADDRESS4, "none", "Its IPv4 address, in the peering prefixes; answered on both sides."),
        ipv6: m.optional("ipv6", ADDRESS6, "none", "Its IPv6 address, in the peering prefixes; answered on both sides."),
        icmp_source4: m.optional("icmp_source4", ADDRESS4, "none", "Source of Fragmentation Needed, routed in the Internet (the peering prefix is not); without one, ipv4."),
        icmp_source6: m.optional("icmp_source6", ADDRESS6, "none", "Source of Packet Too Big, routed in the Internet (the peering prefix is not); without one, ipv6."),
    };
    for (key, address) in [("ipv4", own.ipv4.map(IpAddr::V4)), ("ipv6", own.ipv6.map(IpAddr::V6))] {
        if let Some(wrong) = address.and_then(|address| peering.refuses(address)) {
            m.notes.error(m.at(key), wrong.message, wrong.hint);
        }
    }
    if let Some(wrong) = own.icmp_source4.and_then(|address| peering.edge(address)) {
        m.notes.error(m.at("icmp_source4"), wrong.message, wrong.hint);
    }
    for (key, address) in [("ipv6", own.ipv6), ("icmp_source6", own.icmp_source6)] {
        if let Some(what) = address.and_then(|address| peering.anycast(address)) {
            m.notes.error(m.at(key), what, "expected a unicast address");
        }
    }
    own
}

/// Warns where errors about the path MTU cannot be sent (docs/spec F178).
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
    let (broadcast, multicast) = m.section("side", "All broadcast or multicast of one side together.", |m| {
        (
            rate(m, "broadcast", "Broadcast frames.", 1000, 2000),
            rate(m, "multicast", "Multicast frames.", 1000, 2000),
        )
    });
    Storm { broadcast, multicast, mac: rate(m, "mac", "Broadcast and multicast of one source MAC.", 50, 300) }
}

fn macs(m: &mut Fields<'_, '_>) -> Macs {
    let capacity = m.or(fixed("capacity"), Whole(CAPACITY), 4096, "Learned addresses per side.");
    // At most an hour: the table has few bits for an address's age.
    let age = m.or(
        "age",
        seconds(1, 3600),
        Duration::from_secs(300),
        "An address unheard for so long is forgotten.",
    );
    let new = rate(m, "new", "New addresses learned per side.", 50, 1000);
    let move_guard = m.or(
        "move_guard",
        milliseconds(100, 60_000),
        Duration::from_secs(1),
        "An address heard on its side within this time is not believed on the other. No longer than age.",
    );
    if move_guard > age {
        let id = m.at(if m.has("move_guard") { "move_guard" } else { "age" });
        m.notes.error(
            id,
            "an address would be forgotten while it is guarded",
            "expected a move_guard no longer than age",
        );
    }
    let flap = m.section("flap", "Addresses that keep moving from side to side.", |m| Flap {
        moves: m.or("moves", Whole(1..=16u8), 5, "How many moves within `within` are too many."),
        within: m.or(
            "within",
            seconds(1, 3600),
            Duration::from_secs(180),
            "The time in which the moves are counted.",
        ),
        hold: m.or(
            "hold",
            seconds(1, 86_400),
            Duration::from_secs(540),
            "How long the address is refused then: on the side where it is not, or on both if it cannot be asked where it is.",
        ),
    });
    Macs { capacity, age, new, move_guard, flap }
}

fn rate(m: &mut Fields<'_, '_>, key: &'static str, help: &str, per_second: u32, burst: u32) -> Rate {
    m.whole(key, help, |m| bucket(m, per_second, burst))
}

fn bucket(m: &mut Fields<'_, '_>, per_second: u32, burst: u32) -> Rate {
    Rate {
        per_second: m.or("rate", PerSecond, per_second, "How many a second."),
        burst: m.or("burst", Whole(1..=MAX_RATE), burst, "How many at once after a pause."),
    }
}
