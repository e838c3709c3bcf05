//! A YAML text as a tree of values, each with its place in the text.
//!
//! serde_yaml reads the values; it has no places for them. saphyr-parser walks the same text and has: both meet the
//! nodes in the order of the text, so the n-th value belongs to the n-th place. Where the two do not see the same nodes, the
//! text is refused: what two readers of YAML understand differently is nothing to build a filter on.

use std::fmt;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Deeper than any key of the contract lies, and far from either reader's stack.
const MAX_DEPTH: usize = 24;
/// Room for 100,000 members with every key given.
const MAX_NODES: usize = 2_000_000;

/// Line and column, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl From<&Marker> for Position {
    fn from(marker: &Marker) -> Position {
        Position { line: marker.line().max(1), column: marker.col() + 1 }
    }
}

impl From<serde_yaml::Location> for Position {
    fn from(place: serde_yaml::Location) -> Position {
        Position { line: place.line(), column: place.column() }
    }
}

/// The text is not YAML, or more of YAML than a rules file may use.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) at: Position,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Fault {
    fn new(at: Position, message: impl Into<String>) -> Fault {
        Fault { at, message: message.into(), hint: None }
    }

    /// The text is larger than is read.
    pub(crate) fn too_large() -> Fault {
        Fault::new(Position { line: 1, column: 1 }, "the file is too large").hint("expected at most 16 MiB")
    }

    /// The text is not YAML: `what`, a reader says, unless a tab in the indentation led there.
    fn syntax(text: &str, at: Position, what: &str) -> Fault {
        match tab_before(text, at) {
            Some(tab) => Fault::new(tab, "not YAML: a tab in the indentation").hint("expected spaces"),
            None => Fault::new(at, format!("not YAML: {}", printable(what.chars()))),
        }
    }

    fn hint(self, hint: &str) -> Fault {
        Fault { hint: Some(hint.into()), ..self }
    }
}

/// The first tab in the indentation of the line of `at`, if nothing but indentation is before `at`.
fn tab_before(text: &str, at: Position) -> Option<Position> {
    let text = text.replace("\r\n", "\n");
    let line = text.split(['\n', '\r']).nth(at.line.checked_sub(1)?)?;
    let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
    let tab = Position { line: at.line, column: line.find('\t')? + 1 };
    (tab.column <= indentation && at.column <= indentation + 1).then_some(tab)
}

/// Which node: its number in the order of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(usize);

/// A node and its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: Id,
    pub(crate) value: Value,
}

/// A value as YAML's core schema has it.
#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// As it was written, since it may be a MAC address or a name (`9439`), and its value if it is a whole number.
    Number(String, Option<u64>),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The text as it was written, of what can be one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) | Value::Number(text, _) => Some(text),
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
        }
    }
}

impl fmt::Display for Node {
    /// What stands there, for a message: short, and harmless to a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Null => f.write_str("nothing"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Number(text, _) => f.write_str(&shown(text)),
            Value::Text(text) => write!(f, "\"{}\"", shown(text)),
            Value::List(_) => f.write_str("a list"),
            Value::Map(_) => f.write_str("a mapping"),
        }
    }
}

/// A text of the file for a message: cut at 60 characters.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = printable(text.chars().take(60));
    if text.chars().nth(60).is_some() {
        shown.push_str("...");
    }
    shown
}

/// What is harmless to a terminal stays as it is.
fn printable(text: impl Iterator<Item = char>) -> String {
    text.fold(String::new(), |mut shown, c| {
        match c {
            '\'' | '"' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
        shown
    })
}

/// A whole text.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) root: Node,
    positions: Vec<Position>,
}

impl Tree {
    /// Reads a text: one document, no anchors, aliases or tags, of bounded depth and size.
    pub(crate) fn parse(text: &str) -> Result<Tree, Fault> {
        let marks = marks(text)?;
        let positions: Vec<Position> = marks.iter().map(|mark| mark.at).collect();
        let Some(&last) = positions.last() else {
            return Err(Fault::new(Position { line: 1, column: 1 }, "the file is empty")
                .hint("expected at least version, ports and bridges"));
        };
        let count = marks.len();
        let mut rest = marks.into_iter().enumerate();
        let root =
            Seed(&mut rest).deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|error| {
                let near = positions.get(count - rest.len()).copied().unwrap_or(last);
                let at = error.location().map_or(near, Position::from);
                let message = error.to_string();
                let message = message.split(" at line ").next().unwrap_or(&message);
                Fault::syntax(text, at, message)
            })?;
        match rest.next() {
            Some((_, mark)) => Err(Fault::new(mark.at, "this YAML can be read in two ways")),
            None => Ok(Tree { root, positions }),
        }
    }

    /// Where a node begins.
    pub(crate) fn position(&self, id: Id) -> Position {
        self.positions[id.0]
    }

    /// The way from the root to a node: `bridges.wix.members[3].mac`. Found when asked for: few nodes ever need it.
    pub(crate) fn path(&self, id: Id) -> String {
        let mut path = String::new();
        let mut node = &self.root;
        while node.id < id {
            match &node.value {
                Value::Map(entries) => {
                    let after = entries.partition_point(|(key, _)| key.id <= id);
                    let Some((key, value)) = after.checked_sub(1).and_then(|index| entries.get(index)) else {
                        break;
                    };
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&shown(key.text().unwrap_or("?")));
                    node = value;
                }
                Value::List(items) => {
                    let after = items.partition_point(|item| item.id <= id);
                    let Some(index) = after.checked_sub(1) else { break };
                    path.push_str(&format!("[{index}]"));
                    node = &items[index];
                }
                Value::Null | Value::Bool(_) | Value::Number(..) | Value::Text(_) => break,
            }
        }
        path
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Scalar,
    List,
    Map,
}

