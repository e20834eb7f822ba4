//! A client for each protocol, made from a URL and the environment.

#[cfg(feature = "memory")]
use std::collections::BTreeMap;

use longhaul_model::ErrorClass;
use opendal::{Operator, services};
#[cfg(feature = "memory")]
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};

use super::transport::transport;
use crate::error::StoreError;
use crate::location::{Protocol, RemoteUrl, may_have_credentials};
use crate::secrets::{kept, know, know_password};

/// What a client is configured with: there are passwords and keys in it, so none of it can be printed.
type Settings = Vec<(&'static str, SecretString)>;

/// Makes the client for a URL. Nothing is asked over the network yet.
pub(super) fn client(url: &RemoteUrl, root: &str) -> Result<Operator, StoreError> {
    let mut settings = settings(url)?;
    settings.push(("root", root.into()));
    let operator: opendal::Result<Operator> = match url.protocol {
        #[cfg(feature = "s3")]
        Protocol::S3 => Operator::from_iter::<services::S3>(owned(settings)),
        #[cfg(feature = "webdav")]
        Protocol::Webdav => Operator::from_iter::<services::Webdav>(owned(settings)),
        #[cfg(feature = "azblob")]
        Protocol::Azblob => Operator::from_iter::<services::Azblob>(owned(settings)),
        #[cfg(feature = "gcs")]
        Protocol::Gcs => Operator::from_iter::<services::Gcs>(owned(settings)),
        #[cfg(feature = "onedrive")]
        Protocol::Onedrive => Operator::from_iter::<services::Onedrive>(owned(settings)),
        #[cfg(feature = "gdrive")]
        Protocol::Gdrive => Operator::from_iter::<services::Gdrive>(owned(settings)),
        #[cfg(feature = "dropbox")]
        Protocol::Dropbox => Operator::from_iter::<services::Dropbox>(owned(settings)),
        #[cfg(feature = "b2")]
        Protocol::B2 => Operator::from_iter::<services::B2>(owned(settings)),
        #[cfg(feature = "hdfs-native")]
        Protocol::HdfsNative => Operator::from_iter::<services::HdfsNative>(owned(settings)),
        #[cfg(feature = "memory")]
        Protocol::Memory => memory(url.host()),
        #[allow(unreachable_patterns, reason = "a build may have all of them")]
        protocol => {
            let feature = protocol.spec().feature;
            let message = format!("this program was built without the feature {feature}");
            return Err(StoreError::new(ErrorClass::Fatal, message));
        }
    };
    let operator = operator.map_err(|error| {
        let wanted = if error.message().contains("region") { ": add ?region=…, or set AWS_REGION" } else { "" };
        StoreError::new(ErrorClass::Fatal, format!("{}{wanted}", kept(error.message())))
    })?;
    let context = operator.base_context().with_http_transport(transport(url.protocol.spec().traits.follows_redirects));
    Ok(operator.with_context(context))
}

/// What is kept in memory under this name: nobody else has it, so that it has to be the same each time.
#[cfg(feature = "memory")]
fn memory(name: String) -> opendal::Result<Operator> {
    static STORES: Mutex<BTreeMap<String, Operator>> = Mutex::new(BTreeMap::new());
    let mut stores = STORES.lock();
    if let Some(store) = stores.get(&name) {
        return Ok(store.clone());
    }
    let store = Operator::from_iter::<services::Memory>([])?;
    Ok(stores.entry(name).or_insert(store).clone())
}

/// What the client takes, which has its own ways of not printing it.
fn owned(settings: Settings) -> impl Iterator<Item = (String, String)> {
    settings.into_iter().map(|(name, value)| (name.to_owned(), value.expose_secret().to_owned()))
}

fn settings(url: &RemoteUrl) -> Result<Settings, StoreError> {
    let mut settings = Settings::new();
    let mut set = |name, value: Option<SecretString>| settings.extend(value.map(|value| (name, value)));
    let option = |name| url.option(name).map(SecretString::from);
    let host = Some(SecretString::from(url.host()));
    match url.protocol {
        Protocol::S3 => {
            let endpoint = option("endpoint").or(endpoint_variable("AWS_ENDPOINT_URL_S3")?);
            let endpoint = endpoint.or(endpoint_variable("AWS_ENDPOINT_URL")?);
            let region = option("region").or_else(|| variable("AWS_REGION"));
            let region = region.or_else(|| variable("AWS_DEFAULT_REGION"));
            // Servers of one's own have no regions; this is what they are all called.
            let region = region.or_else(|| endpoint.is_some().then(|| "us-east-1".into()));
            // The client reads them itself.
            for name in ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
                secret(name);
            }
            set("bucket", host);
            set("endpoint", endpoint);
            set("region", region);
            set("skip_signature", option("anonymous"));
            set("enable_virtual_host_style", option("virtual-hosts"));
            set("default_storage_class", option("storage-class"));
            set("server_side_encryption", option("encryption"));
            // Compared by the server with what has arrived.
            set("checksum_algorithm", Some("crc32c".into()));
        }
        Protocol::Webdav => {
            set("endpoint", Some(format!("{}://{}", url.transport(), url.authority()).into()));
            let (user, password) = (variable("WEBDAV_USERNAME"), variable("WEBDAV_PASSWORD"));
            know_password(user.as_ref(), password.as_ref());
            set("username", user);
            set("password", password);
            set("token", secret("WEBDAV_TOKEN"));
            // The engine makes folders before what is in them.
            set("disable_create_dir", Some("true".into()));
        }
        Protocol::Azblob => {
            set("container", host);
            set("account_name", variable("AZURE_STORAGE_ACCOUNT_NAME").or_else(|| variable("AZBLOB_ACCOUNT_NAME")));
            set("account_key", secret("AZURE_STORAGE_ACCOUNT_KEY").or_else(|| secret("AZBLOB_ACCOUNT_KEY")));
            set("sas_token", secret("AZURE_STORAGE_SAS_TOKEN"));
            let account = variable("AZURE_STORAGE_ACCOUNT_NAME");
            let usual = account.map(|name| format!("https://{}.blob.core.windows.net", name.expose_secret()).into());
            set("endpoint", option("endpoint").or(usual));
        }
        Protocol::Gcs => {
            set("bucket", host);
            set("endpoint", option("endpoint"));
            set("skip_signature", option("anonymous"));
            set("credential_path", variable("GOOGLE_APPLICATION_CREDENTIALS"));
        }
        Protocol::B2 => {
            set("bucket", host);
            set("bucket_id", option("bucket_id"));
            set("application_key_id", variable("B2_APPLICATION_KEY_ID"));
            set("application_key", secret("B2_APPLICATION_KEY"));
        }
        Protocol::Onedrive => set_tokens(&mut set, "ONEDRIVE"),
        Protocol::Gdrive => set_tokens(&mut set, "GDRIVE"),
        Protocol::Dropbox => set_tokens(&mut set, "DROPBOX"),
        Protocol::HdfsNative => set("name_node", Some(format!("hdfs://{}", url.authority()).into())),
        Protocol::Sftp | Protocol::Memory => {}
    }
    Ok(settings)
}

fn set_tokens(set: &mut impl FnMut(&'static str, Option<SecretString>), prefix: &str) {
    set("access_token", secret(&format!("{prefix}_ACCESS_TOKEN")));
    set("refresh_token", secret(&format!("{prefix}_REFRESH_TOKEN")));
    set("client_id", variable(&format!("{prefix}_CLIENT_ID")));
    set("client_secret", secret(&format!("{prefix}_CLIENT_SECRET")));
}

/// A variable whose value is not shown from then on, whatever a server makes of it.
fn secret(name: &str) -> Option<SecretString> {
    variable(name).inspect(know)
}

/// A variable with the address of a server, which is shown where the server cannot be reached.
fn endpoint_variable(name: &str) -> Result<Option<SecretString>, StoreError> {
    let endpoint = variable(name);
    if endpoint.as_ref().is_some_and(|endpoint| may_have_credentials(endpoint.expose_secret())) {
        let message = format!("{name} has credentials in it: they come from {}", Protocol::S3.spec().credentials);
        return Err(StoreError::new(ErrorClass::Fatal, message));
    }
    Ok(endpoint)
}

fn variable(name: &str) -> Option<SecretString> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).map(SecretString::from)
}
