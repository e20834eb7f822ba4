//! How a person says where a tree behind a network is, and what of that is kept.
//!
//! | URL | store | credentials |
//! |---|---|---|
//! | `s3://BUCKET/PREFIX?region=…&endpoint=…` | S3 and what speaks it | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `~/.aws`, instance roles |
//! | `webdav+https://HOST/PATH`, `webdav+http://…` | `WebDAV` | `WEBDAV_USERNAME` and `WEBDAV_PASSWORD`, or `WEBDAV_TOKEN` |
//! | `sftp://USER@HOST:PORT/PATH` | SFTP | `ssh`'s keys, agent and configuration; `SFTP_KEY` names a key file |
//! | `azblob://CONTAINER/PREFIX?endpoint=…` | Azure Blob Storage | `AZURE_STORAGE_ACCOUNT_NAME`, `AZURE_STORAGE_ACCOUNT_KEY` |
//! | `gcs://BUCKET/PREFIX` | Google Cloud Storage | `GOOGLE_APPLICATION_CREDENTIALS` |
//! | `b2://BUCKET/PREFIX?bucket_id=…` | Backblaze B2 | `B2_APPLICATION_KEY_ID`, `B2_APPLICATION_KEY` |
//! | `onedrive:///PATH`, `gdrive:///PATH`, `dropbox:///PATH` | drives | `ONEDRIVE_…`, `GDRIVE_…`, `DROPBOX_…`: `ACCESS_TOKEN`, or `REFRESH_TOKEN`, `CLIENT_ID` and `CLIENT_SECRET` |
//! | `hdfs://HOST:PORT/PATH` | HDFS | Hadoop's own configuration |
//! | `memory://NAME` | nothing but memory, for as long as the program runs | |
//!
//! Credentials are in none of them: whoever writes one into a URL is told so, and it is not shown.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

use super::credentials::{may_have_credentials, shown};
use super::error::LocationError;
use super::protocol::Protocol;

/// Where a tree behind a network is. Without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteUrl {
    /// How it is spoken to.
    pub(crate) protocol: Protocol,
    /// In a box: locations are in many errors.
    url: Box<Url>,
}

impl RemoteUrl {
    /// Understands what somebody typed; `None` where it is no URL of such a store.
    pub(crate) fn parse(text: &str) -> Option<Result<RemoteUrl, LocationError>> {
        let (scheme, _) = text.split_once("://")?;
        Some(Self::parse_as(text, Protocol::of_scheme(scheme)?))
    }

    fn parse_as(text: &str, protocol: Protocol) -> Result<RemoteUrl, LocationError> {
        let spec = protocol.spec();
        let refused = || LocationError::Credentials { shown: shown(text), source_of_them: spec.credentials };
        // What was typed is not shown where it may have a password in it.
        let mut url = Url::parse(text).map_err(|error| LocationError::BadUrl(error.to_string()))?;
        let user = percent_decode_str(url.username()).decode_utf8_lossy().into_owned();
        // An old form of URLs for SFTP has parameters there: `me;password=…`.
        let has_more = user.contains([':', ';']) || !user.is_empty() && protocol != Protocol::Sftp;
        if url.password().is_some() || has_more || url.query_pairs().any(|(_, value)| may_have_credentials(&value)) {
            return Err(refused());
        }
        if url.fragment().is_some() {
            return Err(LocationError::BadUrl("a # in a name is written %23".to_owned()));
        }
        for (option, value) in url.query_pairs() {
            if !spec.options.contains(&option.as_ref()) {
                let known = if spec.options.is_empty() { "none".to_owned() } else { spec.options.join(", ") };
                // Anything else but a name may be a secret itself.
                let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                let is_shown = !value.is_empty() && option.bytes().all(is_name);
                let option = if is_shown { option.into_owned() } else { "…".to_owned() };
                return Err(LocationError::UnknownOption { option, known });
            }
        }
        let has_path = !matches!(url.path(), "" | "/");
        if spec.has_host && url.host_str().is_none_or(str::is_empty) || protocol == Protocol::Memory && has_path {
            return Err(LocationError::BadUrl(format!("write {}", spec.example)));
        }
        let host = url.host_str().unwrap_or_default();
        if [&user, &*percent_decode_str(host).decode_utf8_lossy()].iter().any(|name| name.starts_with('-')) {
            // It is handed to another program, for which it would be an option.
            return Err(LocationError::BadUrl("neither a host nor a user begins with a -".to_owned()));
        }
        // One way of writing it, so that the same place is told to be the same.
        let path = format!("/{}", url.path().trim_matches('/'));
        url.set_path(&path);
        if url.query() == Some("") {
            url.set_query(None);
        }
        Ok(RemoteUrl { protocol, url: Box::new(url) })
    }

    /// The host, or what is in its place: a bucket or container.
    pub(crate) fn host(&self) -> String {
        percent_decode_str(self.url.host_str().unwrap_or_default()).decode_utf8_lossy().into_owned()
    }

