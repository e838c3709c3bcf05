//! What comes of an attack: what is left to the victim, and what the attacker has of it.

use std::fmt;

use crate::{addresses, answers, errors, events, loops, moves, own, storms, table, workers};

/// Something that a victim needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub name: String,
    pub offered: u32,
    pub delivered: u32,
}

impl Service {
    pub fn new(name: impl Into<String>, offered: u32, delivered: u32) -> Service {
        Service { name: name.into(), offered, delivered }
    }

    /// Something that holds or does not.
    pub fn fact(name: &str, holds: bool) -> Service {
        Service::new(name, 1, u32::from(holds))
    }

    pub fn percent(&self) -> u32 {
        assert!(self.offered > 0, "{}: nothing was offered", self.name);
        100 * self.delivered / self.offered
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{} ({} %)", self.name, self.delivered, self.offered, self.percent())
    }
}

/// An attack that was carried out.
#[derive(Debug, Clone)]
pub struct Attack {
    /// The row of docs/spec F.8, or - for one of our own.
    pub row: &'static str,
    /// What the attacker sends, and how fast.
    pub sends: &'static str,
    /// What it would have of it.
    pub wants: &'static str,
    /// So many of a hundred of each service must be left to the victim.
    pub bound: u32,
    pub services: Vec<Service>,
    /// What it has of it.
    pub gain: String,
}

impl Attack {
    /// Each service is at its bound or above.
    #[track_caller]
    pub fn fails(self) {
        let below: Vec<_> = self.services.iter().filter(|service| service.percent() < self.bound).collect();
        assert!(below.is_empty(), "{}\nbelow the bound: {below:?}", self);
    }

    fn worst(&self) -> &Service {
        self.services.iter().min_by_key(|service| service.percent()).expect("an attack has a victim")
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Attack { row, sends, wants, bound, gain, .. } = self;
        let worst = match self.worst() {
            worst if worst.percent() < 100 => worst.to_string(),
            _ => "all of it".to_owned(),
        };
        write!(f, "| {row} | {sends} | {wants} | {bound} % | {worst} | {gain} |")
    }
}

/// All of them.
const ATTACKS: &[&[fn() -> Attack]] = &[
    table::ATTACKS,
    moves::ATTACKS,
    addresses::ATTACKS,
    errors::ATTACKS,
    storms::ATTACKS,
    events::ATTACKS,
    answers::ATTACKS,
    own::ATTACKS,
    loops::ATTACKS,
    workers::ATTACKS,
];

#[test]
fn table_of_attacks_has_every_victim_above_its_bound() {
    let attacks: Vec<_> = ATTACKS.iter().copied().flatten().map(|attack| attack()).collect();
    println!("| row | the attacker sends | to | bound | what is left to the victim | what it has of it |");
    println!("|---|---|---|---|---|---|");
    attacks.iter().for_each(|attack| println!("{attack}"));
    attacks.into_iter().for_each(Attack::fails);
}
