//! Events, told to the operator: the first of its kind at once, repetitions once a minute with their number, so that a
//! storm of them fills no disk.

use std::time::Duration;

use hashbrown::HashMap;
use rules::Mac;
use tracing::warn;

use super::effects::OperatorEvent;
use crate::base::At;
use crate::base::event::{Event, EventKind};
use crate::base::time::Time;
use crate::observe::report::EventReport;
use crate::plan::Plan;
use crate::plan::anycast::Anycast;

/// An event of the same kind from the same MAC at the same place is told again after this.
const QUIET: Duration = Duration::from_secs(60);
/// Different events remembered; further ones are told without damping, but only so many a minute.
const MOST: usize = 1024;

/// What has been told.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    told: HashMap<(EventKind, Mac, Place), Told>,
    untold: u64,
    /// When the untold were last told of, in number.
    summed_up: Time,
}

/// A side, or a port for frames of no side.
type Place = Result<At, usize>;

#[derive(Debug)]
struct Told {
    at: Time,
    again: u64,
    last: EventReport,
}

impl Alarms {
    /// Tells the operator.
    pub(super) fn tell(&mut self, plan: &Plan, tell: &OperatorEvent) {
        match tell {
            OperatorEvent::Event(event) => self.raise(plan, event),
            OperatorEvent::Anycast { bridge, address, why } => {
                let bridge = &plan.bridge(*bridge).rules.name;
                let what = match why {
                    Anycast::SubnetRouter(prefix) => format!("the subnet-router anycast address of {prefix}"),
                    Anycast::Reserved(prefix) => format!("a reserved anycast address of {prefix} (RFC 2526)"),
                    Anycast::Service => "an address that anycast.extra lists".to_owned(),
                };
                warn!(
                    bridge,
                    "no Packet Too Big sent to {address}, {what}: list it under anycast.never if it is a real host"
                );
            }
        }
    }

    /// Tells of an event, or counts it where it was told lately.
    fn raise(&mut self, plan: &Plan, event: &Event) {
        let place = event.at.ok_or(event.port);
        if let Some(told) = self.told.get_mut(&(event.kind, event.mac, place)) {
            told.again += 1;
            return;
        }
        // what the bridge concludes itself nobody can draw at will, so nobody can crowd it out either
        let own = matches!(event.kind, EventKind::LoopHeld | EventKind::LoopHealed | EventKind::OwnDuplicate);
        if !own && self.told.len() >= MOST {
            self.untold += 1;
            return;
        }
        let last = EventReport::new(plan, event);
        tell(&last, event.kind, 1);
        self.told.insert((event.kind, event.mac, place), Told { at: event.time, again: 0, last });
    }

    /// Tells how often what was told has come again, and forgets what has not.
    pub(super) fn flush(&mut self, now: Time) {
        self.told.retain(|(kind, _, _), told| {
            if now.since(told.at) < QUIET {
                return true;
            }
            let again = std::mem::take(&mut told.again);
            if again > 0 {
                tell(&told.last, *kind, again);
                told.at = now;
            }
            again > 0
        });
        if self.untold > 0 && now.since(self.summed_up) >= QUIET {
            self.summed_up = now;
            warn!(
                events = self.untold,
                "more events than could be told one by one: see `sluice show counters`"
            );
            self.untold = 0;
        }
    }
}

fn tell(event: &EventReport, kind: EventKind, times: u64) {
    let EventReport { bridge, side, port, mac, .. } = event;
    warn!(event = kind.name(), bridge, side, port, mac, times, "{}", kind.help());
}
