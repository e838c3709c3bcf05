//! Reads the keys of a mapping one by one, noting every error on the way.
//!
//! A value that is missing or wrong is noted and stands in as its default, so that reading goes on and finds what else
//! is wrong; no rules are made of a file with an error. The keys that were asked for are the keys that are known: others are
//! errors. The same walk over no file describes the keys instead: that is the schema.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use serde_json::{Map, Value as Json, json};

use crate::form::{Form, NAME, Wrong, is_word, word_values};
use crate::tree::{Id, Node, Value, shown};

/// More are not read by anyone; a hostile file could hold millions.
const MAX_NOTES: usize = 1_000;

/// Something to say about a node.
pub(crate) struct Note {
    pub(crate) id: Id,
    /// The key that the node lacks, if it lacks one.
    pub(crate) missing: Option<&'static str>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// What has been noted so far.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) errors: Vec<Note>,
    pub(crate) warnings: Vec<Note>,
    /// Errors beyond the first [`MAX_NOTES`].
    pub(crate) more: usize,
    /// The walk is for the schema.
    describing: bool,
}

impl Notes {
    pub(crate) fn describing() -> Notes {
        Notes { describing: true, ..Notes::default() }
    }

    /// How many errors there are so far.
    pub(crate) fn count(&self) -> usize {
        self.errors.len() + self.more
    }

    fn push(&mut self, note: Note) {
        if self.errors.len() < MAX_NOTES {
            self.errors.push(note);
        } else {
            self.more += 1;
        }
    }

    /// Notes an error about a node.
    pub(crate) fn error(&mut self, id: Option<Id>, message: impl Into<String>, hint: impl Into<String>) {
        if let Some(id) = id {
            self.push(Note { id, missing: None, message: message.into(), hint: Some(hint.into()) });
        }
    }

    /// Notes a warning about a node.
    pub(crate) fn warn(&mut self, id: Option<Id>, message: impl Into<String>, hint: impl Into<String>) {
        if let Some(id) = id.filter(|_| self.warnings.len() < MAX_NOTES) {
            self.warnings.push(Note { id, missing: None, message: message.into(), hint: Some(hint.into()) });
        }
    }

    fn wrong(&mut self, id: Id, wrong: Wrong) {
        self.error(Some(id), wrong.message, wrong.hint);
    }

    /// The entries of a mapping with plain keys, each once.
    fn entries<'t>(&mut self, node: &'t Node) -> Option<Vec<(&'t str, &'t Node, &'t Node)>> {
        let Value::Map(entries) = &node.value else {
            self.wrong(node.id, Wrong::found(node, "a mapping"));
            return None;
        };
        let mut seen = HashSet::with_capacity(entries.len());
        let mut plain = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match key.text() {
                None => self.wrong(key.id, Wrong::found(key, "a key")),
                Some(text) if !seen.insert(text) => {
                    self.error(Some(key.id), "given twice", "expected each key once");
                }
                Some(text) => plain.push((text, key, value)),
            }
        }
        Some(plain)
    }
}

/// The word of `known` that `word` is a slip of, if there is one.
pub(crate) fn meant<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // What is far longer than any key is no slip of one, and the time would grow with it.
    let known = known.into_iter().filter(|_| word.len() <= 40);
    let near = |name: &'k str| {
        let slips = strsim::osa_distance(word, name);
        (slips <= 1.max(name.len() / 3)).then_some((slips, name))
    };
    known.filter_map(near).min().map(|(_, name)| name)
}

/// "did you mean", or else what there is.
pub(crate) fn suggest<'k>(word: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    match meant(word, known.clone()) {
        Some(name) => format!("did you mean {name}?"),
        None => format!("expected one of: {}", known.into_iter().take(40).collect::<Vec<_>>().join(", ")),
    }
}

/// The values of a list without their places.
pub(crate) fn values<T>(listed: Vec<(Id, T)>) -> Vec<T> {
    listed.into_iter().map(|(_, value)| value).collect()
}

