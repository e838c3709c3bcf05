//! Asks a station whether it still has an address. A MAC or an address goes to another place or owner only when the one before
//! was asked and kept silent (docs/spec C.4; RFC 9161 §3.5 confirms so).

use std::net::IpAddr;

use rules::Mac;

use super::effects::Effects;
use crate::base::At;
use crate::frame::build;
use crate::path::outbox::{LocalFrame, LocalKind};
use crate::plan::bridge::BridgePlan;
use crate::table::hold::OwnAddress;

/// Sends a request for an address to its owner alone, on a side: from our own address where we have one, else as one who looks
/// for duplicates asks, which every host answers as well (RFC 5227 §2.1.1, RFC 4862 §5.4.3).
pub(super) fn ask(at: At, bridge: &BridgePlan, owner: Mac, address: IpAddr, effects: &mut Effects) {
    let own = bridge.own(at.side);
    let has = |address| bridge.tables.hold.has(address);
    let mut bytes = Vec::new();
    match address {
        IpAddr::V4(target) => {
            let from = bridge.rules.own.ipv4.filter(|_| has(OwnAddress::V4));
            build::arp_question(&mut bytes, (owner, own), from, target);
        }
        IpAddr::V6(target) => {
            let from = has(OwnAddress::LinkLocal(at.side)).then(|| bridge.link_local[at.side.index()]);
            build::solicitation(&mut bytes, (owner, own), from, target);
        }
    }
    effects.send.push(LocalFrame { at, kind: LocalKind::Probe, bytes });
}
