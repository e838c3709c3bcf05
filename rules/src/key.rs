//! A key of the YAML: what it is for, and what may stand there. The walk that reads a file collects this of every key; the JSON Schema
//! and the reference page are made of it.

use std::ops::RangeInclusive;

use serde_json::{Map, Value as Json, json};

use crate::form::{Form, NAME, word_values};

/// A key's name, and whether a reload can change what stands there.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// Only a restart changes it, and all under it.
    pub(crate) fixed: bool,
}

impl From<&'static str> for Key {
    fn from(name: &'static str) -> Key {
        Key { name, fixed: false }
    }
}

/// A key that only a restart changes, with all under it.
pub(crate) const fn fixed(name: &'static str) -> Key {
    Key { name, fixed: true }
}

/// A key, described.
pub(crate) struct Described {
    pub(crate) key: Key,
    /// What it is for, in a sentence or two.
    pub(crate) help: String,
    /// What holds where the key is absent; none where it must be there.
    pub(crate) absent: Option<String>,
    pub(crate) content: Content,
}

/// What may stand under a key.
pub(crate) enum Content {
    /// One value, or a list of values.
    Value {
        /// What is expected, in words.
        expected: String,
        schema: Json,
    },
    /// A mapping.
    Section(Vec<Described>),
    /// A mapping that is spoken of as one value, such as a rate with its burst; or a word in its place.
    Whole { keys: Vec<Described>, word: Option<&'static str> },
    /// So many mappings, each under a name.
    Named { keys: Vec<Described>, count: RangeInclusive<usize> },
    /// A list of mappings.
    List(Vec<Described>),
}

/// JSON Schema of a mapping with these keys.
pub(crate) fn schema(keys: &[Described]) -> Json {
    let properties: Map<String, Json> =
        keys.iter().map(|described| (described.key.name.to_owned(), described.schema())).collect();
    let required: Vec<&str> = keys
        .iter()
        .filter(|described| described.absent.is_none())
        .map(|described| described.key.name)
        .collect();
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

impl Described {
    /// JSON Schema of what may stand there.
    pub(crate) fn schema(&self) -> Json {
        let mut schema = match &self.content {
            Content::Value { schema, .. } => schema.clone(),
            Content::Section(keys) | Content::Whole { keys, word: None } => schema(keys),
            Content::Whole { keys, word: Some(word) } => {
                json!({ "anyOf": [{ "enum": word_values(word) }, schema(keys)] })
            }
            Content::Named { keys, count } => json!({
                "type": "object", "propertyNames": { "pattern": NAME.schema()["pattern"] },
                "minProperties": count.start(), "maxProperties": count.end(),
                "additionalProperties": schema(keys),
            }),
            Content::List(keys) => json!({ "type": "array", "items": schema(keys) }),
        };
        if let Content::Whole { word: Some(word), .. } = self.content
            && self.absent.as_deref() == Some(word)
        {
            schema["default"] = json!(word);
        }
        let mut description = self.help.clone();
        if let Content::Value { expected, .. } = &self.content {
            description += &format!(" Expected: {expected}.");
        }
        if self.key.fixed {
            description += " A change needs a restart.";
        }
        schema["description"] = json!(description);
        schema
    }
}
