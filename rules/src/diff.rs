//! Two rules compared: what a reload changes, and what it cannot change.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Display;

use crate::ether::{Mac, Side};
use crate::model::{Bridge, Member, Role, Rules, Setting};

/// What `new` asks for that the bridge that runs `running` cannot do without a restart: a sentence each, naming the key and both values.
/// Empty: a reload can apply `new`.
///
/// Fixed while it runs: what `docs/YAML.md` says needs a restart; the ports, their order, MTU and room for tags; which side of a
/// bridge is the first.
pub fn against(running: &Rules, new: &Rules) -> Vec<String> {
    let restart = |key: &str, old: &dyn Display, new: &dyn Display| {
        format!("{key}: cannot change from {old} to {new} while the bridge runs: restart it to apply that")
    };
    let mut refused = Vec::new();
    let names = |rules: &Rules| list(rules.ports.iter().map(|port| &port.name));
    if names(running) != names(new) {
        refused.push(restart("ports", &names(running), &names(new)));
    }
    for (old, new) in pairs(&running.ports, &new.ports, |port| &port.name) {
        if old.tags < new.tags {
            let what = format!("ports.{}: the most tags of its sides", old.name);
            refused.push(restart(&what, &old.tags, &new.tags));
        }
    }
    for (old, new) in pairs(&running.bridges, &new.bridges, |bridge| &bridge.name) {
        let [first, second] = [&old.sides, &new.sides].map(|sides| list(sides.iter().map(|side| &side.name)));
        if Side::BOTH.iter().any(|side| old.side(*side).name == new.side(side.other()).name) {
            refused.push(restart(&format!("bridges.{}.sides: their order", old.name), &first, &second));
        }
    }
    let fixed = different(running, new).filter(|(old, _)| old.fixed);
    refused.extend(fixed.map(|(old, new)| restart(&old.path, &old.value, &new.value)));
    refused
}

/// What changes from `old` to `new`, a line each, for the log. Empty: nothing does.
pub fn changes(old: &Rules, new: &Rules) -> Vec<String> {
    let mut lines = Vec::new();
    named(&mut lines, "ports", &old.ports, &new.ports, |port| &port.name);
    named(&mut lines, "bridges", &old.bridges, &new.bridges, |bridge| &bridge.name);
    for (before, after) in pairs(&old.bridges, &new.bridges, |bridge| &bridge.name) {
        let sides = format!("bridges.{}.sides", before.name);
        named(&mut lines, &sides, &before.sides, &after.sides, |side| &side.name);
        members(&mut lines, before, after);
    }
    let settings = different(old, new);
    lines.extend(settings.map(|(old, new)| format!("{}: {} -> {}", old.path, old.value, new.value)));
    lines
}

/// The settings that both have and that differ. What only one has belongs to a port, bridge or side that the other has not.
fn different<'r>(old: &'r Rules, new: &'r Rules) -> impl Iterator<Item = (&'r Setting, &'r Setting)> {
    let after: HashMap<&str, &Setting> =
        new.settings.iter().map(|setting| (setting.path.as_str(), setting)).collect();
    old.settings.iter().filter_map(move |before| {
        let after = *after.get(before.path.as_str())?;
        (after.value != before.value).then_some((before, after))
    })
}

/// What is in one list only.
fn named<T>(lines: &mut Vec<String>, key: &str, old: &[T], new: &[T], name: impl Fn(&T) -> &str) {
    let [before, after] = [old, new].map(|list| list.iter().map(&name).collect::<BTreeSet<&str>>());
    lines.extend(before.difference(&after).map(|name| format!("{key}: {name} removed")));
    lines.extend(after.difference(&before).map(|name| format!("{key}: {name} added")));
}

/// What both lists name.
fn pairs<'r, T>(old: &'r [T], new: &'r [T], name: impl Fn(&T) -> &str) -> Vec<(&'r T, &'r T)> {
    let same = |before: &'r T| Some((before, new.iter().find(|after| name(after) == name(before))?));
    old.iter().filter_map(same).collect()
}

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// What changes among the members of a bridge. One is the same before and after if it has the same name, else if
/// it has one of the same MACs.
fn members(lines: &mut Vec<String>, old: &Bridge, new: &Bridge) {
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut by_mac: HashMap<Mac, usize> = HashMap::new();
    for (index, member) in new.members.iter().enumerate().rev() {
        by_name.entry(&member.name).or_default().push(index);
        by_mac.extend(member.macs.iter().map(|mac| (*mac, index)));
    }
    let mut kept: Vec<Option<usize>> = vec![None; old.members.len()];
    let mut taken: HashSet<usize> = HashSet::new();
    // The surest likeness first: several entries may have one name, such as a network's routers on each side.
    for likeness in [Likeness::NameAndMac, Likeness::Name, Likeness::Mac] {
        for (before, kept) in old.members.iter().zip(&mut kept).filter(|(_, kept)| kept.is_none()) {
            let free = |index: &usize| !taken.contains(index);
            let mut shared = before.macs.iter().filter_map(|mac| by_mac.get(mac).copied()).filter(free);
            *kept = match likeness {
                Likeness::NameAndMac => shared.find(|index| new.members[*index].name == before.name),
                Likeness::Name => by_name
                    .get_mut(before.name.as_str())
                    .and_then(|named| std::iter::from_fn(|| named.pop()).find(free)),
                Likeness::Mac => shared.next(),
            };
            taken.extend(*kept);
        }
    }
    let path = format!("bridges.{}", old.name);
    for (before, kept) in old.members.iter().zip(kept) {
        match kept {
            None => lines.push(format!("{path}: member {} removed", before.name)),
            Some(index) => member(lines, &path, before, &new.members[index], (old, new)),
        }
    }
    for (index, after) in new.members.iter().enumerate() {
        if !taken.contains(&index) {
            lines.push(format!("{path}: member {} added on {}", after.name, pin(new, after.side)));
        }
    }
}

/// By what a member is known again.
enum Likeness {
    NameAndMac,
    Name,
    Mac,
}

/// Where a member is pinned, by the side's name.
fn pin(bridge: &Bridge, side: Option<Side>) -> &str {
    side.map_or("either side", |side| &bridge.side(side).name)
}

fn member(lines: &mut Vec<String>, path: &str, before: &Member, after: &Member, bridges: (&Bridge, &Bridge)) {
    // Nothing of a member can be left out here: a new field is one more pattern to write.
    let Member { name: old_name, side: old_side, macs: old_macs, addresses: old_addresses, role: old_role } =
        before;
    let Member { name, side, macs, addresses, role } = after;
    let mut put = |what: String| lines.push(format!("{path}: member {name} {what}"));
    if old_name != name {
        put(format!("was {old_name}"));
    }
    let (from, to) = (pin(bridges.0, *old_side), pin(bridges.1, *side));
    if from != to {
        put(format!("moves from {from} to {to}"));
    }
    if old_role != role {
        put(match role {
            Role::Router => "is a router now".into(),
            Role::Host => "is a host now".into(),
        });
    }
    difference("MAC", old_macs, macs, &mut put);
    difference("address", old_addresses, addresses, &mut put);
}

fn difference<T: Display + PartialEq>(what: &str, before: &[T], after: &[T], put: &mut impl FnMut(String)) {
    for gone in before.iter().filter(|item| !after.contains(item)) {
        put(format!("loses {what} {gone}"));
    }
    for come in after.iter().filter(|item| !before.contains(item)) {
        put(format!("gains {what} {come}"));
    }
}
