//! The bridge's own addresses: duplicate address detection before they are used, and their defence afterwards (RFC 5227,
//! RFC 4862).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use rules::Side;

use super::effects::Effects;
use super::nonces::Nonces;
use crate::base::event::{Event, EventKind};
use crate::base::time::Time;
use crate::base::{At, BridgeId};
use crate::frame::build::{self, Advertisement};
use crate::frame::icmp6::{ALL_NODES, OVERRIDE, group_mac};
use crate::path::control_queue::Claim;
use crate::path::outbox::{LocalFrame, LocalKind};
use crate::plan::bridge::BridgePlan;
use crate::table::hold::OwnAddress;

/// A host defends its address once in this time (DEFEND_INTERVAL, RFC 5227 §2.4 c).
const DEFEND: Duration = Duration::from_secs(10);
/// Between two looks for duplicates, and from the last one until an address is ours (RFC 5227 §1.1: 1 to 2 s;
/// RETRANS_TIMER, RFC 4861 §10).
const DETECT: Duration = Duration::from_secs(1);
/// How often duplicates are looked for (PROBE_NUM, RFC 5227 §1.1).
const DETECTIONS: u32 = 3;
/// After a duplicate was found until it is looked for again: one claim, true or not, must not cost an address for good (row F207).
const AGAIN: Duration = Duration::from_secs(60);

/// Of one bridge.
#[derive(Debug, Default)]
pub(super) struct OwnAddresses {
    defended: HashMap<(OwnAddress, Side), Time>,
    /// With the address that was looked for: a reload may give another.
    detection: HashMap<OwnAddress, (IpAddr, Detection)>,
}

/// How far duplicate address detection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detection {
    /// So many looks to go, the next (or the end) at this time.
    Looking(u32, Time),
    /// Ours.
    Ours,
    /// Somebody else's, as it was at this time.
    Duplicate(Time),
}

fn own_address6(bridge: &BridgePlan, address: OwnAddress) -> Option<Ipv6Addr> {
    match address {
        OwnAddress::V4 => None,
        OwnAddress::V6 => bridge.rules.own.ipv6,
        OwnAddress::LinkLocal(side) => Some(bridge.link_local[side.index()]),
    }
}

impl OwnAddresses {
    /// Looks for duplicates anew.
    pub(super) fn restart(&mut self) {
        self.detection.clear();
    }

    /// Another station claims an own address, or looks for duplicates of it. While we look for duplicates ourselves, the address
    /// is then left to that station. Once it is ours we defend it against claims, once in [`DEFEND`]; a station that only looks
    /// was answered by the worker.
    pub(super) fn claimed(&mut self, bridge: &BridgePlan, claim: &Claim, effects: &mut Effects) {
        let Claim { time, at, port, mac, .. } = *claim;
        if let Some((_, detection @ Detection::Looking(..))) = self.detection.get_mut(&claim.address) {
            *detection = Detection::Duplicate(time);
            effects.event(Event { time, port, at: Some(at), kind: EventKind::OwnDuplicate, mac });
            return;
        }
        let defended = self.defended.get(&(claim.address, at.side)).copied();
        let due = defended.is_none_or(|before| time.since(before) >= DEFEND);
        if claim.looks || !due || !bridge.tables.hold.has(claim.address) {
            return;
        }
        self.defended.insert((claim.address, at.side), time);
        let mut bytes = Vec::new();
        let mac = bridge.own(at.side);
        match (claim.address, bridge.rules.own.ipv4) {
            (OwnAddress::V4, Some(address)) => build::arp_announcement(&mut bytes, mac, address, None),
            _ => {
                let Some(target) = own_address6(bridge, claim.address) else { return };
                let to = (group_mac(ALL_NODES), ALL_NODES);
                build::advertisement(&mut bytes, &Advertisement { target, owner: mac, to, flags: OVERRIDE });
            }
        }
        effects.send.push(LocalFrame { at, kind: LocalKind::Reply, bytes });
    }

    /// Looks for duplicates of our own addresses before using them, silent meanwhile; where there is one, looks again a minute
    /// later.
    pub(super) fn tick(
        &mut self,
        id: BridgeId,
        bridge: &BridgePlan,
        nonces: &mut Nonces,
        now: Time,
        effects: &mut Effects,
    ) {
        for address in OwnAddress::ALL {
            let (v4, v6) = (bridge.rules.own.ipv4, own_address6(bridge, address));
            if v6.is_none() && (address != OwnAddress::V4 || v4.is_none()) {
                self.detection.remove(&address); // should it come back, it is looked for again
                continue;
            }
            let Some(wanted) = v6.map(IpAddr::V6).or(v4.map(IpAddr::V4)) else { continue };
            let fresh = (wanted, Detection::Looking(DETECTIONS, now));
            let known = self.detection.entry(address).or_insert(fresh);
            if known.0 != wanted {
                *known = fresh;
            }
            let (_, state) = known;
            if matches!(state, Detection::Duplicate(found) if now.since(*found) >= AGAIN) {
                *state = Detection::Looking(DETECTIONS, now);
            }
            bridge.tables.hold.silence(address, *state != Detection::Ours);
            let Detection::Looking(left, due) = *state else { continue };
            if now < due {
                continue;
            }
            if left == 0 {
                *state = Detection::Ours;
                bridge.tables.hold.silence(address, false);
            } else {
                *state = Detection::Looking(left - 1, now.after(DETECT));
            }
            for side in Side::BOTH {
                if matches!(address, OwnAddress::LinkLocal(own) if own != side) {
                    continue;
                }
                let at = At { bridge: id, side };
                let mac = bridge.own(side);
                let mut bytes = Vec::new();
                match (v4.filter(|_| address == OwnAddress::V4), v6) {
                    (Some(v4), _) if left == 0 => build::arp_announcement(&mut bytes, mac, v4, None),
                    (Some(v4), _) => build::arp_probe(&mut bytes, mac, v4),
                    (None, Some(v6)) if left > 0 => {
                        build::dad(&mut bytes, mac, v6, nonces.draw(mac));
                    }
                    _ => continue,
                }
                effects.send.push(LocalFrame { at, kind: LocalKind::Probe, bytes });
            }
        }
    }
}
