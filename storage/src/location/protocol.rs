//! The protocols of remote storage: one row each.
//!
//! To add one that OpenDAL has: a variant and its row here, its client and settings in `remote/service.rs`, and a feature in
//! `Cargo.toml`.

use longhaul_naming::RuleSet;

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// S3 and what speaks it.
    S3,
    /// `WebDAV`, over HTTP or HTTPS.
    Webdav,
    /// SFTP.
    Sftp,
    /// Azure Blob Storage.
    Azblob,
    /// Google Cloud Storage.
    Gcs,
    /// `OneDrive`.
    Onedrive,
    /// Google Drive.
    Gdrive,
    /// Dropbox.
    Dropbox,
    /// Backblaze B2.
    B2,
    /// HDFS.
    HdfsNative,
    /// Memory of this process.
    Memory,
}

/// What is known of a protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProtocolSpec {
    /// The schemes of its URLs.
    pub(super) schemes: &'static [&'static str],
    /// What may be behind the `?` of its URLs.
    pub(super) options: &'static [&'static str],
    /// There is a host, or a bucket, in its URLs.
    pub(super) has_host: bool,
    /// A URL of it, for error messages.
    pub(super) example: &'static str,
    /// Where credentials come from.
    pub(crate) credentials: &'static str,
    /// The feature of this crate that a build needs for it.
    pub(crate) feature: &'static str,
    /// A missing root can be created; buckets and containers are created by whoever pays for them.
    pub(crate) makes_roots: bool,
    /// How its stores behave.
    pub(crate) traits: Traits,
}

/// How stores of a protocol behave, besides what their client says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "a protocol may have any of them without the others")]
pub(crate) struct Traits {
    /// A write is seen as soon as it begins, so that it has to go by another name first.
    pub(crate) writes_in_place: bool,
    /// Folders exist on their own, and not as the beginning of keys.
    pub(crate) has_folders: bool,
    /// The listing of a folder has the folder itself in it, and one without it means that there is no such folder.
    pub(crate) lists_itself: bool,
    /// Times of files are kept beside them, and not reported by listings.
    pub(crate) keeps_times_beside: bool,
    /// Resolution of the times in listings, in nanoseconds.
    pub(crate) time_resolution_ns: u64,
    /// A server may send a request elsewhere. Not where requests are signed: a signature is for one address.
    pub(crate) follows_redirects: bool,
    /// Names that it rejects.
    pub(crate) names: RuleSet,
}

/// A store of objects in buckets or containers, under keys.
const BUCKET: ProtocolSpec = ProtocolSpec {
    schemes: &[],
    options: &[],
    has_host: true,
    example: "",
    credentials: "",
    feature: "",
    makes_roots: false,
    traits: Traits {
        writes_in_place: false,
        has_folders: false,
        lists_itself: false,
        keeps_times_beside: true,
        time_resolution_ns: 1,
        follows_redirects: false,
        names: RuleSet::S3,
    },
};

/// A drive in the cloud, which knows folders and whose it is.
const DRIVE: ProtocolSpec = ProtocolSpec {
    has_host: false,
    traits: Traits {
        has_folders: true,
        keeps_times_beside: false,
        time_resolution_ns: 1_000_000_000,
        follows_redirects: true,
        names: RuleSet::Linux,
        ..BUCKET.traits
    },
    ..BUCKET
};

/// A file server.
const SERVER: ProtocolSpec = ProtocolSpec {
    has_host: true,
    makes_roots: true,
    traits: Traits { writes_in_place: true, ..DRIVE.traits },
    ..DRIVE
};

impl Protocol {
    const ALL: [Protocol; 11] = [
        Protocol::S3,
        Protocol::Webdav,
        Protocol::Sftp,
        Protocol::Azblob,
        Protocol::Gcs,
        Protocol::Onedrive,
        Protocol::Gdrive,
        Protocol::Dropbox,
        Protocol::B2,
        Protocol::HdfsNative,
        Protocol::Memory,
    ];

