//! The rules of each kind of destination, and where they come from.

use strum::{Display, EnumCount, EnumString, IntoStaticStr, VariantArray};

use crate::Place;
use crate::broken::{Broken, Rule};

/// What a kind of destination has against names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[derive(Display, EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case", const_into_str)]
#[strum(parse_err_ty = UnknownRuleSet, parse_err_fn = UnknownRuleSet::new)]
pub enum RuleSet {
    /// An ordinary file system of Linux: names of 255 bytes, any byte but NUL and `/`; `path_resolution`(7), `NAME_MAX` in
    /// limits.h. Paths have no limit, since they are opened in steps.
    #[default]
    Linux,
    /// APFS on macOS: valid UTF-8, names of 255 UTF-16 units, paths of 1 023 bytes; preserves case and normalisation, and
    /// ignores both when it looks names up. "Frequently Asked Questions" of the Apple File System Guide, Apple File System
    /// Reference (`j_drec_hashed_key_t`), `PATH_MAX` in sys/syslimits.h.
    Macos,
    /// Windows, with any file system that it is usually installed on, and its usual limit for paths (`MAX_PATH`, 260 with a
    /// drive in front and a NUL behind): "Naming Files, Paths, and Namespaces" and "Maximum Path Length Limitation" at
    /// learn.microsoft.com. Folds case one UTF-16 unit for one, and does not normalise.
    Windows,
    /// NTFS that is mounted elsewhere: the names of [`RuleSet::Windows`], which has to read them one day, and paths of any
    /// length.
    Ntfs,
    /// FAT with long names, and exFAT: "FAT: General Overview of On-Disk Format" (fatgen103) and "exFAT file system
    /// specification", section 7.7.3, both of Microsoft; device names as on Windows, which such media are for.
    Fat,
    /// `OneDrive` and `SharePoint` in Microsoft 365: "Restrictions and limitations in `OneDrive` and `SharePoint`" at
    /// support.microsoft.com; that names cannot end in a dot is in "Addressing resources in a drive on `OneDrive`" at
    /// learn.microsoft.com. The path is the one below the destination: what is above it counts against the 400 as well.
    Onedrive,
    /// Amazon S3: "Naming Amazon S3 objects" in its User Guide. Keys of 1 024 bytes of UTF-8 as a whole; control characters,
    /// which the XML of a listing cannot have; `.` and `..` between slashes.
    S3,
    /// Google Cloud Storage: "About Cloud Storage objects", section "Object names". Otherwise as [`RuleSet::S3`].
    Gcs,
    /// The portable filename character set of POSIX: IEEE Std 1003.1, Base Definitions, 3.265, and no hyphen in front
    /// (3.170 and 4.8); lengths are `_XOPEN_NAME_MAX` and `_XOPEN_PATH_MAX` of limits.h, not the 14 bytes of
    /// `_POSIX_NAME_MAX`.
    PosixPortable,
}

/// A limit of length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// The greatest that is allowed.
    pub max: usize,
    /// Of what.
    pub unit: Unit,
}

/// What a length is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes of the name as it is, which is UTF-8 where it is text.
    Bytes,
    /// UTF-16 code units. A byte that is not valid UTF-8 counts as one.
    Utf16,
}

impl Unit {
    /// How long a name, or a path, is.
    pub fn length_of(self, name: &[u8]) -> usize {
        if self == Unit::Bytes || name.is_ascii() {
            return name.len();
        }
        name.utf8_chunks().map(|chunk| chunk.valid().encode_utf16().count() + chunk.invalid().len()).sum()
    }
}

/// How a destination looks at case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// `a` and `A` are two names.
    Kept,
    /// They are one, and each character stands for one: `ß` and `ss` are two.
    Simple,
    /// They are one, and so are `ß` and `ss`.
    Full,
}

/// The rules of a set, as far as they are data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    is_forbidden: fn(char) -> bool,
    must_be_text: bool,
    beginnings: &'static [char],
    ends: &'static [char],
    has_devices: bool,
    pub(crate) name_max: Option<Length>,
    pub(crate) path_max: Option<Length>,
    pub(crate) case: Case,
    pub(crate) normalises: bool,
}

/// Names that are devices on Windows, with any extension.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// What the names of serial and parallel ports end with. The superscript digits count as well.
const PORT_DIGITS: [char; 13] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '¹', '²', '³'];

impl RuleSet {
    /// All of them.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.first_chunk().expect("as many as are counted");

