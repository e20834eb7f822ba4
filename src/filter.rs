//! What is left out of the source, as it was typed.

use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use longhaul_actors::read_rules;
use longhaul_ledger::{Condition, FilterRule};
use longhaul_model::encode_name;

use crate::cli::FilterArguments;

/// A filter file has no more than this, in bytes: all rules are kept in the ledger, and in memory.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// All rules in the order in which they count: those of files, those given by themselves, and limits, which nothing
/// takes back.
pub(crate) fn rules(arguments: &FilterArguments) -> anyhow::Result<Vec<FilterRule>> {
    let mut rules = Vec::new();
    for file in &arguments.filter_from {
        rules.extend(from_file(file)?);
    }
    rules.extend(arguments.filter.iter().map(|text| FilterRule { from: "--filter".to_owned(), text: text.clone() }));
    let depth = arguments.max_depth.map(|depth| depth.to_string());
    for (option, given, test) in [
        ("--max-size", &arguments.max_size, "kind = file and size >"),
        ("--min-size", &arguments.min_size, "kind = file and size <"),
        ("--max-age", &arguments.max_age, "kind = file and modified <"),
        ("--min-age", &arguments.min_age, "kind = file and modified >"),
        ("--max-depth", &depth, "depth >"),
    ] {
        let Some(value) = given else { continue };
        let condition = format!("{test} \"{}\"", value.replace('"', "\"\""));
        let condition = Condition::parse(&condition).map_err(|error| anyhow!("{option}: {}", error.message))?;
        rules.push(FilterRule { from: option.to_owned(), text: format!("where: {condition}") });
    }
    Ok(rules)
}

fn from_file(path: &Path) -> anyhow::Result<Vec<FilterRule>> {
    let name = encode_name(path.as_os_str().as_bytes());
    let mut contents = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut contents))
        .with_context(|| format!("the filter file {name} cannot be read"))?;
    if contents.len() as u64 > FILE_BYTES_MAX {
        bail!("the filter file {name} has more than {FILE_BYTES_MAX} bytes");
    }
    Ok(read_rules(&name, &contents)?)
}
