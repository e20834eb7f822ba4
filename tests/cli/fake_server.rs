//! Small servers that answer whatever a test says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;

use assert_cmd::cargo::cargo_bin;
use parking_lot::Mutex;

use crate::program::{Place, Said};

/// What a server answers.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Lines, each with its end.
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl From<(u16, String)> for Answer {
    fn from((status, body): (u16, String)) -> Self {
        Answer { status, headers: format!("Content-Length: {}\r\n", body.len()), body }
    }
}

impl Answer {
    /// Adds a header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.extend([name, ": ", value, "\r\n"]);
        self
    }

    /// Sends the client elsewhere.
    pub(crate) fn redirect(status: u16, location: &str) -> Self {
        Answer::from((status, String::new())).with("Location", location)
    }
}

type Answers = dyn Fn(&str) -> Answer + Send + Sync;

/// Listens for as long as the tests run, and gives each request, as it came without its body, the answer of `answers`.
pub(crate) fn server<A: Into<Answer>>(answers: impl Fn(&str) -> A + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it has one").port();
    let answers: Arc<Answers> = Arc::new(move |request: &str| answers(request).into());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answers = answers.clone();
            std::thread::spawn(move || {
                // Whoever asked may have gone.
                let _ = answer(stream, &*answers);
            });
        }
    });
    port
}

/// A server that keeps what it is asked, and has one answer.
pub(crate) fn recording(status: u16, body: &str) -> (u16, Arc<Mutex<Vec<String>>>) {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let (kept, body) = (asked.clone(), body.to_owned());
    let port = server(move |request| {
        kept.lock().push(request.to_owned());
        (status, body.clone())
    });
    (port, asked)
}

fn answer(mut stream: TcpStream, answers: &Answers) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let length =
        request.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    stream.read_exact(&mut vec![0; length.unwrap_or(0)])?;
    let Answer { status, headers, body } = answers(&request);
    let body = if request.starts_with("HEAD ") { "" } else { &body };
    write!(stream, "HTTP/1.1 {status} Said\r\n{headers}Connection: close\r\n\r\n{body}")
}

/// Runs the program on the ledger in the scratch folder, with credentials of which [`SECRETS`] must not be seen anywhere.
pub(crate) fn run(place: &Place, arguments: &[&str]) -> Said {
    let mut command = Command::new(cargo_bin("longhaul"));
    command
        .current_dir(place.path(""))
        .env_remove("LONGHAUL_LOG")
        .env("AWS_ACCESS_KEY_ID", "hunter")
        .env("AWS_SECRET_ACCESS_KEY", "hunter2key")
        .env("AWS_SESSION_TOKEN", "hunter2session")
        .env("WEBDAV_USERNAME", "hunter")
        .env("WEBDAV_PASSWORD", "hunter2password")
        .args(arguments)
        .args(["--ledger", "ledger.duckdb"]);
    Said::from(command.output().expect("the program starts"))
}

/// What no command may keep or show.
pub(crate) const SECRETS: [&str; 4] = ["hunter2key", "hunter2session", "Signature=", "hunter2password"];

/// A page of an S3 listing that is the last one.
pub(crate) fn listing(entries: &str) -> String {
    format!("<ListBucketResult><Name>b</Name>{entries}</ListBucketResult>")
}

/// An object in such a page.
pub(crate) fn object(key: &str, size: &str, modified: &str) -> String {
    format!(
        "<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>{modified}</LastModified><ETag>\"x\"</ETag></Contents>"
    )
}

/// A folder's listing as `WebDAV` has it.
pub(crate) fn multistatus(responses: &[String]) -> String {
    format!("<D:multistatus xmlns:D=\"DAV:\">{}</D:multistatus>", responses.concat())
}

/// A file in such a listing, or a folder where it has no length.
pub(crate) fn response(href: &str, length: Option<&str>, modified: &str) -> String {
    let kind = length.map_or_else(
        || "<D:resourcetype><D:collection/></D:resourcetype>".to_owned(),
        |length| format!("<D:resourcetype/><D:getcontentlength>{length}</D:getcontentlength>"),
    );
    format!(
        "<D:response><D:href>{href}</D:href><D:propstat><D:prop>{kind}<D:getlastmodified>{modified}</D:getlastmodified>\
         </D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )
}
