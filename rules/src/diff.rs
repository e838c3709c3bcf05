//! Two rules compared: what a reload changes, and what it cannot change.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Display;

use crate::ether::{Mac, Side};
use crate::form::duration;
use crate::model::{
    Admission, Anycast, Bridge, Conflict, Idle, Member, Rate, Resolution, Role, Rules, SideRules,
};

/// What `new` asks for that the bridge that runs `running` cannot do without a restart: a sentence each, naming the key and both values.
/// Empty: a reload can apply `new`.
///
/// Fixed while it runs: the ports, their order, devices, MTU and room for tags; the workers; `macs.capacity` and `neighbours.capacity` of a
/// bridge; which side of a bridge is the first; the control socket and its group; `metrics`.
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
            refused.push(restart(
                &format!("ports.{}: the most tags of its sides", old.name),
                &old.tags,
                &new.tags,
            ));
        }
    }
    for (old, new) in pairs(&running.bridges, &new.bridges, |bridge| &bridge.name) {
        let [first, second] = [&old.sides, &new.sides].map(|sides| list(sides.iter().map(|side| &side.name)));
        if Side::BOTH.iter().any(|side| old.side(*side).name == new.side(side.other()).name) {
            refused.push(restart(&format!("bridges.{}.sides: their order", old.name), &first, &second));
        }
    }
    let (old, new) = (settings(running, new), settings(new, running));
    let values: HashMap<&str, &str> =
        new.iter().map(|setting| (setting.key.as_str(), setting.value.as_str())).collect();
    for setting in old.iter().filter(|setting| setting.fixed) {
        if let Some(value) = values.get(setting.key.as_str()).filter(|value| **value != setting.value) {
            refused.push(restart(&setting.key, &setting.value, value));
        }
    }
    refused
}

