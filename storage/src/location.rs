//! Locations: how a person says where a tree is.
//!
//! | text | is |
//! |---|---|
//! | `spectra:WORLD?config=FILE` | a world of the embedded simulator; without `config`, `configs/spectra.json` |
//! | `spectra+http://HOST:PORT/WORLD` | a world of a simulator that is served somewhere |
//! | `s3://…`, `webdav+https://…`, `sftp://…` and more | a tree behind a network: see [`RemoteUrl`] |
//! | anything else | a path of this machine (`./spectra:x` is a path, too) |

mod credentials;
mod error;
mod protocol;
mod remote_url;
mod served_world;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

pub(crate) use credentials::may_have_credentials;
pub use credentials::without_credentials;
pub use error::LocationError;
pub(crate) use protocol::{Protocol, Traits};
pub(crate) use remote_url::RemoteUrl;
pub use served_world::ServedWorld;

/// The configuration that a `spectra:` location without one refers to.
const DEFAULT_SPECTRA_CONFIG: &str = "configs/spectra.json";

/// Where a tree is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A folder of this machine.
    Local(PathBuf),
    /// A world of the embedded simulator.
    Spectra {
        /// The world.
        world: String,
        /// The simulator's configuration file.
        config: PathBuf,
    },
    /// A world of a simulator that is served over HTTP.
    ServedSpectra(ServedWorld),
    /// A tree behind a network.
    Remote(RemoteUrl),
}

impl Location {
    /// Understands what somebody typed.
    pub fn parse(text: &str) -> Result<Location, LocationError> {
        if text.is_empty() {
            return Err(LocationError::Empty);
        }
        if let Some(rest) = text.strip_prefix("spectra:") {
            let (world, config) = match rest.split_once("?config=") {
                Some((world, config)) => (world, config),
                None => (rest, DEFAULT_SPECTRA_CONFIG),
            };
            if !is_world_name(world) || config.is_empty() {
                return Err(LocationError::BadSpectra(credentials::shown(text)));
            }
            return Ok(Location::Spectra { world: world.to_owned(), config: PathBuf::from(config) });
        }
        if let Some(networked) = Self::parse_networked(text) {
            return networked;
        }
        match text.split_once("://") {
            Some((scheme, _)) if !scheme.is_empty() && scheme.chars().all(is_scheme_character) => {
                return Err(LocationError::UnknownScheme(credentials::shown(text), scheme.to_owned()));
            }
            _ => {}
        }
        if let Some(shown) = credentials::without_credentials_at_host(text) {
            return Err(LocationError::UserAtHost(shown));
        }
        match text.split_once(':').and_then(|(scheme, _)| Protocol::scheme(scheme)) {
            Some(scheme) => Err(LocationError::NoSlashes { scheme }),
            None => Ok(Location::Local(PathBuf::from(text))),
        }
    }

    /// The location that prints as `text`: the other direction of [`Location::to_string`].
    pub fn from_recorded(text: &str) -> Result<Location, LocationError> {
        // A URL is printed as it is, and a path that is recorded begins with a slash.
        if let Some(networked) = Self::parse_networked(text) {
            return networked;
        }
        let bytes = longhaul_model::decode_name(text).map_err(|_| LocationError::NotRecorded(text.to_owned()))?;
        // A world's name has nothing in it that is printed differently, so what is decoded is a path in either case.
        let decoded = os_string(bytes);
        if text.starts_with("spectra:") {
            let decoded = decoded.into_string().map_err(|_| LocationError::NotRecorded(text.to_owned()))?;
            return Location::parse(&decoded);
        }
        Ok(Location::Local(PathBuf::from(decoded)))
    }

    fn parse_networked(text: &str) -> Option<Result<Location, LocationError>> {
        ServedWorld::parse(text)
            .map(|served| served.map(Location::ServedSpectra))
            .or_else(|| RemoteUrl::parse(text).map(|remote| remote.map(Location::Remote)))
    }

    /// The same place with all paths absolute and free of links, so that it means the same from any working folder.
    pub fn canonical(&self) -> std::io::Result<Location> {
        Ok(match self {
            Location::Local(path) => Location::Local(path.canonicalize()?),
            Location::Spectra { world, config } => {
                Location::Spectra { world: world.clone(), config: config.canonicalize()? }
            }
            Location::ServedSpectra(_) | Location::Remote(_) => self.clone(),
        })
    }

