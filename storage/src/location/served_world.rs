//! How a person says which world of which server.

use std::fmt;

use url::Url;

use super::error::LocationError;
use super::is_world_name;

/// A world of a simulator that is served over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedWorld {
    /// The server, without a slash at its end: `http://127.0.0.1:8086`.
    pub server: String,
    /// The world.
    pub world: String,
}

impl ServedWorld {
    /// A world of the server at an `http://` URL.
    pub fn new(server: &str, world: &str) -> Result<Self, LocationError> {
        let wrong = |why: &str| LocationError::BadUrl(format!("{why}: write spectra+http://HOST:PORT/WORLD"));
        let url = Url::parse(server).map_err(|error| wrong(&error.to_string()))?;
        let has_more = url.query().is_some() || url.fragment().is_some() || url.path() != "/";
        if url.scheme() != "http" || has_more || !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("a server is a host and a port"));
        }
        if !is_world_name(world) {
            return Err(wrong("a world has a name of letters, digits, _ and -"));
        }
        Ok(ServedWorld { server: url.as_str().trim_end_matches('/').to_owned(), world: world.to_owned() })
    }

    /// Understands what somebody typed; `None` where it is something else.
    pub(crate) fn parse(text: &str) -> Option<Result<Self, LocationError>> {
        let rest = text.strip_prefix("spectra+http://")?;
        let (server, world) = rest.split_once('/').unwrap_or((rest, ""));
        Some(ServedWorld::new(&format!("http://{server}"), world.trim_end_matches('/')))
    }
}

impl fmt::Display for ServedWorld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spectra+{}/{}", self.server, self.world)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_of_a_server_is_read_back_from_how_it_is_written() {
        let served = ServedWorld::parse("spectra+http://LOCALHOST:8086/s1/").unwrap().unwrap();
        assert_eq!(served, ServedWorld::new("http://localhost:8086/", "s1").unwrap());
        assert_eq!(served.to_string(), "spectra+http://localhost:8086/s1");
        assert_eq!(ServedWorld::parse(&served.to_string()).unwrap(), Ok(served));
        assert!(ServedWorld::parse("spectra:s1").is_none() && ServedWorld::parse("http://a/s1").is_none());
    }

    #[test]
    fn what_is_not_complete_or_has_more_is_refused() {
        for wrong in ["", "a:1", "a:1/", "a:1/s1/b", "a:1/s1?x=1", "me:secret@a:1/s1", "/s1", "a:port/s1"] {
            let refused = ServedWorld::parse(&format!("spectra+http://{wrong}")).unwrap().unwrap_err().to_string();
            assert!(refused.contains("spectra+http://HOST:PORT/WORLD"), "{wrong}: {refused}");
            assert!(!refused.contains("secret"), "{refused}");
        }
    }
}