/// The keys of one mapping.
pub(crate) struct Fields<'n, 't> {
    /// Where everything is noted.
    pub(crate) notes: &'n mut Notes,
    /// The mapping; none where it is absent and all is default, and in the walk for the schema.
    node: Option<&'t Node>,
    entries: Vec<(&'t str, &'t Node, &'t Node)>,
    known: Vec<&'static str>,
    properties: Map<String, Json>,
    required: Vec<&'static str>,
}

impl<'t> Fields<'_, 't> {
    /// Reads a mapping with `read`; then what `read` did not ask for is unknown. Also the mapping's schema.
    pub(crate) fn of<T>(
        notes: &mut Notes,
        node: Option<&'t Node>,
        read: impl FnOnce(&mut Fields<'_, 't>) -> T,
    ) -> (T, Json) {
        let entries = node.and_then(|node| notes.entries(node));
        let mut fields = Fields {
            notes,
            node: node.filter(|_| entries.is_some()),
            entries: entries.unwrap_or_default(),
            known: Vec::new(),
            properties: Map::new(),
            required: Vec::new(),
        };
        let value = read(&mut fields);
        let known = std::mem::take(&mut fields.known);
        for (text, key, _) in &fields.entries {
            if !known.contains(text) {
                fields.notes.error(Some(key.id), "unknown key", suggest(text, known.iter().copied()));
            }
        }
        if !fields.notes.describing {
            return (value, Json::Null);
        }
        let mut schema =
            json!({ "type": "object", "additionalProperties": false, "properties": fields.properties });
        if !fields.required.is_empty() {
            schema["required"] = json!(fields.required);
        }
        (value, schema)
    }

    /// The node of a key's value, or of this mapping where the key is absent; none where this mapping is absent too.
    pub(crate) fn at(&self, key: &str) -> Option<Id> {
        self.find(key).or(self.node).map(|node| node.id)
    }

    /// This mapping's node; none where it is absent.
    pub(crate) fn here(&self) -> Option<Id> {
        self.node.map(|node| node.id)
    }

    /// Whether the key is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// Whether the key is there with an empty list.
    pub(crate) fn has_nothing(&self, key: &str) -> bool {
        self.find(key).is_some_and(|node| matches!(&node.value, Value::List(items) if items.is_empty()))
    }

