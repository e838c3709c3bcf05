//! Reads the keys of a mapping one by one, noting every error on the way.
//!
//! A value that is missing or wrong is noted and stands in as its default, so that reading goes on and finds what else
//! is wrong; no rules are made of a file with an error. The keys that were asked for are the keys that are known: others are
//! errors. Each value is also kept as a [`Setting`], under its key's path: so whatever is read is compared when rules are
//! reloaded. The same walk over no file describes the keys instead: that is the schema.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use serde_json::json;

use crate::form::{Form, NAME, Wrong, is_word};
use crate::key::{Content, Described, Key};
use crate::model::Setting;
use crate::tree::{Id, Node, Value, shown};

/// Errors kept, and warnings kept: nobody reads more, and a hostile file could cause millions.
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
pub(crate) fn values<T>(listed: Vec<(Option<Id>, T)>) -> Vec<T> {
    listed.into_iter().map(|(_, value)| value).collect()
}

/// The keys of one mapping.
pub(crate) struct Fields<'n, 't> {
    /// Where everything is noted.
    pub(crate) notes: &'n mut Notes,
    /// The mapping; none where it is absent and all is default, and in the walk that describes.
    node: Option<&'t Node>,
    entries: Vec<(&'t str, &'t Node, &'t Node)>,
    known: Vec<&'static str>,
    /// What has been read, by its path within the mapping; none in a list of mappings, which are known by no path.
    settings: Option<Vec<Setting>>,
    described: Vec<Described>,
}

/// What came out of a mapping.
pub(crate) struct Mapping<T> {
    pub(crate) value: T,
    /// What it says, for comparing.
    pub(crate) settings: Vec<Setting>,
    /// Its keys, where they are described.
    pub(crate) keys: Vec<Described>,
}

impl<'t> Fields<'_, 't> {
    /// Reads a whole file with `read`.
    pub(crate) fn file<T>(
        notes: &mut Notes,
        root: Option<&'t Node>,
        read: impl FnOnce(&mut Fields<'_, 't>) -> T,
    ) -> Mapping<T> {
        Fields::of(notes, root, Some(Vec::new()), read)
    }

    /// Reads a mapping with `read`; then what `read` did not ask for is unknown.
    fn of<T>(
        notes: &mut Notes,
        node: Option<&'t Node>,
        settings: Option<Vec<Setting>>,
        read: impl FnOnce(&mut Fields<'_, 't>) -> T,
    ) -> Mapping<T> {
        let entries = node.and_then(|node| notes.entries(node));
        let mut fields = Fields {
            notes,
            node: node.filter(|_| entries.is_some()),
            entries: entries.unwrap_or_default(),
            known: Vec::new(),
            settings,
            described: Vec::new(),
        };
        let value = read(&mut fields);
        let known = std::mem::take(&mut fields.known);
        for (text, key, _) in &fields.entries {
            if !known.contains(text) {
                fields.notes.error(Some(key.id), "unknown key", suggest(text, known.iter().copied()));
            }
        }
        Mapping { value, settings: fields.settings.unwrap_or_default(), keys: fields.described }
    }

    /// Reads a mapping under a key of this one.
    fn within<T>(
        &mut self,
        node: Option<&'t Node>,
        read: impl FnOnce(&mut Fields<'_, 't>) -> T,
    ) -> Mapping<T> {
        let settings = self.settings.as_ref().map(|_| Vec::new());
        Fields::of(self.notes, node, settings, read)
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
    fn ask(&mut self, key: Key) -> Option<&'t Node> {
        self.known.push(key.name);
        self.find(key.name)
    }

    /// Notes it if a key that must be there is not.
    fn require(&mut self, key: Key) {
        let key = key.name;
        if let Some(node) = self.node.filter(|_| !self.has(key)) {
            let hint = Some(format!("expected a key {key} here"));
            self.notes.push(Note { id: node.id, missing: Some(key), message: "missing".into(), hint });
        }
    }

    fn describe(&mut self, key: Key, absent: Option<&str>, help: &str, content: impl FnOnce() -> Content) {
        if self.notes.describing {
            let (help, absent) = (help.to_owned(), absent.map(str::to_owned));
            self.described.push(Described { key, help, absent, content: content() });
        }
    }

    /// Keeps what a key says, for comparing.
    fn keep(&mut self, key: Key, value: impl FnOnce() -> String) {
        if let Some(settings) = &mut self.settings {
            settings.push(Setting { path: key.name.to_owned(), value: value(), fixed: key.fixed });
        }
    }