    /// The word for it on the command line.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    pub(crate) const fn rules(self) -> Rules {
        const fn bytes(max: usize) -> Length {
            Length { max, unit: Unit::Bytes }
        }
        const fn utf16(max: usize) -> Length {
            Length { max, unit: Unit::Utf16 }
        }
        const NONE: Rules = Rules {
            is_forbidden: is_separator,
            must_be_text: false,
            beginnings: &[],
            ends: &[],
            has_devices: false,
            name_max: None,
            path_max: None,
            case: Case::Kept,
            normalises: false,
        };
        const MICROSOFT: Rules = Rules {
            is_forbidden: is_forbidden_by_microsoft,
            must_be_text: true,
            ends: &['.', ' '],
            has_devices: true,
            name_max: Some(utf16(255)),
            case: Case::Simple,
            ..NONE
        };
        const OBJECTS: Rules =
            Rules { is_forbidden: is_not_in_xml, must_be_text: true, path_max: Some(bytes(1024)), ..NONE };
        match self {
            RuleSet::Linux => Rules { name_max: Some(bytes(255)), ..NONE },
            RuleSet::Macos => Rules {
                must_be_text: true,
                name_max: Some(utf16(255)),
                path_max: Some(bytes(1023)),
                case: Case::Full,
                normalises: true,
                ..NONE
            },
            // Of 260, there is a NUL at the end and `C:\` at the beginning.
            RuleSet::Windows => Rules { path_max: Some(utf16(256)), ..MICROSOFT },
            RuleSet::Ntfs | RuleSet::Fat => MICROSOFT,
            RuleSet::Onedrive => Rules {
                beginnings: &[' '],
                path_max: Some(utf16(400)),
                case: Case::Full,
                normalises: true,
                ..MICROSOFT
            },
            RuleSet::S3 | RuleSet::Gcs => OBJECTS,
            RuleSet::PosixPortable => Rules {
                is_forbidden: is_not_portable,
                must_be_text: true,
                beginnings: &['-'],
                name_max: Some(bytes(255)),
                path_max: Some(bytes(1023)),
                ..NONE
            },
        }
    }

    /// Names of no more bytes are all taken, if there is such a number: all but those that are names nowhere (`.`, `..`, and
    /// what has a `/` or a NUL in it).
    pub fn takes_all_up_to(self) -> Option<usize> {
        match self {
            RuleSet::Linux => self.rules().name_max.map(|length| length.max),
            RuleSet::Macos
            | RuleSet::Windows
            | RuleSet::Ntfs
            | RuleSet::Fat
            | RuleSet::Onedrive
            | RuleSet::S3
            | RuleSet::Gcs
            | RuleSet::PosixPortable => None,
        }
    }

    /// The greatest length of a path below the destination, without a slash in front.
    pub fn path_max(self) -> Option<Length> {
        self.rules().path_max
    }

    /// Whether this character must not be in a name.
    pub fn forbids(self, character: char) -> bool {
        (self.rules().is_forbidden)(character)
    }

    /// All that a name is at odds with by itself, wherever it is; that leaves the length of its path and its twins.
    pub fn check(self, name: &[u8], place: Place) -> Broken {
        let rules = self.rules();
        let mut broken = Broken::default();
        if rules.name_max.is_some_and(|length| length.unit.length_of(name) > length.max) {
            broken.add(Rule::NameLength);
        }
        let text = std::str::from_utf8(name);
        if text.is_err() && rules.must_be_text {
            broken.add(Rule::Encoding);
        }
        let mut chunks = name.utf8_chunks();
        if chunks.any(|chunk| chunk.valid().chars().any(rules.is_forbidden)) {
            broken.add(Rule::Character);
        }
        // What these are about is ASCII, and in every text of which it is part.
        let text = text.map_or_else(|_| String::from_utf8_lossy(name), Into::into);
        let text = text.as_ref();
        if self.reserves(text, place) {
            broken.add(Rule::Reserved);
        } else {
            if text.starts_with(rules.beginnings) {
                broken.add(Rule::Beginning);
            }
            if text.ends_with(rules.ends) {
                broken.add(Rule::End);
            }
        }
        broken
    }

    /// Whether a name must not be used as a whole.
    pub(crate) fn reserves(self, name: &str, place: Place) -> bool {
        matches!(name, "" | "." | "..")
            || self.rules().has_devices && is_device(name)
            || self == RuleSet::Onedrive && is_reserved_by_onedrive(name, place)
    }

    pub(crate) fn ends(self) -> &'static [char] {
        self.rules().ends
    }

    pub(crate) fn beginnings(self) -> &'static [char] {
        self.rules().beginnings
    }
}

fn is_separator(character: char) -> bool {
    matches!(character, '\0' | '/')
}

fn is_forbidden_by_microsoft(character: char) -> bool {
    character < ' ' || matches!(character, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*')
}

/// `Char` in section 2.2 of XML 1.0; of the control characters that it has, one is changed on the way and the others are
/// advised against.
fn is_not_in_xml(character: char) -> bool {
    character < ' ' || matches!(character, '/' | '\u{7f}' | '\u{fffe}' | '\u{ffff}')
}

fn is_not_portable(character: char) -> bool {
    !(character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-'))
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end_matches(' ');
    if DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device)) {
        return true;
    }
    let mut characters = stem.chars();
    let (last, rest) = (characters.next_back(), characters.as_str());
    last.is_some_and(|last| PORT_DIGITS.contains(&last))
        && (rest.eq_ignore_ascii_case("COM") || rest.eq_ignore_ascii_case("LPT"))
}

fn is_reserved_by_onedrive(name: &str, place: Place) -> bool {
    let lower = name.to_ascii_lowercase();
    matches!(lower.as_str(), ".lock" | "desktop.ini")
        || lower.contains("_vti_")
        || lower.starts_with("~$")
        || place.is_folder && (lower.starts_with('~') || place.is_in_root && lower == "forms")
}

/// A text that names no set of rules.
#[derive(Debug, thiserror::Error)]
#[error("there are no rules called {0:?}: choose one of {all}", all = RuleSet::ALL.map(RuleSet::as_str).join(", "))]
pub struct UnknownRuleSet(String);

impl UnknownRuleSet {
    fn new(text: &str) -> Self {
        UnknownRuleSet(text.to_owned())
    }
}
