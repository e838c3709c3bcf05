//! A whole file: reading it, the keys at its top, and the schema of it all.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::bridge::{self, Ports};
use crate::diagnostic::{Diagnostic, Errors, Severity};
use crate::fields::{Fields, Note, Notes};
use crate::form::{Choice, DEVICE, GROUP, LISTEN, SOCKET, Whole, device_identity};
use crate::key::{self, Described, fixed};
use crate::member::Stations;
use crate::model::{Bridge, Control, Idle, Port, Rules, Setting};
use crate::page;
use crate::tree::{Fault, Tree};

/// The largest file that is read, in bytes: 16 MiB.
pub const MAX_BYTES: usize = 16 << 20;

/// The most ports that DPDK has (RTE_MAX_ETHPORTS).
const MAX_PORTS: usize = 32;
/// The most threads that DPDK has (RTE_MAX_LCORE).
const MAX_WORKERS: usize = 128;
/// The most bridges of one process: every one has tables of its own.
const MAX_BRIDGES: usize = 128;

/// A file without errors.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// What it says.
    pub rules: Rules,
    /// What the operator should look at, in the order of the file.
    pub warnings: Vec<Diagnostic>,
    /// The file as it was read.
    pub text: String,
}

/// Reads and checks the file at `path`.
///
/// # Errors
/// The file cannot be read, is larger than [`MAX_BYTES`] or not UTF-8, or any of [`parse`]'s.
pub fn load(path: impl AsRef<Path>) -> Result<Checked, Errors> {
    let path = path.as_ref();
    let file = path.display().to_string();
    let refuse = |line, column, message, hint: &str| {
        let hint = Some(hint.to_owned()).filter(|hint| !hint.is_empty());
        let (file, path) = (file.clone(), String::new());
        Errors(vec![Diagnostic { severity: Severity::Error, file, line, column, path, message, hint }])
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| refuse(0, 0, format!("cannot be read: {error}"), ""))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
        refuse(line, column, "this byte is not UTF-8".into(), "expected a text in UTF-8")
    })?;
    parse(text, &file)
}

/// Reads and checks a text; `file` is its name for messages.
///
/// # Errors
/// All errors of the file at once, in its order (the first 1,000; then how many more). Only a text that is not YAML, is larger than
/// [`MAX_BYTES`], or uses anchors, aliases, tags or several documents has one error: where reading had to end.
pub fn parse(text: &str, file: &str) -> Result<Checked, Errors> {
    // a byte order mark, as some editors put one in front, is no part of the text
    let tree = Some(text.strip_prefix('\u{feff}').unwrap_or(text))
        .filter(|text| text.len() <= MAX_BYTES)
        .ok_or_else(Fault::too_large)
        .and_then(Tree::parse)
        .map_err(|fault| {
            Errors(vec![Diagnostic {
                severity: Severity::Error,
                file: file.to_owned(),
                line: fault.at.line,
                column: fault.at.column,
                path: String::new(),
                message: fault.message,
                hint: fault.hint,
            }])
        })?;
    let mut notes = Notes::default();
    let file_says = Fields::file(&mut notes, Some(&tree.root), whole);
    let diagnose = |severity, mut notes: Vec<Note>| -> Vec<Diagnostic> {
        notes.sort_by_key(|note| note.id);
        let place = |note: Note| {
            let at = tree.position(note.id);
            let path = tree.path(note.id);
            let path = match note.missing {
                Some(key) if path.is_empty() => key.to_owned(),
                Some(key) => format!("{path}.{key}"),
                None => path,
            };
            let (message, hint) = (note.message, note.hint);
            Diagnostic {
                severity,
                file: file.to_owned(),
                line: at.line,
                column: at.column,
                path,
                message,
                hint,
            }
        };
        notes.into_iter().map(place).collect()
    };
    let mut errors = diagnose(Severity::Error, notes.errors);
    if let (Some(last), 1..) = (errors.last(), notes.more) {
        let message = format!("and {} more errors", notes.more);
        errors.push(Diagnostic { path: String::new(), message, hint: None, ..last.clone() });
    }
    if errors.is_empty() {
        let mut rules = file_says.value;
        let mtus = rules.ports.iter().map(|port| Setting {
            path: format!("ports.{}: the MTU of its largest side", port.name),
            value: port.mtu.to_string(),
            fixed: true,
        });
        rules.settings = mtus.chain(file_says.settings).collect();
        Ok(Checked { rules, warnings: diagnose(Severity::Warning, notes.warnings), text: text.to_owned() })
    } else {
        Err(Errors(errors))
    }
}

