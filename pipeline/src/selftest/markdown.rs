//! The report as Markdown: to be read, kept, sent.

use std::fmt::{self, Display, Formatter};

use super::report::{Check, PortReport, Report, Verdict};

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Report { sluice, time, dpdk, machine, settings, ports, checks, .. } = self;
        let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
        let (ok, failed, not) = (count(Verdict::Ok), count(Verdict::Failed), count(Verdict::NotPossible));
        writeln!(f, "# sluice selftest: {}\n", if self.passed { "passed" } else { "FAILED" })?;
        writeln!(f, "{ok} checks ok, {failed} failed, {not} not possible here.\n")?;
        writeln!(f, "| | |\n|---|---|")?;
        let mut row = |name: &str, value: String| writeln!(f, "| {name} | {} |", cell(&value));
        row("when", time.clone())?;
        row("sluice", sluice.clone())?;
        row("DPDK", dpdk.clone())?;
        row("kernel", machine.kernel.clone())?;
        row("processor", machine.processor.clone().unwrap_or_else(|| "not told".to_owned()))?;
        row("cores", join(&machine.cores))?;
        row("memory", machine.memory_kib.map_or("not told".to_owned(), |kib| format!("{} MiB", kib >> 10)))?;
        let pages = machine.huge_pages.iter();
        let pages: Vec<String> = pages
            .map(|pages| format!("{} of {} KiB, {} free", pages.total, pages.size_kib, pages.free))
            .collect();
        row("DPDK's memory", machine.dpdk_memory.clone())?;
        row("huge pages before", if pages.is_empty() { "none".to_owned() } else { pages.join("; ") })?;
        let vlan = settings.vlan.map_or(String::new(), |vlan| format!(", all in VLAN {vlan}"));
        let asked = format!(
            "MTU {}, {} s of load, workers on cores {}",
            settings.mtu,
            settings.seconds,
            join(&settings.workers)
        );
        row("asked for", asked + &vlan)?;
        for port in ports {
            row(&format!("port {}", port.name), about(port))?;
        }
        writeln!(f, "\n| check | verdict | what it shows |\n|---|---|---|")?;
        for Check { check, title, verdict, .. } in checks {
            writeln!(f, "| {check} | {} | {} |", verdict.word(), cell(title))?;
        }
        checks.iter().try_for_each(|check| details(f, check))
    }
}

fn details(f: &mut Formatter<'_>, check: &Check) -> fmt::Result {
    writeln!(f, "\n## {}: {}\n\n{}.\n", check.check, check.verdict.word(), check.title)?;
    check.evidence.iter().try_for_each(|line| writeln!(f, "- {line}"))?;
    if let Some(advice) = &check.advice {
        writeln!(f, "\nWhat to do: {advice}.")?;
    }
    if !check.measured.is_empty() {
        writeln!(f, "\n| measured | of | value | |\n|---|---|---:|---|")?;
        for measured in &check.measured {
            writeln!(f, "| {} | {} | {} | {} |", measured.what, measured.of, measured.value, measured.unit)?;
        }
    }
    Ok(())
}

fn about(port: &PortReport) -> String {
    let mut parts = vec![port.device.clone()];
    parts.extend(port.pci.as_ref().filter(|pci| **pci != port.device).map(|pci| format!("PCI {pci}")));
    for id in [&port.vendor, &port.model].into_iter().flatten() {
        parts.push(format!("{} [{}]", id.name.as_deref().unwrap_or("unknown"), id.id));
    }
    parts.push(format!("driver {}", port.driver));
    parts.push(format!("firmware {}", port.firmware.as_deref().unwrap_or("not told by the driver")));
    parts.push(format!("MAC {}", port.mac));
    parts.push(port.numa_node.map_or("no NUMA node".to_owned(), |node| format!("NUMA node {node}")));
    let speed = port.speed_mbps.map_or("speed not told".to_owned(), |speed| format!("{speed} Mb/s"));
    parts.push(format!("link {}, {speed}", if port.link_up { "up" } else { "down" }));
    parts.push(format!("up to {} queues, of {} frames", port.most_queues, port.descriptors));
    parts.join(", ")
}

fn join(numbers: &[u16]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Text that stays within a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
