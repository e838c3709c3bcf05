//! Cores that are good for workers: near the cards, and kept free of everything else.
//!
//! References: the kernel's Documentation/admin-guide/kernel-parameters.txt (`isolcpus`, `nohz_full`, `rcu_nocbs`),
//! cputopology.rst and the list format of cpuset(7).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The cores of one memory node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cores {
    /// The node; `None` where the machine does not tell its cards' nodes.
    pub node: Option<u32>,
    /// Those for workers: isolated ones, or one thread of each physical core but the first, which the kernel uses most.
    pub for_workers: Vec<u16>,
    /// What keeps the kernel and other programs off them; `None` where nothing is missing.
    pub mend: Option<String>,
}

/// What the machine says of its cores.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) node: Option<u32>,
    /// The node's, online.
    pub(super) cores: Vec<u16>,
    pub(super) isolated: Vec<u16>,
    pub(super) nohz_full: Vec<u16>,
    pub(super) rcu_nocbs: Vec<u16>,
    /// By core, in the order of `cores`: the threads of its physical core.
    pub(super) siblings: Vec<Vec<u16>>,
}

/// Workers that an example names: a bridge on one port needs one, and two share the flows.
const EXAMPLE: usize = 2;

pub(super) fn judge(facts: Facts) -> Cores {
    let Facts { node, cores, isolated, nohz_full, rcu_nocbs, siblings } = facts;
    let mut good: Vec<u16> = cores.iter().copied().filter(|core| isolated.contains(core)).collect();
    if good.is_empty() {
        let is_first = |core: &u16, threads: &[u16]| threads.iter().min().is_none_or(|first| first == core);
        let pairs = cores.iter().zip(siblings);
        let alone = pairs.filter(|(core, threads)| !threads.contains(&0) && is_first(core, threads));
        good = alone.map(|(core, _)| *core).filter(|&core| core != 0).collect();
    }
    let example: Vec<u16> = good.iter().copied().take(EXAMPLE).collect();
    let lacks = |list: &[u16]| !example.iter().all(|core| list.contains(core));
    // a core without ticks has its callbacks elsewhere too
    let callbacks = [nohz_full.clone(), rcu_nocbs].concat();
    let options = [("isolcpus", &isolated), ("nohz_full", &nohz_full), ("rcu_nocbs", &callbacks)];
    let list = list(&example);
    let missing: Vec<String> = options
        .into_iter()
        .filter(|(_, has)| lacks(has))
        .map(|(option, _)| format!("{option}={list}"))
        .collect();
    let mend = (!missing.is_empty()).then(|| {
        format!(
            "for `workers: [{}]` add {} to GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub and reboot",
            example.iter().map(u16::to_string).collect::<Vec<_>>().join(", "),
            missing.join(" ")
        )
    });
    Cores { node, for_workers: good, mend }
}

/// The cores of a list such as `0-3,8`; none where it is something else.
pub(super) fn parse(list: &str) -> Vec<u16> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

/// As a list of the kernel's, shortened.
fn list(cores: &[u16]) -> String {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for &core in cores {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(core) => *last = core,
            _ => ranges.push((core, core)),
        }
    }
    let range =
        |(first, last): (u16, u16)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    ranges.into_iter().map(range).collect::<Vec<_>>().join(",")
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = self.node {
            write!(f, "node {node}: ")?;
        }
        match (&self.for_workers[..], &self.mend) {
            ([], _) => write!(f, "none but the kernel's for workers: they will be interrupted"),
            (cores, None) => write!(f, "{} for workers, kept free", list(cores)),
            (cores, Some(mend)) => write!(f, "{} for workers; {mend}", list(cores)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads() -> Facts {
        let siblings = (0..8).map(|core| vec![core % 4, core % 4 + 4]).collect();
        Facts { node: Some(0), cores: (0..8).collect(), siblings, ..Facts::default() }
    }

    #[test]
    fn one_thread_of_each_physical_core_but_the_first_is_good_and_the_options_that_free_it_are_named() {
        let cores = judge(threads());
        assert_eq!(cores.for_workers, [1, 2, 3]);
        let mend = cores.mend.unwrap();
        assert!(
            mend.starts_with("for `workers: [1, 2]` add isolcpus=1-2 nohz_full=1-2 rcu_nocbs=1-2 to"),
            "{mend}"
        );
    }

    #[test]
    fn isolated_cores_are_taken_first_and_only_what_is_missing_is_named() {
        let some = Facts { isolated: vec![2, 6], nohz_full: vec![2, 6], ..threads() };
        let cores = judge(some);
        assert_eq!((cores.for_workers, cores.mend), (vec![2, 6], None));
        let some = Facts { isolated: vec![2, 6], rcu_nocbs: vec![2, 6], ..threads() };
        let mend = judge(some).mend.unwrap();
        assert!(mend.starts_with("for `workers: [2, 6]` add nohz_full=2,6 to"), "{mend}");
    }

    #[test]
    fn a_machine_of_one_core_has_none_to_give() {
        let one = Facts { cores: vec![0], siblings: vec![vec![0]], ..Facts::default() };
        let cores = judge(one);
        assert_eq!((cores.for_workers.len(), cores.mend.is_none()), (0, true));
    }

    #[test]
    fn lists_are_the_kernels() {
        assert_eq!(parse("0-2,5"), [0, 1, 2, 5]);
        assert_eq!((parse(""), parse("(null)")), (vec![], vec![]));
        assert_eq!(list(&[0, 1, 2, 5]), "0-2,5");
    }
}