    /// Keeps what a mapping under a key says, or under a name of a key.
    fn keep_all(&mut self, key: Key, under: &str, within: Vec<Setting>) {
        if let Some(settings) = &mut self.settings {
            settings.extend(within.into_iter().map(|setting| Setting {
                path: format!("{under}.{}", setting.path),
                fixed: key.fixed || setting.fixed,
                ..setting
            }));
        }
    }

    fn read<F: Form>(&mut self, node: &'t Node, form: &F) -> Option<F::Value> {
        form.read(node).map_err(|wrong| self.notes.wrong(node.id, wrong)).ok()
    }

    fn value<F: Form>(&mut self, key: Key, form: &F, absent: Option<&str>, help: &str) -> Option<F::Value> {
        self.describe(key, absent, help, || Content::Value {
            expected: form.expected(),
            schema: form.schema(),
        });
        let value = self.ask(key).and_then(|node| self.read(node, form));
        self.keep(key, || match &value {
            Some(value) => form.say(value),
            None => absent.unwrap_or_default().to_owned(),
        });
        value
    }

    /// A value that need not be there: then it is as `absent` says.
    pub(crate) fn optional<F: Form>(
        &mut self,
        key: impl Into<Key>,
        form: F,
        absent: &str,
        help: &str,
    ) -> Option<F::Value> {
        self.value(key.into(), &form, Some(absent), help)
    }

    /// A value that must be there.
    pub(crate) fn required<F: Form>(&mut self, key: impl Into<Key>, form: F, help: &str) -> Option<F::Value> {
        let key = key.into();
        self.require(key);
        self.value(key, &form, None, help)
    }

    /// A value with a default.
    pub(crate) fn or<F: Form>(
        &mut self,
        key: impl Into<Key>,
        form: F,
        default: F::Value,
        help: &str,
    ) -> F::Value {
        let key = key.into();
        self.describe(key, Some(&form.say(&default)), help, || {
            let mut schema = form.schema();
            schema["default"] = form.show(&default);
            Content::Value { expected: form.expected(), schema }
        });
        let value = self.ask(key).and_then(|node| self.read(node, &form)).unwrap_or(default);
        self.keep(key, || form.say(&value));
        value
    }

