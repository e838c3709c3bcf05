//! Loops: probes in-band, as an exchange passes nothing else, and flooding held while they come back across the bridge
//! (docs/spec B.1).

use std::time::Duration;

use rules::Side;

use super::effects::Effects;
use super::nonces::Nonces;
use crate::base::event::{Event, EventKind};
use crate::base::time::Time;
use crate::base::{At, BridgeId};
use crate::frame::build;
use crate::path::control_queue::ReturnedProbe;
use crate::path::outbox::{LocalFrame, LocalKind};
use crate::plan::bridge::BridgePlan;
use crate::table::hold::OwnAddress;

/// Intervals in a row in which a probe crosses that make a loop, and clean ones that end it.
const IN_A_ROW: u32 = 3;
/// The hold doubles with each loop after the last up to this.
const LONGEST_HOLD: Duration = Duration::from_secs(15 * 60);

/// Loop probes of one bridge.
#[derive(Debug, Default)]
pub(super) struct Loops {
    next: Option<Time>,
    /// A probe crossed in this interval.
    crossed: bool,
    dirty: u32,
    clean: u32,
    held: Option<Time>,
    holds: u32,
}

impl Loops {
    /// A probe of the last two intervals came back.
    pub(super) fn returned(&mut self, bridge: &BridgePlan, probe: &ReturnedProbe, effects: &mut Effects) {
        let mac = bridge.own(probe.sent);
        let kind = if probe.sent == probe.at.side {
            EventKind::ProbeReflected
        } else {
            self.crossed = true;
            EventKind::LoopSuspected
        };
        effects.event(Event { time: probe.time, port: probe.port, at: Some(probe.at), kind, mac });
    }

    /// Sends the probes that are due, and concludes from what came back.
    pub(super) fn tick(
        &mut self,
        id: BridgeId,
        bridge: &BridgePlan,
        nonces: &mut Nonces,
        now: Time,
        effects: &mut Effects,
    ) {
        let Some(interval) = bridge.rules.loops.probe else {
            if self.held.take().is_some() {
                bridge.tables.hold.hold_flooding(false); // without probes nothing would ever end it
            }
            return;
        };
        if self.next.is_some_and(|next| now < next) {
            return;
        }
        if self.next.is_some() {
            self.conclude(id, bridge, interval, now, effects);
        }
        self.next = Some(now.after(interval));
        for side in Side::BOTH {
            let mac = bridge.own(side);
            let nonce = nonces.draw(mac);
            bridge.tables.hold.probe(side, nonce);
            let mut bytes = Vec::new();
            match bridge.rules.own.ipv4.filter(|_| bridge.tables.hold.has(OwnAddress::V4)) {
                Some(address) => build::arp_announcement(&mut bytes, mac, address, Some(nonce)),
                None => build::dad(&mut bytes, mac, bridge.link_local[side.index()], nonce),
            }
            effects.send.push(LocalFrame { at: At { bridge: id, side }, kind: LocalKind::Probe, bytes });
        }
    }

    /// Three intervals in a row with a probe across: held. Three clean ones once the hold is over: healed.
    fn conclude(
        &mut self,
        id: BridgeId,
        bridge: &BridgePlan,
        interval: Duration,
        now: Time,
        effects: &mut Effects,
    ) {
        let crossed = std::mem::take(&mut self.crossed);
        (self.dirty, self.clean) = if crossed { (self.dirty + 1, 0) } else { (0, self.clean + 1) };
        let at = At { bridge: id, side: Side::Second };
        let port = bridge.rules.side(at.side).port;
        let event = |kind| Event { time: now, port, at: Some(at), kind, mac: bridge.own(at.side) };
        match self.held {
            None if self.dirty >= IN_A_ROW => {
                let first = bridge.rules.loops.hold;
                let hold = first.saturating_mul(1 << self.holds.min(16)).min(LONGEST_HOLD.max(first));
                self.held = Some(now.after(hold));
                self.holds += 1;
                bridge.tables.hold.hold_flooding(true);
                effects.event(event(EventKind::LoopHeld));
            }
            Some(until) if now >= until && self.clean >= IN_A_ROW => {
                self.held = None;
                self.clean = 0; // whether it stays away shows from here on
                bridge.tables.hold.hold_flooding(false);
                effects.event(event(EventKind::LoopHealed));
            }
            // a loop that stayed away as long as the longest hold is a new one
            None if interval.saturating_mul(self.clean) >= LONGEST_HOLD => self.holds = 0,
            _ => {}
        }
    }
}