/// What saphyr-parser knows of a node.
struct Mark {
    at: Position,
    kind: Kind,
    /// The text of a plain scalar, the only one that may be a number.
    plain: Option<String>,
}

fn marks(text: &str) -> Result<Vec<Mark>, Fault> {
    let mut marks = Vec::new();
    let (mut depth, mut documents) = (0, 0);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let tab = refused_by_libyaml(text, error.marker()).filter(|at| tab_before(text, *at).is_some());
            Fault::syntax(text, tab.unwrap_or(error.marker().into()), error.info())
        })?;
        let at = Position::from(&span.start);
        let (kind, plain, anchor, tag) = match event {
            Event::Scalar(text, ScalarStyle::Plain, anchor, tag) => {
                (Kind::Scalar, Some(text.into_owned()), anchor, tag)
            }
            Event::Scalar(_, _, anchor, tag) => (Kind::Scalar, None, anchor, tag),
            Event::SequenceStart(anchor, tag) => (Kind::List, None, anchor, tag),
            Event::MappingStart(anchor, tag) => (Kind::Map, None, anchor, tag),
            Event::Alias(_) => {
                return Err(Fault::new(at, "an alias (*name) is not allowed").hint("write the value out"));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                depth -= 1;
                continue;
            }
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(
                        Fault::new(at, "a second document begins here").hint("expected one document a file")
                    );
                }
                continue;
            }
            Event::DocumentEnd | Event::StreamStart | Event::StreamEnd | Event::Nothing => continue,
        };
        if anchor != 0 {
            return Err(Fault::new(at, "an anchor (&name) is not allowed")
                .hint("write the value out where it is used"));
        }
        if tag.is_some() {
            return Err(Fault::new(at, "a tag (!name) is not allowed").hint("write the value alone"));
        }
        if kind != Kind::Scalar {
            depth += 1;
            if depth > MAX_DEPTH {
                return Err(Fault::new(at, format!("nested deeper than {MAX_DEPTH} levels")));
            }
        }
        if marks.len() == MAX_NODES {
            return Err(Fault::new(at, format!("more than {MAX_NODES} values in one file")));
        }
        marks.push(Mark { at, kind, plain });
    }
    Ok(marks)
}

/// Where libyaml (in serde_yaml) refuses a text that saphyr-parser refuses at `mark`, which is not where a tab is that indents: for one
/// that follows a scalar it is where the scalar begins, lines before; for one after enough spaces it is the next line that
/// has none. Little beyond is read, since libyaml's time grows with the square of the nesting.
fn refused_by_libyaml(text: &str, mark: &Marker) -> Option<Position> {
    let near: String = text.chars().take(mark.index() + 4096).collect();
    serde_yaml::from_str::<IgnoredAny>(&near).err()?.location().map(Position::from)
}

type Marks = std::iter::Enumerate<std::vec::IntoIter<Mark>>;

/// Gives the next value the next place.
struct Seed<'m>(&'m mut Marks);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Node, D::Error> {
        let (id, mark) = self.0.next().ok_or_else(|| D::Error::custom("it can be read in two ways"))?;
        let value = from.deserialize_any(NodeVisitor { mark, rest: self.0 })?;
        Ok(Node { id: Id(id), value })
    }
}

struct NodeVisitor<'m> {
    mark: Mark,
    rest: &'m mut Marks,
}

impl NodeVisitor<'_> {
    fn is<E: serde::de::Error>(&self, kind: Kind) -> Result<(), E> {
        if self.mark.kind == kind { Ok(()) } else { Err(E::custom("it can be read in two ways")) }
    }

    fn number<E: serde::de::Error>(self, whole: Option<u64>) -> Result<Value, E> {
        self.is(Kind::Scalar)?;
        Ok(Value::Number(self.mark.plain.unwrap_or_default(), whole))
    }
}

impl<'de> Visitor<'de> for NodeVisitor<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        self.is(Kind::Scalar)?;
        Ok(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        self.is(Kind::Scalar)?;
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.number(Some(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.number(u64::try_from(value).ok())
    }

    fn visit_u128<E: serde::de::Error>(self, _: u128) -> Result<Value, E> {
        self.number(None)
    }

    fn visit_i128<E: serde::de::Error>(self, _: i128) -> Result<Value, E> {
        self.number(None)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Value, E> {
        self.number(None)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.is(Kind::Scalar)?;
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        self.is(Kind::List)?;
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(Seed(self.rest))? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    /// All entries, those with the same key too: which are duplicates is said with their places, not guessed away.
    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        self.is(Kind::Map)?;
        let mut entries = Vec::new();
        while let Some(key) = from.next_key_seed(Seed(self.rest))? {
            entries.push((key, from.next_value_seed(Seed(self.rest))?));
        }
        Ok(Value::Map(entries))
    }
}
