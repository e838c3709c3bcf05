//! What the fast path needs to know of a side.

use rules::{Admission, Bridge, Side, Tags};

use crate::frame::ether::ethertype;
use crate::frame::ipv4::{TCP, UDP};

/// Encapsulating security payload: nothing to be seen in it.
const ESP: u8 = 50;

/// What the shortcut needs to know of a side, all in one place.
#[derive(Debug, Clone, Copy)]
pub struct FastRules {
    /// Broadcast addresses of the first peering prefixes, in the order of a frame's bytes; 0 where there are fewer.
    pub(crate) broadcasts: [u32; 2],
    /// IPv4 has a shortcut: there are no more broadcast addresses than that.
    pub(crate) ipv4: bool,
    /// What both sides carry behind the layer-2 header, in bytes; 0 where there is no shortcut.
    pub(crate) room: usize,
    /// The other side's port.
    pub(crate) port: usize,
    /// The VLAN of this side with its TPID, in the order of a frame's bytes; `None` without.
    pub(crate) tag: Option<u32>,
    /// VLAN of the other side, in the order of a frame's bytes; 0 without.
    pub(crate) vid: u16,
    /// Unlisted stations pass.
    pub(crate) learned: bool,
    /// A bit for each protocol that no other stage looks into, but for DHCP's ports.
    pub(crate) plain: u64,
}

impl FastRules {
    /// From this side to the other.
    pub fn new(rules: &Bridge, side: Side) -> FastRules {
        let (from, to) = (rules.side(side), rules.side(side.other()));
        let tags = match (from.tags, to.tags) {
            (Tags::Single(from), Tags::Single(to)) => Some((Some(from.get()), to.get())),
            (Tags::Untagged, Tags::Untagged) => Some((None, 0)),
            _ => None, // another depth: the frame has to be moved
        };
        let (vid, other) = tags.unwrap_or((None, 0));
        let tag = |vid: u16| {
            let ([a, b], [c, d]) = (ethertype::CTAG.to_be_bytes(), vid.to_be_bytes());
            u32::from_ne_bytes([a, b, c, d])
        };
        let broadcasts = || rules.peering4.iter().filter(|prefix| prefix.prefix_len() <= 30);
        let broadcast =
            |n: usize| broadcasts().nth(n).map_or(0, |prefix| prefix.broadcast().to_bits().to_be());
        FastRules {
            broadcasts: [broadcast(0), broadcast(1)],
            ipv4: broadcasts().count() <= 2,
            room: tags.map_or(0, |_| usize::from(from.mtu.min(to.mtu))),
            port: to.port,
            tag: vid.map(tag),
            vid: other.to_be(),
            learned: rules.admission == Admission::Learned,
            // TCP's ports are looked at in `drain`
            plain: 1 << UDP | 1 << ESP | u64::from(!rules.drain) << TCP,
        }
    }
}