    /// The host with its port.
    pub(crate) fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The port, where one was given.
    pub(crate) fn port(&self) -> Option<u16> {
        self.url.port()
    }

    /// The user, where one was given.
    pub(crate) fn user(&self) -> Option<&str> {
        Some(self.url.username()).filter(|user| !user.is_empty())
    }

    /// `http` or `https` where it says so.
    pub(crate) fn transport(&self) -> &str {
        self.url.scheme().split_once('+').map_or("", |(_, transport)| transport)
    }

    /// The path of the root of the tree: begins with `/`, and does not end with one unless that is all.
    pub(crate) fn path(&self) -> String {
        percent_decode_str(self.url.path()).decode_utf8_lossy().into_owned()
    }

    /// What stands behind the `?` under this name.
    pub(crate) fn option(&self, name: &str) -> Option<String> {
        self.url.query_pairs().find(|(option, _)| option == name).map(|(_, value)| value.into_owned())
    }

    /// The store, whatever the path of a tree in it.
    pub(crate) fn store(&self) -> String {
        let mut store = self.url.as_ref().clone();
        store.set_path("/");
        store.into()
    }

    /// Whether both are in the same store, so that only their paths tell them apart.
    pub(crate) fn is_same_store(&self, other: &RemoteUrl) -> bool {
        self.protocol == other.protocol
            && self.authority().eq_ignore_ascii_case(&other.authority())
            && self.option("endpoint") == other.option("endpoint")
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> RemoteUrl {
        RemoteUrl::parse(text).expect("a URL of a store").unwrap()
    }

    #[test]
    fn the_parts_of_a_url_are_what_they_were_before_they_were_encoded() {
        let url = parsed("s3://my-bucket/a%20b/c d/?region=eu-1&endpoint=http://localhost:9000");
        assert_eq!((url.host().as_str(), url.path().as_str()), ("my-bucket", "/a b/c d"));
        assert_eq!(url.option("endpoint").as_deref(), Some("http://localhost:9000"));
        assert_eq!(parsed(&url.to_string()), url);
        assert_eq!(parsed("s3://bucket"), parsed("s3://bucket/"));
        assert_eq!(parsed("sftp://me@host:2222/srv").user(), Some("me"));
        assert_eq!(parsed("webdav+http://host:81/dav").transport(), "http");
        assert_eq!(parsed("onedrive:///a").path(), "/a");
    }

    #[test]
    fn credentials_are_refused_and_not_repeated() {
        for text in ["webdav+https://me:secret@host/", "s3://AKIA:secret@bucket/", "sftp://me:secret@host/"] {
            let refused = RemoteUrl::parse(text).unwrap().unwrap_err();
            assert!(matches!(refused, LocationError::Credentials { .. }), "{refused}");
            assert!(!refused.to_string().contains("secret") && !refused.to_string().contains("AKIA"));
        }
        for text in [
            "s3://b?endpoint=u:secret@host",
            "s3://b?endpoint=http:/u:secret@host",
            "s3://b?endpoint=http://u:secret@host",
            "s3://b?endpoint=http://u:secret%40host",
            "s3://b?endpoint=http://u:secret%2540host",
            "s3://b?region=u:secret@host",
            "s3://b?endpoint=http://host/?token=secret",
            "sftp://u;password=secret@h/",
            "sftp://u%3Bpassword=secret@h/",
            "sftp://u%3Asecret@h/",
            "s3://b?endpoint=http://host/%23secret",
            "s3://b?endpoint=http://host/;secret",
        ] {
            let refused = RemoteUrl::parse(text).unwrap().unwrap_err();
            assert!(matches!(refused, LocationError::Credentials { .. }), "{text}: {refused}");
            assert!(!refused.to_string().contains("secret"), "{refused}");
        }
        let refused = RemoteUrl::parse("s3://b/?secret_access_key=abc").unwrap().unwrap_err().to_string();
        assert!(refused.contains("secret_access_key") && refused.contains("endpoint") && !refused.contains("abc"));
        for text in ["s3://b/?secret", "s3://b/?password%3Dsecret=", "s3://b/?password%3Dsecret=x"] {
            let refused = RemoteUrl::parse(text).unwrap().unwrap_err().to_string();
            assert!(refused.contains('…') && !refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn a_host_that_would_be_an_option_of_ssh_is_refused() {
        for text in
            ["sftp://-oProxyCommand=id/x", "sftp://%2DoProxyCommand=id/x", "sftp://-l@host/", "sftp://%2Dl@host/"]
        {
            let refused = RemoteUrl::parse(text).unwrap().unwrap_err().to_string();
            assert!(refused.contains("begins with a -"), "{text}: {refused}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_store_is_left_to_others() {
        assert!(RemoteUrl::parse("/a/b").is_none() && RemoteUrl::parse("nfs://a/b").is_none());
        assert!(RemoteUrl::parse("s3:///prefix").unwrap().is_err());
        assert!(RemoteUrl::parse("memory://name/path").unwrap().is_err());
    }
}
