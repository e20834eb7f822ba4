//! What a database is tied to: everything that shapes the generated tree, since records are relative to it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::Config;

/// The fields that shape the tree, by their paths, with their values as JSON.
pub(super) fn fingerprint(config: &Config) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    if let Ok(Value::Object(seed)) = serde_json::to_value(&config.seed) {
        for (name, value) in seed {
            // Where the database is may change: people move it.
            if name != "db_path" {
                fields.insert(format!("seed.{name}"), value);
            }
        }
    }
    for (world, probability) in &config.secondary_tables {
        fields.insert(format!("secondary_tables.{world}"), Value::from(*probability));
    }
    fields
}

/// The first field that differs, with its two values; `null` for one that is missing.
pub(super) fn first_difference(
    stored: &BTreeMap<String, Value>,
    configured: &BTreeMap<String, Value>,
) -> Option<(String, Value, Value)> {
    let value = |fields: &BTreeMap<String, Value>, name: &str| fields.get(name).cloned().unwrap_or(Value::Null);
    stored
        .keys()
        .chain(configured.keys())
        .find(|name| stored.get(*name) != configured.get(*name))
        .map(|name| (name.clone(), value(stored, name), value(configured, name)))
}
