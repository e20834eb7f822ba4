//! What somebody chooses of how files are copied, before it is settled as [`CopySettings`].

use longhaul_model::VerifyLevel;
use strum::VariantArray;

use crate::migration::{CopyDurability, CopySettings};

/// What somebody chose of how files are copied; `None` where nothing was said.
///
/// With the feature `cli` these are arguments of the command line, so that an option has no other form between what was
/// typed and [`CopySettings`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct CopyChoices {
    /// When to flush copied data to disk [default: batch]
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    pub durability: Option<CopyDurability>,

    /// Take a checksum (BLAKE3) of each file while it is copied [default: on]
    #[cfg_attr(feature = "cli", arg(long, value_name = "SWITCH", value_parser = cli::switch()))]
    pub checksum: Option<bool>,

    /// What else to preserve, beside contents, times and permissions
    #[cfg_attr(feature = "cli", arg(long, value_enum, value_delimiter = ',', value_name = "WHAT"))]
    pub preserve: Option<Vec<Preserve>>,

    /// Keep folders with nothing in them also where folders come with what is in them, as in a bucket: by an object
    /// whose key ends with a slash
    #[cfg_attr(feature = "cli", arg(long = "keep-empty-folders", num_args = 0, default_missing_value = "true"))]
    pub empty_folders: Option<bool>,

    /// Copy files from this size on in parts, in MiB [default: 64]
    // In bytes, once it has been read.
    #[cfg_attr(feature = "cli", arg(long, value_name = "MIB", value_parser = cli::mebibytes()))]
    pub large_from: Option<u64>,

    /// How thoroughly to verify the destination in the end, where that is chosen before anything is copied.
    #[cfg_attr(feature = "cli", arg(skip))]
    pub verify_level: Option<VerifyLevel>,
}

/// What can be preserved beside contents, times and permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Preserve {
    /// User and group.
    Owner,
    /// Extended attributes, access control lists among them.
    Xattrs,
    /// Several names of one file.
    HardLinks,
    /// Holes in files.
    Sparse,
}

impl CopyChoices {
    /// The settings that these choices result in, on top of `before`.
    pub fn on_top_of(&self, before: CopySettings) -> CopySettings {
        let CopyChoices { durability, checksum, preserve, empty_folders, large_from, verify_level } = self;
        let mut settings = CopySettings {
            durability: durability.unwrap_or(before.durability),
            checksum: checksum.unwrap_or(before.checksum),
            empty_folders: empty_folders.unwrap_or(before.empty_folders),
            large_from: large_from.unwrap_or(before.large_from),
            verify_level: verify_level.or(before.verify_level),
            ..before
        };
        if let Some(preserve) = preserve {
            for what in Preserve::VARIANTS {
                *settings.preserved(*what) = preserve.contains(what);
            }
        }
        settings
    }
}

impl From<CopySettings> for CopyChoices {
    /// Chooses exactly these, but for what was measured, which is nobody's choice.
    fn from(mut settings: CopySettings) -> Self {
        let is_preserved = |what: &Preserve| *settings.preserved(*what);
        CopyChoices {
            preserve: Some(Preserve::VARIANTS.iter().copied().filter(is_preserved).collect()),
            durability: Some(settings.durability),
            checksum: Some(settings.checksum),
            empty_folders: Some(settings.empty_folders),
            large_from: Some(settings.large_from),
            verify_level: settings.verify_level,
        }
    }
}

impl CopySettings {
    fn preserved(&mut self, what: Preserve) -> &mut bool {
        match what {
            Preserve::Owner => &mut self.owner,
            Preserve::Xattrs => &mut self.extended,
            Preserve::HardLinks => &mut self.hard_links,
            Preserve::Sparse => &mut self.holes,
        }
    }
}

/// How what is typed is read.
#[cfg(feature = "cli")]
mod cli {
    use clap::builder::{PossibleValuesParser, RangedU64ValueParser, TypedValueParser};

    pub(super) fn switch() -> impl TypedValueParser<Value = bool> {
        PossibleValuesParser::new(["on", "off"]).map(|word| word == "on")
    }

    pub(super) fn mebibytes() -> impl TypedValueParser<Value = u64> {
        RangedU64ValueParser::<u64>::new().range(1..=1 << 30).map(|mib| mib << 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_chosen_stays_as_it_was() {
        let before = CopySettings { owner: true, large_from: 7, time_step_ns: Some(2), ..CopySettings::default() };
        assert_eq!(CopyChoices::default().on_top_of(before), before);
        let preserve = Some(vec![Preserve::Sparse]);
        let after = CopyChoices { preserve, checksum: Some(false), ..CopyChoices::default() }.on_top_of(before);
        assert_eq!(after, CopySettings { owner: false, holes: true, checksum: false, ..before });
    }

    #[test]
    fn settings_can_be_chosen_again() {
        let settings =
            CopySettings { extended: true, hard_links: true, empty_folders: true, ..CopySettings::default() };
        assert_eq!(CopyChoices::from(settings).on_top_of(CopySettings { owner: true, ..settings }), settings);
    }
}
