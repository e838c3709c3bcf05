//! One core of frames for a device under test, and the check of what comes out of it, over memif.
//!
//! The trick: a memif client owns the buffers. Each frame is written once, before the run; then to send one is to write a
//! descriptor of 16 bytes, and to take one is to reset its descriptor. All copying falls to the server, the device under
//! test, so that one core is source and sink and still not the bottleneck.

mod frames;
mod interface;
mod latency;
mod memif;
mod pace;
mod pool;
mod verify;
mod watch;

use std::collections::BTreeMap;
use std::hint::spin_loop;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{ArgGroup, Parser};
use serde::Serialize;

use crate::frames::{Kind, Mix, Side, Size};
use crate::interface::Interface;
use crate::pace::Rate;
use crate::pool::{Plan, Pool};
use crate::verify::Expect;
use crate::watch::{Device, Gaps, generator_waited};

/// Frames for a bridge and the check of what comes out of it, over memif, on one core. Prints a line of JSON for each run.
///
/// Station i of side A is 02:aa:00:i (three bytes) with 202.7.0.(i mod 250 + 1) and 2001:7fa:3:ca07::aa:0:i, of side B
/// 02:bb:00:i with 202.7.1.(i mod 250 + 1) and 2001:7fa:3:ca07::bb:0:i; they speak to each other from 198.18.0.0/15 (RFC 2544)
/// and 2001:2::/48 (RFC 5180).
#[derive(Parser)]
#[command(group(ArgGroup::new("vlans").args(["tags", "untagged"])))]
struct Arguments {
    /// Socket of the memif server; interface 0 is side A, interface 1 is side B
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// CPU to run on
    #[arg(long, default_value_t = 0)]
    core: usize,
    /// Stations in all, half of them on each side
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..=1 << 24))]
    macs: u32,
    /// Bytes on the wire, FCS included, or imix: 7 frames of 64, 4 of 594, 1 of 1518. ARP and neighbour solicitations have
    /// their own size; IPv6 has at least 84 bytes with a tag
    #[arg(long, default_value = "64", value_name = "BYTES|imix")]
    size: Size,
    /// VLANs of side A and of side B
    #[arg(long, default_value = "10,20", value_name = "A,B", value_parser = tags)]
    tags: [u16; 2],
    /// Frames without a tag
    #[arg(long)]
    untagged: bool,
    /// What the device does to frames, by which each is verified
    #[arg(long, value_enum, default_value = "bridge")]
    expect: Expect,
    /// Shares by kind: ip4, ip6, arp, nd, foreign-arp, broadcast
    #[arg(long, default_value = "ip4=1", value_name = "KIND=SHARE,...")]
    mix: Mix,
    /// Those of side A
    #[arg(long, value_name = "KIND=SHARE,...")]
    mix_a: Option<Mix>,
    /// Those of side B
    #[arg(long, value_name = "KIND=SHARE,...")]
    mix_b: Option<Mix>,
    /// Frames a second from side A, or max, or 0: silent
    #[arg(long, default_value = "max", value_name = "max|PPS")]
    rate_a: Rate,
    /// Frames a second from side B
    #[arg(long, default_value = "max", value_name = "max|PPS")]
    rate_b: Rate,
    /// An extra station on side A, the one with the number MACS / 2, sends so many frames a second besides: ARP requests and
    /// neighbour solicitations for its partner on side B, in turn
    #[arg(long, value_name = "PPS", value_parser = clap::value_parser!(u64).range(1..=1000))]
    extra: Option<u64>,
    /// Length of a run
    #[arg(long, default_value = "2", value_parser = seconds)]
    seconds: Duration,
    /// Length of the run before the first, which is not counted
    #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = seconds)]
    warm_up: Duration,
    /// Runs
    #[arg(long, default_value_t = 1)]
    runs: u32,
    /// Rings each way on each interface
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    queues: u16,
    /// Unicast frames carry the time: every 64th, or one in N
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "64", value_parser = clap::value_parser!(u16).range(1..))]
    latency: Option<u16>,
    /// Do not let every station speak, slowly, before the first run
    #[arg(long)]
    no_learn: bool,
    /// After the last run stay connected, silent, until the device ends: DPDK's memif driver may crash when its peer leaves
    #[arg(long)]
    hold: bool,
    /// Also tell how long threads of this process that are bound to this CPU waited for it
    #[arg(long, value_name = "PID:CPU")]
    watch: Option<Device>,
}

fn tags(text: &str) -> Result<[u16; 2]> {
    let (a, b) = text.split_once(',').context("not A,B")?;
    let tags = [a.parse()?, b.parse()?];
    ensure!(tags.iter().all(|tag| (1..=4094).contains(tag)), "a VLAN is 1 to 4094");
    Ok(tags)
}