    fn find(&self, key: &str) -> Option<&'t Node> {
        self.entries.iter().find(|(text, ..)| *text == key).map(|(_, _, value)| *value)
    }

    /// Takes note of a key, and finds its value.
    fn ask(&mut self, key: &'static str) -> Option<&'t Node> {
        self.known.push(key);
        self.find(key)
    }

    fn require(&mut self, key: &'static str) {
        self.required.push(key);
        if let Some(node) = self.node.filter(|_| !self.has(key)) {
            let hint = Some(format!("expected a key {key} here"));
            self.notes.push(Note { id: node.id, missing: Some(key), message: "missing".into(), hint });
        }
    }

    fn describe(&mut self, key: &'static str, help: &str, schema: impl FnOnce() -> Json) {
        if self.notes.describing {
            let mut schema = schema();
            schema["description"] = json!(help);
            self.properties.insert(key.into(), schema);
        }
    }

    fn read<F: Form>(&mut self, node: &'t Node, form: &F) -> Option<F::Value> {
        form.read(node).map_err(|wrong| self.notes.wrong(node.id, wrong)).ok()
    }

    /// A value that need not be there.
    pub(crate) fn optional<F: Form>(&mut self, key: &'static str, form: F, help: &str) -> Option<F::Value> {
        self.describe(key, help, || form.schema());
        let node = self.ask(key)?;
        self.read(node, &form)
    }

    /// A value that must be there.
    pub(crate) fn required<F: Form>(&mut self, key: &'static str, form: F, help: &str) -> Option<F::Value> {
        self.require(key);
        self.optional(key, form, help)
    }

    /// A value with a default.
    pub(crate) fn or<F: Form>(
        &mut self,
        key: &'static str,
        form: F,
        default: F::Value,
        help: &str,
    ) -> F::Value {
        self.describe(key, help, || {
            let mut schema = form.schema();
            schema["default"] = form.show(&default);
            schema
        });
        self.ask(key).and_then(|node| self.read(node, &form)).unwrap_or(default)
    }

    fn items(&mut self, key: &'static str) -> &'t [Node] {
        match self.ask(key) {
            None => &[],
            Some(Node { value: Value::List(items), .. }) => items,
            Some(node) => {
                self.notes.wrong(node.id, Wrong::found(node, "a list, [] if there is none"));
                &[]
            }
        }
    }

    /// A list of at most `most` values; absent, it is empty.
    pub(crate) fn list<F: Form>(
        &mut self,
        key: &'static str,
        most: usize,
        form: F,
        help: &str,
    ) -> Vec<(Id, F::Value)> {
        self.describe(key, help, || json!({ "type": "array", "maxItems": most, "items": form.schema() }));
        let items = self.items(key);
        if items.len() > most {
            let found = format!("{} given", items.len());
            self.notes.error(self.at(key), found, format!("expected at most {most}"));
        }
        items.iter().take(most).filter_map(|item| Some((item.id, self.read(item, &form)?))).collect()
    }

    /// A list of mappings; absent, it is empty.
    pub(crate) fn mappings<T>(
        &mut self,
        key: &'static str,
        help: &str,
        mut read: impl FnMut(&mut Fields<'_, 't>) -> T,
    ) -> Vec<T> {
        if self.notes.describing {
            let (_, schema) = Fields::of(self.notes, None, &mut read);
            self.describe(key, help, || json!({ "type": "array", "items": schema }));
        }
        self.items(key).iter().map(|item| Fields::of(self.notes, Some(item), &mut read).0).collect()
    }

    /// A mapping within this one; absent, all in it is default.
    pub(crate) fn section<T>(
        &mut self,
        key: &'static str,
        help: &str,
        read: impl FnOnce(&mut Fields<'_, 't>) -> T,
    ) -> T {
        let node = self.ask(key);
        let (value, schema) = Fields::of(self.notes, node, read);
        self.describe(key, help, || schema);
        value
    }

    /// A mapping within this one that must be there.
    pub(crate) fn required_section<T>(
        &mut self,
        key: &'static str,
        help: &str,
        read: impl FnOnce(&mut Fields<'_, 't>) -> T,
    ) -> T {
        self.require(key);
        self.section(key, help, read)
    }

    /// A mapping within this one, or `word` in its place; absent, it is as `on` says.
    pub(crate) fn section_or<T>(
        &mut self,
        key: &'static str,
        word: &str,
        on: bool,
        help: &str,
        read: impl FnOnce(&mut Fields<'_, 't>) -> T,
    ) -> Option<T> {
        let node = self.ask(key);
        if node.is_some_and(|node| is_word(node, word)) || (node.is_none() && !on && !self.notes.describing) {
            return None;
        }
        if let Some(node) = node.filter(|node| !matches!(node.value, Value::Map(_))) {
            self.notes.wrong(node.id, Wrong::found(node, format!("a mapping, or {word}")));
            return None;
        }
        let (value, schema) = Fields::of(self.notes, node, read);
        self.describe(key, help, || {
            let mut either = json!({ "anyOf": [{ "enum": word_values(word) }, schema] });
            if !on {
                either["default"] = json!(word);
            }
            either
        });
        Some(value)
    }

    /// A mapping from names, which must be there, to mappings.
    pub(crate) fn named<T>(
        &mut self,
        key: &'static str,
        count: RangeInclusive<usize>,
        help: &str,
        mut read: impl FnMut(&str, &mut Fields<'_, 't>) -> T,
    ) -> Vec<T> {
        self.require(key);
        if self.notes.describing {
            let (_, schema) = Fields::of(self.notes, None, |fields| read("", fields));
            let (least, most) = (*count.start(), *count.end());
            self.describe(key, help, || {
                json!({
                    "type": "object", "propertyNames": { "pattern": NAME.schema()["pattern"] },
                    "minProperties": least, "maxProperties": most, "additionalProperties": schema,
                })
            });
        }
        let Some(node) = self.ask(key) else { return Vec::new() };
        let Some(entries) = self.notes.entries(node) else { return Vec::new() };
        if !count.contains(&entries.len()) {
            let (least, most) = (count.start(), count.end());
            let expected =
                if least == most { format!("exactly {least}") } else { format!("{least} to {most}") };
            self.notes.error(
                Some(node.id),
                format!("{} given", entries.len()),
                format!("expected {expected}"),
            );
        }
        let mut values = Vec::with_capacity(entries.len());
        for (name, key, value) in entries {
            // A name that is none stands in messages from here on: short, and harmless to a terminal.
            let name = shown(name);
            if let Err(wrong) = NAME.read(key) {
                self.notes.error(Some(key.id), format!("\"{name}\" is no name"), wrong.hint);
            }
            values.push(Fields::of(self.notes, Some(value), |fields| read(&name, fields)).0);
        }
        values
    }
}