    fn items(&mut self, key: Key) -> Option<&'t [Node]> {
        match self.ask(key)? {
            Node { value: Value::List(items), .. } => Some(items),
            node => {
                self.notes.wrong(node.id, Wrong::found(node, "a list, [] if there is none"));
                None
            }
        }
    }

    /// A list of at most `most` values; absent, it is empty.
    pub(crate) fn list<F: Form>(
        &mut self,
        key: impl Into<Key>,
        most: usize,
        form: F,
        help: &str,
    ) -> Vec<(Option<Id>, F::Value)> {
        self.list_or(key, most, form, Vec::new(), help)
    }

    /// A list of at most `most` values, with a default.
    pub(crate) fn list_or<F: Form>(
        &mut self,
        key: impl Into<Key>,
        most: usize,
        form: F,
        default: Vec<F::Value>,
        help: &str,
    ) -> Vec<(Option<Id>, F::Value)> {
        let key = key.into();
        let default: Vec<(Option<Id>, F::Value)> = default.into_iter().map(|value| (None, value)).collect();
        let say = |values: &[(Option<Id>, F::Value)]| {
            let said: Vec<String> = values.iter().map(|(_, value)| form.say(value)).collect();
            if said.is_empty() { "none".to_owned() } else { said.join(", ") }
        };
        self.describe(key, Some(&say(&default)), help, || {
            let mut schema = json!({ "type": "array", "maxItems": most, "items": form.schema() });
            if !default.is_empty() {
                schema["default"] = default.iter().map(|(_, value)| form.show(value)).collect();
            }
            let expected = format!("a list of at most {most}, each {}", form.expected());
            Content::Value { expected, schema }
        });
        let values = match self.items(key) {
            None => default,
            Some(items) => {
                if items.len() > most {
                    let found = format!("{} given", items.len());
                    self.notes.error(self.at(key.name), found, format!("expected at most {most}"));
                }
                let read = |item: &'t Node| Some((Some(item.id), self.read(item, &form)?));
                items.iter().take(most).filter_map(read).collect()
            }
        };
        self.keep(key, || say(&values));
        values
    }

    /// A list of mappings; absent, it is empty. What changes in it is not found by comparing settings.
    pub(crate) fn mappings<T>(
        &mut self,
        key: impl Into<Key>,
        help: &str,
        mut read: impl FnMut(&mut Fields<'_, 't>) -> T,
    ) -> Vec<T> {
        let key = key.into();
        if self.notes.describing {
            let keys = Fields::of(self.notes, None, None, &mut read).keys;
            self.describe(key, Some("none"), help, || Content::List(keys));
        }
        let items = self.items(key).unwrap_or_default();
        items.iter().map(|item| Fields::of(self.notes, Some(item), None, &mut read).value).collect()
    }

    /// A mapping within this one; absent, all in it is default.
    pub(crate) fn section<T>(
        &mut self,
        key: impl Into<Key>,
        help: &str,
        read: impl FnOnce(&mut Fields<'_, 't>) -> T,
    ) -> T {
        self.any_section(key.into(), Some(""), help, read)
    }

    /// A mapping within this one that must be there.
    pub(crate) fn required_section<T>(
        &mut self,
        key: impl Into<Key>,
        help: &str,
        read: impl FnOnce(&mut Fields<'_, 't>) -> T,
    ) -> T {
        let key = key.into();
        self.require(key);
        self.any_section(key, None, help, read)
    }

    fn any_section<T>(
        &mut self,
        key: Key,
        absent: Option<&str>,
        help: &str,
        read: impl FnOnce(&mut Fields<'_, 't>) -> T,
    ) -> T {
        let node = self.ask(key);
        let Mapping { value, settings, keys } = self.within(node, read);
        self.describe(key, absent, help, || Content::Section(keys));
        self.keep_all(key, key.name, settings);
        value
    }

    /// A mapping within this one that is spoken of as one value, such as a rate with its burst; absent, all in it is default.
    pub(crate) fn whole<T>(
        &mut self,
        key: impl Into<Key>,
        help: &str,
        read: impl FnOnce(&mut Fields<'_, 't>) -> T,
    ) -> T {
        let key = key.into();
        let node = self.ask(key);
        let Mapping { value, settings, keys } = self.within(node, read);
        self.describe(key, Some(""), help, || Content::Whole { keys, word: None });
        self.keep(key, || as_one(&settings));
        value
    }

    /// The same, or `word` in its place; absent, it is as `on` says.
    pub(crate) fn whole_or<T>(
        &mut self,
        key: impl Into<Key>,
        word: &'static str,
        on: bool,
        help: &str,
        read: impl FnOnce(&mut Fields<'_, 't>) -> T,
    ) -> Option<T> {
        let key = key.into();
        let node = self.ask(key);
        let absent = if on { "" } else { word };
        if node.is_some_and(|node| is_word(node, word)) || (node.is_none() && !on && !self.notes.describing) {
            self.keep(key, || word.to_owned());
            return None;
        }
        if let Some(node) = node.filter(|node| !matches!(node.value, Value::Map(_))) {
            self.notes.wrong(node.id, Wrong::found(node, format!("a mapping, or {word}")));
            return None;
        }
        let Mapping { value, settings, keys } = self.within(node, read);
        self.describe(key, Some(absent), help, || Content::Whole { keys, word: Some(word) });
        self.keep(key, || as_one(&settings));
        Some(value)
    }

    /// A mapping from names, which must be there, to mappings.
    pub(crate) fn named<T>(
        &mut self,
        key: impl Into<Key>,
        count: RangeInclusive<usize>,
        help: &str,
        mut read: impl FnMut(&str, &mut Fields<'_, 't>) -> T,
    ) -> Vec<T> {
        let key = key.into();
        self.require(key);
        if self.notes.describing {
            let keys = self.within(None, |fields| read("", fields)).keys;
            self.describe(key, None, help, || Content::Named { keys, count: count.clone() });
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
        for (name, label, value) in entries {
            // A name that is none stands in messages from here on: short, and harmless to a terminal.
            let name = shown(name);
            if let Err(wrong) = NAME.read(label) {
                self.notes.error(Some(label.id), format!("\"{name}\" is no name"), wrong.hint);
            }
            let Mapping { value, settings, .. } = self.within(Some(value), |fields| read(&name, fields));
            self.keep_all(key, &format!("{}.{name}", key.name), settings);
            values.push(value);
        }
        values
    }
}

/// What a mapping says as one value: its first value, then each other after its key, as in `50/s burst 300`.
fn as_one(settings: &[Setting]) -> String {
    settings.iter().fold(String::new(), |said, setting| match said.as_str() {
        "" => setting.value.clone(),
        _ => format!("{said} {} {}", setting.path, setting.value),
    })
}