fn seconds(text: &str) -> Result<Duration> {
    let duration = Duration::try_from_secs_f64(text.parse()?)?;
    ensure!(duration <= Duration::from_secs(3600), "at most an hour");
    Ok(duration)
}

/// What a run shows.
#[derive(Serialize)]
struct Report {
    /// The time in which frames were sent.
    seconds: f64,
    sent: PerSide,
    sent_by_kind: BTreeMap<Kind, u64>,
    /// By the side where they arrived.
    received: PerSide,
    received_by_kind: BTreeMap<Kind, u64>,
    received_bytes: u64,
    refused: PerSide,
    bad: u64,
    /// Frames of the device itself, such as its probes; not among those received.
    own: u64,
    /// Of those sent and received, those of the extra station.
    extra: Extra,
    starved: f64,
    waited: Waited,
    gaps: Gaps,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_us: Option<latency::Summary>,
}

#[derive(Serialize)]
struct PerSide {
    a: u64,
    b: u64,
}

#[derive(Serialize)]
struct Extra {
    sent: u64,
    received: u64,
}

/// Seconds.
#[derive(Serialize)]
struct Waited {
    generator: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<f64>,
}

fn main() -> ExitCode {
    match generate(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("memif-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn generate(arguments: &Arguments) -> Result<()> {
    let mut core = rustix::thread::CpuSet::new();
    ensure!(arguments.core < rustix::thread::CpuSet::MAX_CPU, "no CPU {}", arguments.core);
    core.set(arguments.core);
    rustix::thread::sched_setaffinity(None, &core)
        .with_context(|| format!("no CPU {} to run on", arguments.core))?;

    let watched = arguments.extra.is_none() || arguments.expect != Expect::None;
    ensure!(watched, "--extra needs frames to be looked at: not with --expect none");
    let plan = Plan {
        flows: arguments.macs / 2,
        size: arguments.size,
        tags: (!arguments.untagged).then_some(arguments.tags),
        expect: arguments.expect,
        queues: arguments.queues.into(),
        latency: arguments.latency.map(usize::from),
        extra: arguments.extra,
    };
    let mix = |own: &Option<Mix>| own.as_ref().unwrap_or(&arguments.mix).clone();
    let pools = [
        Pool::new(&plan, Side::A, &mix(&arguments.mix_a))?,
        Pool::new(&plan, Side::B, &mix(&arguments.mix_b))?,
    ];
    if pools.iter().any(|pool| !pool.huge) {
        eprintln!("memif-load: too few huge pages of 2 MB are free: with ordinary ones");
    }
    let [a, b] = &pools;
    eprintln!("memif-load: connects to {}", arguments.socket.display());
    let interfaces = [
        Interface::new(&plan, a, b, arguments.rate_a, &arguments.socket)?,
        Interface::new(&plan, b, a, arguments.rate_b, &arguments.socket)?,
    ];
    eprintln!("memif-load: connected to {}", interfaces[0].server());
    let mut session = Session { start: Instant::now(), interfaces, watch: arguments.watch };
    if !arguments.no_learn {
        eprintln!("memif-load: {} stations speak", arguments.macs);
        session.teach(&plan)?;
    }
    if !arguments.warm_up.is_zero() {
        eprintln!("memif-load: warms up");
        session.run(arguments.warm_up)?;
    }
    for run in 1..=arguments.runs {
        eprintln!("memif-load: run {run} of {}", arguments.runs);
        let report = session.run(arguments.seconds)?;
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{}", serde_json::to_string(&report)?)?;
    }
    session.drain(Session::DRAIN);
    if arguments.hold {
        eprintln!("memif-load: done; waits for the device to end");
        while session.check().is_ok() {
            session.drain(Duration::ZERO);
            sleep(Duration::from_millis(10));
        }
    }
    Ok(())
}

struct Session<'m> {
    start: Instant,
    interfaces: [Interface<'m>; 2],
    watch: Option<Device>,
}

impl Session<'_> {
    /// When nothing has come for so long, nothing is under way any more.
    const DRAIN: Duration = Duration::from_millis(50);
    /// But a device that goes on and on is not waited for.
    const DRAINED: Duration = Duration::from_secs(1);
    /// How often the control channels are looked at.
    const LOOK: u64 = 100_000_000;
    /// Looks at a ring index cost the device, which writes it, a cache miss each: between two rounds so many pauses.
    const PAUSES: u32 = 4;

    /// Each station speaks twice: after the first time all are known, so the second reaches its partner.
    fn teach(&mut self, plan: &Plan) -> Result<()> {
        let patience = Duration::from_secs(10);
        for side in [Side::B, Side::A, Side::B, Side::A] {
            let (mut flow, mut progress) = (0, Instant::now());
            while flow < plan.flows {
                let spoke = self.interfaces[side as usize].teach(plan, flow)?;
                flow += spoke;
                if spoke > 0 {
                    progress = Instant::now();
                } else if progress.elapsed() > patience {
                    self.check()?;
                    anyhow::bail!("the device under test takes no frames from side {side:?}: does it run?");
                }
                self.interfaces.iter_mut().for_each(Interface::discard);
            }
        }
        self.drain(Duration::from_millis(200));
        Ok(())
    }

    fn check(&self) -> Result<()> {
        self.interfaces.iter().try_for_each(Interface::check)
    }

    /// What is still under way is not counted.
    fn drain(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            self.interfaces.iter_mut().for_each(Interface::discard);
            if Instant::now() >= until {
                break;
            }
            spin_loop();
        }
    }

    /// Takes what is still under way, so that what does not come then is lost.
    fn collect(&mut self) {
        let start = self.start;
        let began = Instant::now();
        let mut last = began;
        while last.elapsed() < Self::DRAIN && began.elapsed() < Self::DRAINED {
            for interface in &mut self.interfaces {
                if interface.receive(1, || start.elapsed().as_nanos() as u64) || !interface.is_through() {
                    last = Instant::now();
                }
            }
            spin_loop();
        }
    }

    fn run(&mut self, time: Duration) -> Result<Report> {
        let start = self.start;
        let clock = || start.elapsed().as_nanos() as u64;
        let watch = self.watch;
        let device_waited = || watch.map(Device::waited).transpose();
        let waited = (generator_waited()?, device_waited()?);
        let paced = self.interfaces.iter().any(Interface::is_paced);
        // to take frames one by one would move the ring's index between two caches for each
        let lot = if paced { 1 } else { 32 };

        let began = clock();
        let end = began + time.as_nanos() as u64;
        let mut gaps = Gaps::since(began);
        let mut look = began;
        for interface in &mut self.interfaces {
            interface.begin(began);
        }
        let ended = loop {
            let now = clock();
            if gaps.note(now) {
                self.interfaces.iter_mut().for_each(|interface| interface.after_gap(now));
            }
            if now >= end {
                break now;
            }
            if now >= look {
                self.check()?;
                look = now + Self::LOOK;
            }
            self.interfaces.iter_mut().for_each(|interface| interface.send(now));
            for interface in &mut self.interfaces {
                interface.receive(lot, clock);
            }
            (0..Self::PAUSES).for_each(|_| spin_loop());
        };
        if paced {
            self.collect();
        }

        let waited = Waited {
            generator: (generator_waited()? - waited.0).max(0.0),
            device: device_waited()?.zip(waited.1).map(|(after, before)| (after - before).max(0.0)),
        };
        self.report((ended - began) as f64 / 1e9, waited, gaps)
    }

    fn report(&self, seconds: f64, waited: Waited, gaps: Gaps) -> Result<Report> {
        let [a, b] = &self.interfaces;
        let latency = latency::Latency::new()?.and(&a.latency).and(&b.latency);
        let (a, b) = (&a.counts, &b.counts);
        for (side, counts) in [(Side::A, a), (Side::B, b)] {
            if let Some(bytes) = &counts.first_bad {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                eprintln!("memif-load: {} bad frames at side {side:?}; the first: {hex}", counts.bad);
            }
        }
        let by_kind = |a: &[u64; Kind::COUNT], b: &[u64; Kind::COUNT]| {
            let total = |&kind: &Kind| (kind, a[kind as usize] + b[kind as usize]);
            <Kind as clap::ValueEnum>::value_variants()
                .iter()
                .map(total)
                .filter(|(_, frames)| *frames > 0)
                .collect()
        };
        let polls = (a.polls + b.polls).max(1);
        Ok(Report {
            seconds,
            sent: PerSide { a: a.sent, b: b.sent },
            sent_by_kind: by_kind(&a.sent_by_kind, &b.sent_by_kind),
            received: PerSide { a: a.received, b: b.received },
            received_by_kind: by_kind(&a.received_by_kind, &b.received_by_kind),
            received_bytes: a.received_bytes + b.received_bytes,
            refused: PerSide { a: a.refused, b: b.refused },
            bad: a.bad + b.bad,
            own: a.own + b.own,
            extra: Extra { sent: a.asked, received: b.heard },
            starved: (a.starved + b.starved) as f64 / polls as f64,
            waited,
            gaps,
            latency_us: latency.summary(),
        })
    }
}
