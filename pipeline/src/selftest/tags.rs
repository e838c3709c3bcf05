//! VLAN tags arrive bit for bit: none taken off, none added, none rewritten.

use super::frames::{EXPERIMENTAL, End};
use super::report::Check;
use super::rig::Rig;

const C: u16 = 0x8100;
const S: u16 = 0x88a8;

/// Two lengths: one with room to spare, and one that becomes shorter than Ethernet allows if a tag is taken off.
const LENGTHS: [usize; 2] = [60, 200];

/// Tags as (TPID, TCI), the outermost first, and what they are called.
type Kind = (String, Vec<(u16, u16)>);

/// All checks of tags.
pub(super) fn tags(rig: &mut Rig) -> Vec<Check> {
    let vids = [1, 2, 100, 4094].map(|vid| (format!("VID {vid}"), vec![(C, vid)]));
    let priorities = (1..8).map(|pcp| (format!("PCP {pcp}"), vec![(C, pcp << 13 | 100)]));
    let dei = [("DEI".to_owned(), vec![(C, 0x1000 | 100)])];
    let single: Vec<Kind> = vids.into_iter().chain(priorities).chain(dei).collect();
    let priority = vec![
        ("priority tag".to_owned(), vec![(C, 0)]),
        ("priority tag, PCP 7".to_owned(), vec![(C, 0xe000)]),
    ];
    let service = [0, 1, 100, 4094].map(|vid| (format!("S-tag, VID {vid}"), vec![(S, vid)])).to_vec();
    let double = vec![
        ("88a8 outside of 8100".to_owned(), vec![(S, 100), (C, 200)]),
        ("8100 twice".to_owned(), vec![(C, 100), (C, 200)]),
        ("the same VID twice".to_owned(), vec![(S, 4094), (C, 4094)]),
        ("with priorities".to_owned(), vec![(S, 0xf001), (C, 0x7002)]),
        ("9100 outside of 8100".to_owned(), vec![(0x9100, 100), (C, 200)]),
    ];
    vec![
        one(
            rig,
            "vlan_8021q",
            "802.1Q tags arrive as sent",
            &single,
            "a `vlan` side needs this: turn VLAN filter and strip off in the card's firmware, its host (virtual function) or the switch between",
        ),
        one(
            rig,
            "priority_tag",
            "priority tags (VID 0) arrive as sent",
            &priority,
            "only a nuisance: sluice drops frames with VID 0 on tagged sides, and cannot where it does not see them",
        ),
        one(
            rig,
            "vlan_8021ad",
            "802.1ad service tags arrive as sent",
            &service,
            "do not use `outer_vlan` with this card or driver: what is sent with 88a8 does not come so",
        ),
        one(
            rig,
            "qinq",
            "two tags arrive as sent",
            &double,
            "do not use `outer_vlan` with this card or driver",
        ),
    ]
}

fn one(rig: &mut Rig, name: &'static str, title: &'static str, kinds: &[Kind], advice: &str) -> Check {
    let check = Check::new(name, title);
    if rig.run.vlan.is_some() && name == "vlan_8021ad" {
        return check.impossible("with --vlan the outermost tag is the switch's: try it on a cable");
    }
    let mut ledger = rig.ledger();
    for from in End::BOTH {
        for (kind, tags) in kinds {
            for len in LENGTHS {
                ledger.enter(&rig.run, from, kind, rig.run.head(from, tags, EXPERIMENTAL), len);
            }
        }
    }
    rig.check(check, &mut ledger, advice)
}