    /// How two places lie to each other, if they have anything in common. Both must be canonical.
    pub fn overlap(&self, other: &Location) -> Option<Overlap> {
        match (self, other) {
            (mine, theirs) if mine == theirs => Some(Overlap::Same),
            (Location::Local(mine), Location::Local(theirs)) => overlap_of_paths(mine, theirs),
            (Location::Remote(mine), Location::Remote(theirs)) if mine.is_same_store(theirs) => {
                overlap_of_paths(Path::new(&mine.path()), Path::new(&theirs.path()))
            }
            (
                Location::Local(_) | Location::Spectra { .. } | Location::ServedSpectra(_) | Location::Remote(_),
                Location::Local(_) | Location::Spectra { .. } | Location::ServedSpectra(_) | Location::Remote(_),
            ) => None,
        }
    }
}

fn overlap_of_paths(mine: &Path, theirs: &Path) -> Option<Overlap> {
    if mine == theirs {
        Some(Overlap::Same)
    } else if mine.starts_with(theirs) {
        Some(Overlap::Inside)
    } else if theirs.starts_with(mine) {
        Some(Overlap::Around)
    } else {
        None
    }
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// How one place lies to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// They are the same.
    Same,
    /// The first one is inside the second one.
    Inside,
    /// The second one is inside the first one.
    Around,
}

/// Whether a world may be called so: as in the simulator's configuration. Such a name is printed as it is.
fn is_world_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn is_scheme_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '+' | '-' | '.')
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Local(path) => f.write_str(&longhaul_model::encode_name(path.as_os_str().as_encoded_bytes())),
            Location::Spectra { world, config } => {
                write!(f, "spectra:{world}?config=")?;
                f.write_str(&longhaul_model::encode_name(config.as_os_str().as_encoded_bytes()))
            }
            Location::ServedSpectra(served) => served.fmt(f),
            Location::Remote(url) => url.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(path: &str) -> Location {
        Location::Local(PathBuf::from(path))
    }

    #[test]
    fn paths_and_worlds_are_told_apart() {
        assert_eq!(Location::parse("a/b"), Ok(local("a/b")));
        assert_eq!(Location::parse("./spectra:x"), Ok(local("./spectra:x")));
        assert_eq!(
            Location::parse("C://odd name"),
            Err(LocationError::UnknownScheme("C://odd name".into(), "C".into()))
        );
        assert_eq!(
            Location::parse("spectra:s1?config=x.json"),
            Ok(Location::Spectra { world: "s1".into(), config: "x.json".into() })
        );
        for wrong in [
            "spectra:",
            "spectra:?config=x",
            "spectra:a?config=",
            "spectra:a?world=b",
            // They would be printed as something else, and read back as another world.
            "spectra:a\u{1b}[2J",
            r"spectra:a\n?config=x",
            "spectra:a b",
        ] {
            assert!(matches!(Location::parse(wrong), Err(LocationError::BadSpectra(_))), "{wrong}");
        }
    }

    #[test]
    fn a_location_is_read_back_from_how_it_is_recorded() {
        let odd: OsString = std::os::unix::ffi::OsStringExt::from_vec(b"/caf\xe9 \\ \n spectra:".to_vec());
        let texts = [r"spectra:s1?config=/a\b.json", r"s3://bucket/a\b", r"azblob://c/p?endpoint=a\/b"];
        let parsed = texts.map(|text| Location::parse(text).unwrap());
        for location in [Location::Local(PathBuf::from(odd))].into_iter().chain(parsed) {
            assert_eq!(Location::from_recorded(&location.to_string()), Ok(location));
        }
    }

    #[test]
    fn inside_goes_by_components_and_not_by_letters() {
        assert_eq!(local("/a/b").overlap(&local("/a")), Some(Overlap::Inside));
        assert_eq!(local("/a").overlap(&local("/a/b")), Some(Overlap::Around));
        assert_eq!(local("/a").overlap(&local("/a")), Some(Overlap::Same));
        assert_eq!(local("/ab").overlap(&local("/a")), None);
    }
}
