//! Other people's servers on ports of the loopback, each with a root of its own: what stores are tried on.
//!
//! They are started here and stopped in the end. Programs are looked for where `LONGHAUL_TEST_SERVERS` says, and where
//! the system has its own.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Time to come up.
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// A server that runs as long as this is there.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: u16,
    /// Where it has its things, as long as it is there.
    #[expect(dead_code, reason = "it is removed when it is dropped")]
    folder: tempfile::TempDir,
    files: Option<PathBuf>,
    /// The location of its root, without a `/` at the end.
    pub root: String,
    /// What has to be in the environment of whoever uses it.
    pub environment: Vec<(&'static str, String)>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of this machine in which the root's entries are, where the server keeps them in one.
    pub fn files(&self) -> Option<&Path> {
        self.files.as_deref()
    }

    /// How rclone calls a place in the root.
    pub fn rclone_place(&self, name: &str) -> String {
        let value = |wanted: &str| {
            let found = self.environment.iter().find(|(name, _)| *name == wanted);
            found.map_or("", |(_, value)| value.as_str())
        };
        let port = self.port;
        if self.root.starts_with("s3:") {
            let (key, secret) = (value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"));
            format!(
                ":s3,provider=Other,access_key_id={key},secret_access_key={secret},region=us-east-1,\
                 force_path_style=true,endpoint=\"http://127.0.0.1:{port}\":longhaul/{name}"
            )
        } else if self.root.starts_with("sftp:") {
            let files = self.files.as_ref().map(|files| files.display().to_string()).unwrap_or_default();
            let (key, known) = (value("SFTP_KEY"), value("SFTP_KNOWN_HOSTS"));
            format!(":sftp,host=127.0.0.1,port={port},key_file=\"{key}\",known_hosts_file=\"{known}\":{files}/{name}")
        } else {
            format!(":webdav,vendor=other,url=\"http://127.0.0.1:{port}\":{name}")
        }
    }

    /// Puts an object under a key that may be anything, past every client that would tidy it up. For [`Kind::Moto`].
    pub fn put_object(&self, key: &str, bytes: &[u8]) -> Result<(), String> {
        self.put(&format!("/longhaul/{}", utf8_percent_encode(key, NON_ALPHANUMERIC)), bytes)
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), String> {
        let said = |error: std::io::Error| error.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(said)?;
        let (port, length) = (self.port, bytes.len());
        let request = format!(
            "PUT {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).and_then(|()| stream.write_all(bytes)).map_err(said)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(said)?;
        if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(answer) }
    }
}

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// S3: `moto`, in Python. Asks nobody who they are.
    Moto,
    /// S3: `rclone`'s, in Go. Asks for signatures.
    Rclone,
    /// `WebDAV`: `wsgidav`, in Python.
    Wsgidav,
    /// `WebDAV`: Apache's.
    Apache,
    /// SFTP: OpenSSH.
    Openssh,
}

impl Kind {
    /// Starts one, or says why that cannot be done, such as that it is not installed.
    pub fn start(self) -> Result<Server, String> {
        match self {
            Kind::Moto => moto(),
            Kind::Rclone => rclone(),
            Kind::Wsgidav => wsgidav(),
            Kind::Apache => apache(),
            Kind::Openssh => openssh(),
        }
    }
}

/// The program of this name: in the folder that `LONGHAUL_TEST_SERVERS` names, where what comes from elsewhere than the
/// system's packages is installed (`bin` of a Python environment), or in `PATH`.
pub fn program(name: &str) -> Result<PathBuf, String> {
    let servers = std::env::var_os("LONGHAUL_TEST_SERVERS").map(PathBuf::from).unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [servers.join("bin"), "/usr/sbin".into()];
    let found = folders.into_iter().chain(std::env::split_paths(&path)).map(|folder| folder.join(name));
    found.into_iter().find(|path| path.is_file()).ok_or_else(|| format!("there is no program {name}"))
}

/// A port that is free at this moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

fn start(command: &mut Command, port: u16) -> Result<Child, String> {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = quiet.spawn().map_err(|error| error.to_string())?;
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("it ended at once: {status}"));
        }
        if begun.elapsed() > STARTS_WITHIN {
            let _ = child.kill();
            return Err("it does not answer".to_owned());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(child)
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a scratch folder")
}

