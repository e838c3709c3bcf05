//! What the predicates of the fast path look at, by stage: compiled once, so that a frame costs little.

use rules::{Admission, Bridge, Side, Tags};

use crate::frame::ether::ethertype;
use crate::frame::ipv4::{ESP, TCP, UDP};

/// The rules of one direction, from a side to the other.
#[derive(Debug, Clone, Copy)]
pub struct FastRules {
    /// Admit's.
    pub(crate) admit: AdmitRules,
    /// The filter's.
    pub(crate) filter: FilterRules,
    /// Unlisted stations are admitted: learn's and forward's.
    pub(crate) learned: bool,
    /// Fit's.
    pub(crate) fit: FitRules,
    /// How a frame leaves.
    pub(crate) egress: EgressRules,
}

/// Which frames belong to the side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmitRules {
    /// Its VLAN with the TPID, as a word in the order of a frame's bytes; `None` on an untagged side.
    pub(crate) tag: Option<u32>,
}

/// Which packets no rule looks into.
#[derive(Debug, Clone, Copy)]
pub struct FilterRules {
    /// A bit for each protocol whose packets pass whatever they carry, but for DHCP's ports.
    pub(crate) protocols: u64,
}

/// How large a packet may be.
#[derive(Debug, Clone, Copy)]
pub struct FitRules {
    /// What both sides carry behind the layer-2 header, in bytes; 0 where no frame takes the fast path.
    pub(crate) room: usize,
}

/// How a frame leaves.
#[derive(Debug, Clone, Copy)]
pub struct EgressRules {
    /// The port.
    pub(crate) port: usize,
    /// Its VLAN, in the order of a frame's bytes; 0 without.
    pub(crate) vid: u16,
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
        FastRules {
            admit: AdmitRules { tag: vid.map(tag) },
            // TCP's ports are looked at in `drain`
            filter: FilterRules { protocols: 1 << UDP | 1 << ESP | u64::from(!rules.drain) << TCP },
            learned: rules.admission == Admission::Learned,
            fit: FitRules { room: tags.map_or(0, |_| usize::from(from.mtu.min(to.mtu))) },
            egress: EgressRules { port: to.port, vid: other.to_be() },
        }
    }
}