    /// The protocol whose URLs have this scheme.
    pub(super) fn of_scheme(scheme: &str) -> Option<Protocol> {
        let scheme = Self::scheme(scheme)?;
        Self::ALL.into_iter().find(|protocol| protocol.spec().schemes.contains(&scheme))
    }

    /// A scheme as the protocol that has it writes it.
    pub(super) fn scheme(scheme: &str) -> Option<&'static str> {
        let mut schemes = Self::ALL.into_iter().flat_map(|protocol| protocol.spec().schemes);
        schemes.find(|known| scheme.eq_ignore_ascii_case(known)).copied()
    }

    /// Its row.
    pub(crate) const fn spec(self) -> &'static ProtocolSpec {
        match self {
            Protocol::S3 => &ProtocolSpec {
                schemes: &["s3"],
                options: &["region", "endpoint", "anonymous", "virtual-hosts", "storage-class", "encryption"],
                example: "s3://BUCKET/PREFIX",
                credentials: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials",
                feature: "s3",
                ..BUCKET
            },
            Protocol::Webdav => &ProtocolSpec {
                schemes: &["webdav+https", "webdav+http"],
                example: "webdav+https://HOST/PATH",
                credentials: "WEBDAV_USERNAME and WEBDAV_PASSWORD, or WEBDAV_TOKEN",
                feature: "webdav",
                traits: Traits { lists_itself: true, ..SERVER.traits },
                ..SERVER
            },
            Protocol::Sftp => &ProtocolSpec {
                schemes: &["sftp"],
                example: "sftp://USER@HOST/PATH",
                credentials: "ssh's keys or agent",
                feature: "sftp",
                ..SERVER
            },
            Protocol::Azblob => &ProtocolSpec {
                schemes: &["azblob"],
                options: &["endpoint"],
                example: "azblob://CONTAINER/PREFIX",
                credentials: "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
                feature: "azblob",
                ..BUCKET
            },
            Protocol::Gcs => &ProtocolSpec {
                schemes: &["gcs"],
                options: &["endpoint", "anonymous"],
                example: "gcs://BUCKET/PREFIX",
                credentials: "GOOGLE_APPLICATION_CREDENTIALS",
                feature: "gcs",
                traits: Traits { names: RuleSet::Gcs, ..BUCKET.traits },
                ..BUCKET
            },
            Protocol::Onedrive => &ProtocolSpec {
                schemes: &["onedrive"],
                example: "onedrive:///PATH",
                credentials: "ONEDRIVE_ACCESS_TOKEN, or ONEDRIVE_REFRESH_TOKEN",
                feature: "onedrive",
                traits: Traits { names: RuleSet::Onedrive, ..DRIVE.traits },
                ..DRIVE
            },
            Protocol::Gdrive => &ProtocolSpec {
                schemes: &["gdrive"],
                example: "gdrive:///PATH",
                credentials: "GDRIVE_ACCESS_TOKEN, or GDRIVE_REFRESH_TOKEN",
                feature: "gdrive",
                ..DRIVE
            },
            Protocol::Dropbox => &ProtocolSpec {
                schemes: &["dropbox"],
                example: "dropbox:///PATH",
                credentials: "DROPBOX_ACCESS_TOKEN, or DROPBOX_REFRESH_TOKEN",
                feature: "dropbox",
                ..DRIVE
            },
            Protocol::B2 => &ProtocolSpec {
                schemes: &["b2"],
                options: &["bucket_id"],
                example: "b2://BUCKET/PREFIX?bucket_id=ID",
                credentials: "B2_APPLICATION_KEY_ID and B2_APPLICATION_KEY",
                feature: "b2",
                ..BUCKET
            },
            Protocol::HdfsNative => &ProtocolSpec {
                schemes: &["hdfs"],
                example: "hdfs://HOST:PORT/PATH",
                credentials: "Hadoop's configuration",
                feature: "hdfs-native",
                ..SERVER
            },
            Protocol::Memory => &ProtocolSpec {
                schemes: &["memory"],
                example: "memory://NAME",
                credentials: "nowhere",
                feature: "memory",
                ..BUCKET
            },
        }
    }
}