/// What changes from `old` to `new`, a line each, for the log. Empty: nothing does.
pub fn changes(old: &Rules, new: &Rules) -> Vec<String> {
    let mut lines = Vec::new();
    named(&mut lines, "ports", &old.ports, &new.ports, |port| &port.name);
    named(&mut lines, "bridges", &old.bridges, &new.bridges, |bridge| &bridge.name);
    for (before, after) in pairs(&old.bridges, &new.bridges, |bridge| &bridge.name) {
        named(&mut lines, &format!("bridges.{}.sides", before.name), &before.sides, &after.sides, |side| {
            &side.name
        });
        members(&mut lines, before, after);
    }
    let after = settings(new, old);
    let values: HashMap<&str, &str> =
        after.iter().map(|setting| (setting.key.as_str(), setting.value.as_str())).collect();
    for Setting { key, value: before, .. } in settings(old, new) {
        if let Some(after) = values.get(key.as_str()).filter(|after| **after != before) {
            lines.push(format!("{key}: {before} -> {after}"));
        }
    }
    lines
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

/// A key and its value as an operator would say it.
struct Setting {
    key: String,
    value: String,
    /// Only a restart changes it.
    fixed: bool,
}

/// All settings of `rules` but its members, of what `other` names too.
fn settings(rules: &Rules, other: &Rules) -> Vec<Setting> {
    let mut all = Vec::new();
    let mut put = |fixed: bool, key: String, value: String| all.push(Setting { key, value, fixed });
    for (port, _) in pairs(&rules.ports, &other.ports, |port| &port.name) {
        put(true, format!("ports.{}.device", port.name), port.device.clone());
        put(true, format!("ports.{}: the MTU of its largest side", port.name), port.mtu.to_string());
    }
    put(true, "workers".into(), list(&rules.workers));
    let idle = match rules.idle {
        Idle::Poll => "poll",
        Idle::Pause => "pause",
        Idle::Sleep => "sleep",
    };
    put(false, "idle".into(), idle.into());
    put(true, "control.socket".into(), rules.control.socket.display().to_string());
    put(true, "control.group".into(), or_none(rules.control.group.as_ref()));
    put(true, "metrics".into(), rules.metrics.map_or("off".into(), |listen| listen.to_string()));
    for (bridge, same) in pairs(&rules.bridges, &other.bridges, |bridge| &bridge.name) {
        let path = format!("bridges.{}", bridge.name);
        for (side, _) in pairs(&bridge.sides, &same.sides, |side| &side.name) {
            let port = rules.ports.get(side.port).map_or("", |port| &port.name);
            side_settings(&mut put, &format!("{path}.sides.{}", side.name), side, port);
        }
        bridge_settings(&mut |fixed, key, value| put(fixed, format!("{path}.{key}"), value), bridge);
    }
    all
}

fn side_settings(put: &mut impl FnMut(bool, String, String), path: &str, side: &SideRules, port: &str) {
    put(false, format!("{path}.port"), port.into());
    put(false, format!("{path}.vlan"), side.tags.to_string());
    put(false, format!("{path}.mtu"), side.mtu.to_string());
    put(false, format!("{path}.mac"), side.mac.map_or("derived".into(), |mac| mac.to_string()));
    put(false, format!("{path}.fragment"), side.fragment.to_string());
}

fn bridge_settings(put: &mut impl FnMut(bool, &str, String), bridge: &Bridge) {
    let mode = |resolution: Resolution| match resolution {
        Resolution::Bridge => "bridge".to_owned(),
        Resolution::Answer => "answer".to_owned(),
    };
    let pass = |pass: bool| if pass { "pass".to_owned() } else { "drop".to_owned() };
    let Anycast { subnet_router, never, extra, ptb } = &bridge.anycast;
    put(false, "peering.ipv4", list(&bridge.peering4));
    put(false, "peering.ipv6", list(&bridge.peering6));
    put(false, "own.ipv4", or_none(bridge.own.ipv4));
    put(false, "own.ipv6", or_none(bridge.own.ipv6));
    put(false, "own.icmp_source4", or_none(bridge.own.icmp_source4));
    put(false, "own.icmp_source6", or_none(bridge.own.icmp_source6));
    let admission = match bridge.admission {
        Admission::Learned => "learned",
        Admission::Members => "members",
    };
    put(false, "admission", admission.into());
    put(false, "conflict", pass(bridge.conflict == Conflict::Pass));
    put(false, "arp.mode", mode(bridge.arp));
    put(false, "nd.mode", mode(bridge.nd));
    put(true, "neighbours.capacity", bridge.neighbours.capacity.to_string());
    put(false, "neighbours.per_mac", bridge.neighbours.per_mac.to_string());
    put(false, "answers", rate(bridge.answers));
    put(false, "anycast.subnet_router", if *subnet_router { "auto" } else { "off" }.into());
    put(false, "anycast.never", list(never));
    put(false, "anycast.extra", list(extra));
    put(false, "anycast.ptb", ptb.to_string());
    put(false, "mtu_errors.source", rate(bridge.mtu_errors.source));
    put(false, "mtu_errors.mac", rate(bridge.mtu_errors.mac));
    put(false, "mtu_errors.side", rate(bridge.mtu_errors.side));
    put(false, "storm.side.broadcast", rate(bridge.storm.broadcast));
    put(false, "storm.side.multicast", rate(bridge.storm.multicast));
    put(false, "storm.mac", rate(bridge.storm.mac));
    put(false, "unknown_unicast", bridge.unknown_unicast.map_or("drop".into(), rate));
    put(true, "macs.capacity", bridge.macs.capacity.to_string());
    put(false, "macs.age", duration(bridge.macs.age));
    put(false, "macs.new", rate(bridge.macs.new));
    put(false, "macs.move_guard", duration(bridge.macs.move_guard));
    put(false, "macs.flap.moves", bridge.macs.flap.moves.to_string());
    put(false, "macs.flap.within", duration(bridge.macs.flap.within));
    put(false, "macs.flap.hold", duration(bridge.macs.flap.hold));
    put(false, "loop.probe", bridge.loops.probe.map_or("off".into(), duration));
    put(false, "loop.hold", duration(bridge.loops.hold));
    put(false, "mld", pass(bridge.mld));
    put(false, "drain", bridge.drain.to_string());
}

fn rate(rate: Rate) -> String {
    format!("{}/s burst {}", rate.per_second, rate.burst)
}

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "none".into() } else { items.join(", ") }
}

fn or_none<T: Display>(value: Option<T>) -> String {
    value.map_or("none".into(), |value| value.to_string())
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
    let name = &after.name;
    let mut put = |what: String| lines.push(format!("{path}: member {name} {what}"));
    if before.name != after.name {
        put(format!("was {}", before.name));
    }
    let (from, to) = (pin(bridges.0, before.side), pin(bridges.1, after.side));
    if from != to {
        put(format!("moves from {from} to {to}"));
    }
    if before.role != after.role {
        put(match after.role {
            Role::Router => "is a router now".into(),
            Role::Host => "is a host now".into(),
        });
    }
    difference("MAC", &before.macs, &after.macs, &mut put);
    difference("address", &before.addresses, &after.addresses, &mut put);
}

fn difference<T: Display + PartialEq>(what: &str, before: &[T], after: &[T], put: &mut impl FnMut(String)) {
    for gone in before.iter().filter(|item| !after.contains(item)) {
        put(format!("loses {what} {gone}"));
    }
    for come in after.iter().filter(|item| !before.contains(item)) {
        put(format!("gains {what} {come}"));
    }
}
