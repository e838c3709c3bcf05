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
/// Strangers whose events of one kind at one place are told one by one. Whoever invents more hides nothing by it but events of that
/// kind at that place from strangers, which are counted; a member's are always told (docs/spec F205).
const STRANGERS: usize = 8;

/// What has been told.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    told: HashMap<(EventKind, Mac, Place), Told>,
    crowds: HashMap<(EventKind, Place), Crowd>,
}

/// A side, or a port for frames of no side.
type Place = Result<At, usize>;

#[derive(Debug)]
struct Told {
    at: Time,
    again: u64,
    last: EventReport,
    /// It has one of the places of [`STRANGERS`].
    stranger: bool,
}

/// Strangers with events of one kind at one place.
#[derive(Debug, Default)]
struct Crowd {
    told: usize,
    /// Events of further ones, and when they were last told of, in number.
    more: u64,
    summed_up: Option<Time>,
    last: Option<EventReport>,
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
        let report = EventReport::new(plan, event);
        // our own MACs are listed too: what the bridge concludes itself nobody crowds out
        let stranger = event.at.is_none_or(|at| plan.bridge(at.bridge).static_fdb.get(event.mac).is_none());
        if stranger {
            let crowd = self.crowds.entry((event.kind, place)).or_default();
            if crowd.told >= STRANGERS {
                crowd.more += 1;
                crowd.last = Some(report);
                crowd.sum_up(event.kind, event.time);
                return;
            }
            crowd.told += 1;
        }
        tell(&report, event.kind, 1);
        let told = Told { at: event.time, again: 0, last: report, stranger };
        self.told.insert((event.kind, event.mac, place), told);
    }

    /// Tells how often what was told has come again, and forgets what has not.
    pub(super) fn flush(&mut self, now: Time) {
        let crowds = &mut self.crowds;
        self.told.retain(|(kind, _, place), told| {
            if now.since(told.at) < QUIET {
                return true;
            }
            let again = std::mem::take(&mut told.again);
            if again > 0 {
                tell(&told.last, *kind, again);
                told.at = now;
            } else if told.stranger
                && let Some(crowd) = crowds.get_mut(&(*kind, *place))
            {
                crowd.told -= 1;
            }
            again > 0
        });
        crowds.retain(|(kind, _), crowd| {
            crowd.sum_up(*kind, now);
            crowd.told > 0 || crowd.more > 0
        });
    }
}

impl Crowd {
    /// Tells of the further ones: the first at once, and then once a minute in number.
    fn sum_up(&mut self, kind: EventKind, now: Time) {
        let due = self.summed_up.is_none_or(|before| now.since(before) >= QUIET);
        if let Some(EventReport { bridge, side, port, mac, .. }) =
            self.last.as_ref().filter(|_| due && self.more > 0)
        {
            let times = std::mem::take(&mut self.more);
            self.summed_up = Some(now);
            warn!(
                event = kind.name(),
                bridge,
                side,
                port,
                mac,
                times,
                "{}: from more stations than are told one by one, the last of them this one",
                kind.help()
            );
        }
    }
}

fn tell(event: &EventReport, kind: EventKind, times: u64) {
    let EventReport { bridge, side, port, mac, .. } = event;
    warn!(event = kind.name(), bridge, side, port, mac, times, "{}", kind.help());
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::base::BridgeId;
    use rules::Side;

    /// What is logged, in lines.
    #[derive(Debug, Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        /// All that came while `work` ran.
        fn of(work: impl FnOnce()) -> String {
            let lines = Lines::default();
            let writer = lines.clone();
            let subscriber =
                tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
            tracing::subscriber::with_default(subscriber, work);
            String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
        }
    }

    /// How many lines have this in them.
    fn with(lines: &str, part: &str) -> usize {
        lines.lines().filter(|line| line.contains(part)).count()
    }

    const MEMBER: Mac = Mac::from_u64(0x0200_0000_0001);

    fn plan() -> Plan {
        crate::plan::small("    members: [ { name: one, side: a, mac: \"02:00:00:00:00:01\" } ]")
    }

    fn event(kind: EventKind, mac: u64) -> OperatorEvent {
        let at = Some(At { bridge: BridgeId::FIRST, side: Side::First });
        OperatorEvent::Event(Event { time: Time::from_nanos(1), port: 0, at, kind, mac: Mac::from_u64(mac) })
    }

    #[test]
    fn f205_a_flood_of_one_kind_is_told_a_few_times_and_once_more_and_hides_no_other_kind_and_no_member() {
        let plan = plan();
        let mut alarms = Alarms::default();
        let told = Lines::of(|| {
            for number in 0..1100 {
                alarms.tell(&plan, &event(EventKind::BpduSeen, 0x02cc_0000_0000 + number));
            }
            for kind in [EventKind::IpConflictOwn, EventKind::ArpSpoof, EventKind::MacWrongSide] {
                alarms.tell(&plan, &event(kind, 0x02cc_0000_0000));
            }
            alarms.tell(&plan, &event(EventKind::BpduSeen, MEMBER.as_u64()));
        });
        assert_eq!(with(&told, "bpdu_seen"), STRANGERS + 1 + 1);
        assert_eq!(
            ["ip_conflict_own", "arp_spoof", "mac_wrong_side"].map(|kind| with(&told, kind)),
            [1, 1, 1]
        );
        assert_eq!(with(&told, &MEMBER.to_string()), 1);
        // the rest in number, once a minute
        let told = Lines::of(|| alarms.flush(Time::from_nanos(0).after(QUIET + QUIET)));
        assert_eq!(with(&told, &format!("times={}", 1100 - STRANGERS - 1)), 1);
        let told = Lines::of(|| alarms.flush(Time::from_nanos(0).after(4 * QUIET)));
        assert_eq!(told, "");
        assert!(alarms.told.is_empty() && alarms.crowds.is_empty());
    }
}