fn s3(child: Child, folder: tempfile::TempDir, port: u16, key: (&str, &str)) -> Server {
    let environment = vec![
        ("AWS_ACCESS_KEY_ID", key.0.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", key.1.to_owned()),
        ("AWS_ENDPOINT_URL_S3", format!("http://127.0.0.1:{port}")),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    Server { child, port, folder, files: None, root: "s3://longhaul".to_owned(), environment }
}

fn moto() -> Result<Server, String> {
    let (folder, port) = (scratch(), free_port());
    let mut command = Command::new(program("moto_server")?);
    let child = start(command.args(["-H", "127.0.0.1", "-p", &port.to_string()]), port)?;
    let server = s3(child, folder, port, ("test", "test"));
    // The bucket.
    server.put("/longhaul", b"")?;
    Ok(server)
}

fn rclone() -> Result<Server, String> {
    let (folder, port) = (scratch(), free_port());
    let bucket = folder.path().join("longhaul");
    fs::create_dir(&bucket).expect("a new folder");
    let key = ("longhaul-test", "not-a-secret");
    let mut command = Command::new(program("rclone")?);
    command.args(["serve", "s3", "--config", "", "--vfs-cache-mode", "off", "--dir-cache-time", "1s"]);
    command.args(["--addr", &format!("127.0.0.1:{port}"), "--auth-key", &format!("{},{}", key.0, key.1)]);
    let child = start(command.arg(folder.path()), port)?;
    let mut server = s3(child, folder, port, key);
    server.files = Some(bucket);
    Ok(server)
}

fn webdav(child: Child, folder: tempfile::TempDir, port: u16) -> Server {
    let root = format!("webdav+http://127.0.0.1:{port}");
    Server { child, port, files: Some(folder.path().join("files")), folder, root, environment: Vec::new() }
}

fn wsgidav() -> Result<Server, String> {
    let (folder, port) = (scratch(), free_port());
    let files = folder.path().join("files");
    fs::create_dir(&files).expect("a new folder");
    let configuration = format!(
        "host: 127.0.0.1\nport: {port}\nprovider_mapping:\n  \"/\": \"{}\"\nsimple_dc:\n  user_mapping:\n    \"*\": true\n\
         dir_browser:\n  enable: false\nverbose: 0\n",
        files.display()
    );
    let path = folder.path().join("wsgidav.yaml");
    fs::write(&path, configuration).expect("a new file");
    let child = start(Command::new(program("wsgidav")?).arg("--config").arg(path), port)?;
    Ok(webdav(child, folder, port))
}

fn apache() -> Result<Server, String> {
    let (folder, port) = (scratch(), free_port());
    let program = program("apache2").or_else(|_| program("httpd"))?;
    let modules = Path::new("/usr/lib/apache2/modules");
    for name in ["files", "run"] {
        let path = folder.path().join(name);
        fs::create_dir(&path).expect("a new folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("it is ours");
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let loaded = ["mpm_event", "authz_core", "unixd", "dav", "dav_fs", "dav_lock", "mime"];
    let loaded = loaded
        .iter()
        .map(|name| (name, modules.join(format!("mod_{name}.so"))))
        .filter(|(_, path)| path.is_file())
        .fold(String::new(), |loaded, (name, path)| loaded + &format!("LoadModule {name}_module {}\n", path.display()));
    let user = if rustix::process::geteuid().is_root() { "User www-data\nGroup www-data\n" } else { "" };
    let root = folder.path().display();
    let configuration = format!(
        "{loaded}{user}ServerName localhost\nListen 127.0.0.1:{port}\nPidFile {root}/run/pid\nErrorLog {root}/run/log\n\
         DocumentRoot {root}/files\nDavLockDB {root}/run/lock\nTypesConfig /dev/null\nAllowEncodedSlashes NoDecode\n\
         <Directory {root}/files>\n  Dav On\n  DavDepthInfinity On\n  Require all granted\n</Directory>\n"
    );
    let path = folder.path().join("apache.conf");
    fs::write(&path, configuration).expect("a new file");
    let mut command = Command::new(program);
    let child = start(command.arg("-f").arg(path).args(["-D", "FOREGROUND"]), port)?;
    Ok(webdav(child, folder, port))
}

fn openssh() -> Result<Server, String> {
    let (folder, port) = (scratch(), free_port());
    let root = folder.path().to_owned();
    fs::create_dir(root.join("files")).expect("a new folder");
    for key in ["key", "host"] {
        let mut command = Command::new(program("ssh-keygen")?);
        let made = command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(root.join(key)).status();
        assert!(made.is_ok_and(|status| status.success()), "a key cannot be made");
    }
    fs::copy(root.join("key.pub"), root.join("authorized")).expect("a copy");
    let host = fs::read_to_string(root.join("host.pub")).expect("a key");
    fs::write(root.join("known"), format!("[127.0.0.1]:{port} {host}")).expect("a new file");
    let shown = root.display();
    let configuration = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {shown}/host\nAuthorizedKeysFile {shown}/authorized\n\
         StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin prohibit-password\nMaxStartups 100\n\
         Subsystem sftp internal-sftp\n"
    );
    fs::write(root.join("sshd.conf"), configuration).expect("a new file");
    if rustix::process::geteuid().is_root() {
        // Where it separates privileges, and which its package makes when it is started as a service.
        let _ = fs::create_dir_all("/run/sshd");
    }
    let mut command = Command::new(program("sshd")?);
    let child = start(command.arg("-D").arg("-f").arg(root.join("sshd.conf")), port)?;
    let in_root = |name: &str| root.join(name).display().to_string();
    let environment = vec![("SFTP_KEY", in_root("key")), ("SFTP_KNOWN_HOSTS", in_root("known"))];
    let location = format!("sftp://127.0.0.1:{port}{}", in_root("files"));
    Ok(Server { child, port, files: Some(root.join("files")), root: location, environment, folder })
}