/// All keys of the file, described.
fn keys() -> Vec<Described> {
    Fields::file(&mut Notes::describing(), None, whole).keys
}

/// JSON Schema (2020-12) of the file, for editors: every key with its meaning, form and default. It is a little wider than [`parse`], which
/// also checks what concerns several values together, and the ranges of times and rates.
pub fn schema() -> Json {
    let mut schema = key::schema(&keys());
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("sluice rules");
    schema["description"] = json!("Ports, bridges and the filter between their sides.");
    schema
}

/// The reference page of the file, in Markdown (`docs/YAML.md`): the same, and which keys a reload can change.
pub fn reference() -> String {
    page::page(&keys())
}

/// The keys at the top.
fn whole(m: &mut Fields<'_, '_>) -> Rules {
    m.required("version", Whole(1..=1u32), "The version of this format.");
    let mut devices = HashMap::new();
    let (names, mut ports): (Vec<String>, Vec<Port>) = m
        .named(fixed("ports"), 1..=MAX_PORTS, "The DPDK ports, by name.", |name, m| {
            let device = m
                .required("device", DEVICE, "A PCI address, or a DPDK virtual device with its arguments.")
                .unwrap_or_default();
            if let Some(other) =
                devices.insert(device_identity(&device), name.to_owned()).filter(|_| !device.is_empty())
            {
                let hint = "expected another device for each port; both sides of a bridge may share one port";
                m.notes.error(m.at("device"), format!("is the device of port {other} already"), hint);
            }
            (name.to_owned(), Port { name: name.to_owned(), device, mtu: 0, tags: 0 })
        })
        .into_iter()
        .unzip();
    let workers = workers(m);
    let idle = m.or(
        "idle",
        Choice(&[
            ("poll", Idle::Poll),
            ("pause", Idle::Pause),
            ("sleep", Idle::Sleep),
            ("interrupt", Idle::Interrupt),
        ]),
        Idle::default(),
        "What a worker without work does: spin, spin with pauses, sleep for microseconds, or that and then wait for the ports' receive interrupts.",
    );
    let control = m.section(fixed("control"), "The control socket.", |m| Control {
        socket: m.or("socket", SOCKET, "/run/sluice/sluice.sock".into(), "Path of the Unix socket.").into(),
        group: m.optional("group", GROUP, "none", "The group that may open it, besides root."),
    });
    let metrics = m.whole_or(fixed("metrics"), "off", false, "Where metrics are served.", |m| {
        m.required("listen", LISTEN, "Address and port.")
    });
    let (mut users, mut stations) = (Ports::new(names), Stations::default());
    let bridges: Vec<Option<Bridge>> =
        m.named("bridges", 1..=MAX_BRIDGES, "The bridges, by name.", |name, m| {
            bridge::read(name, m, &mut users, &mut stations)
        });
    stations.check(m.notes);
    let bridges: Vec<Bridge> = bridges.into_iter().flatten().collect();
    for (index, port) in ports.iter_mut().enumerate() {
        let sides = || bridges.iter().flat_map(|bridge| &bridge.sides).filter(|side| side.port == index);
        port.mtu = sides().map(|side| side.mtu).max().unwrap_or(bridge::DEFAULT_MTU);
        port.tags = sides().map(|side| side.tags.depth() as u8).max().unwrap_or(0);
        if sides().next().is_none() {
            m.notes.warn(
                m.at("ports"),
                format!("port {} has no side", port.name),
                "remove it, or give a side this port",
            );
        }
    }
    Rules { ports, workers, idle, control, metrics: metrics.flatten(), bridges, settings: Vec::new() }
}

fn workers(m: &mut Fields<'_, '_>) -> Vec<u16> {
    let help = "The cores that forward, a worker each.";
    let listed = m.list_or(fixed("workers"), MAX_WORKERS, Whole(0..=1023u16), vec![1], help);
    if m.has_nothing("workers") {
        m.notes.error(m.at("workers"), "names no core", "expected at least one, such as [1]");
    }
    let mut cores = Vec::with_capacity(listed.len());
    for (id, core) in listed {
        if cores.contains(&core) {
            m.notes.error(id, format!("core {core} is listed twice"), "expected each core once");
        }
        cores.push(core);
    }
    cores
}
