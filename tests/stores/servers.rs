//! Other people's servers, each with a root of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Time to come up.
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// A server that runs as long as this is there.
pub(crate) struct Server {
    child: Child,
    /// Where its files are, as long as it is there.
    #[expect(dead_code, reason = "it is removed when it is dropped")]
    folder: tempfile::TempDir,
    /// The location of its root, without a `/` at the end.
    pub(crate) root: String,
    /// What has to be in the environment of whoever uses it.
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Puts into this process's environment what clients need, for stores that are opened in it.
    pub(crate) fn enter(&self) {
        for (name, value) in &self.environment {
            // SAFETY: tests that use servers run one after the other (see `TURN`), and nothing else reads it meanwhile.
            #[allow(unsafe_code, reason = "there is no other way to set a variable")]
            unsafe {
                std::env::set_var(name, value);
            }
        }
    }
}

/// Tests with servers take turns: clients are told by the process's environment who they are.
pub(crate) static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// S3: `moto`, in Python.
    Moto,
    /// `WebDAV`: `wsgidav`, in Python.
    Wsgidav,
    /// `WebDAV`: Apache's.
    Apache,
    /// SFTP: OpenSSH.
    Openssh,
}

impl Kind {
    /// Starts one. `None` where it is not installed, which is said.
    pub(crate) fn start(self) -> Option<Server> {
        let started = match self {
            Kind::Moto => moto(),
            Kind::Wsgidav => wsgidav(),
            Kind::Apache => apache(),
            Kind::Openssh => openssh(),
        };
        match started {
            Ok(server) => Some(server),
            Err(why) => {
                assert!(std::env::var("CI").is_err(), "{self:?} cannot be started: {why}");
                eprintln!("skipped: {self:?} cannot be started: {why}");
                None
            }
        }
    }
}

/// The program of this name: in the folder that `LONGHAUL_TEST_SERVERS` names, where what comes from elsewhere than the
/// system's packages is installed (`bin` of a Python environment), or in `PATH`.
fn program(name: &str) -> Result<PathBuf, String> {
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

/// Makes a bucket; the servers ask nobody who they are.
fn make_bucket(port: u16) -> Result<(), String> {
    use std::io::{Read, Write};
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
    let request =
        format!("PUT /longhaul HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
    if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(answer) }
}

fn moto() -> Result<Server, String> {
    let (folder, port) = (scratch(), free_port());
    let mut command = Command::new(program("moto_server")?);
    let child = start(command.args(["-H", "127.0.0.1", "-p", &port.to_string()]), port)?;
    make_bucket(port)?;
    let environment = [
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_ENDPOINT_URL_S3", format!("http://127.0.0.1:{port}")),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    Ok(Server { child, folder, root: "s3://longhaul".to_owned(), environment: environment.to_vec() })
}

fn webdav(child: Child, folder: tempfile::TempDir, port: u16) -> Server {
    Server { child, folder, root: format!("webdav+http://127.0.0.1:{port}"), environment: Vec::new() }
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
    Ok(Server { child, root: format!("sftp://127.0.0.1:{port}{}", in_root("files")), environment, folder })
}
