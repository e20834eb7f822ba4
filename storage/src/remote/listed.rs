//! Answers that list something. A client takes nearly any answer for a listing, however long, follows it as long as the
//! server says that there is more, and takes none of it where one entry is not as it should be. So it is read here first,
//! and the client is given one in which everything is as it expects.
//!
//! - It has an end: [`BYTES_MAX`].
//! - It is a listing: the root of the document is the one of the protocol. A proxy's page with the status 200 is not.
//! - It makes progress: where there is more, it says how to ask for it, and not as it was asked.
//! - Each entry is for itself. A time or a size that cannot be read is given to the client as one that nothing can have
//!   ([`NO_SIZE`], [`NO_TIME_OF_BUCKET`], [`NO_TIME_OF_FOLDER`]); a character that XML or a URL cannot have is a NUL, which
//!   no name has. What the client could not be told at all is an [`Odd`] entry, and comes beside the listing.
//! - An entry is in the folder that was asked for. Where a server writes addresses in another way than we do, whole ones
//!   with another host among them (RFC 4918, 8.3), they are rewritten; what is elsewhere is not cut into a name.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::{Duration, SystemTime};

use futures_util::stream;
use opendal::raw::Timestamp;
use opendal::{Buffer, Error, ErrorKind, HttpBody};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use url::Url;

use crate::secrets::without_secrets;

/// Bytes of an answer that lists something. A page of a thousand entries with the longest names has a tenth of it; a server of
/// files has no pages, and its folders may have some 100,000 entries.
const BYTES_MAX: u64 = 64 << 20;

/// Elements in each other. A listing has five.
const DEPTH_MAX: usize = 16;

/// Bytes of a path from the root of a store. The client breaks over 64 KiB.
const PATH_BYTES_MAX: usize = 32 << 10;

/// Bytes that are shown of what a server says.
const SHOWN_BYTES_MAX: usize = 120;

/// Stands for a size that cannot be read: larger than any file.
const NO_SIZE: &str = "18446744073709551615";

/// Stands for a time that cannot be read: too early for the nanoseconds of the ledger.
const NO_TIME_OF_BUCKET: &str = "0001-01-01T00:00:00Z";

/// The same as `WebDAV` writes it.
const NO_TIME_OF_FOLDER: &str = "Mon, 01 Jan 0001 00:00:00 GMT";

/// What is not encoded in a path.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A question for a listing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// The next page of a bucket, from this place on; `None` for the first one.
    Bucket {
        /// What all keys begin with.
        prefix: String,
        /// As the page before said it.
        token: Option<String>,
    },
    /// What there is in the folder at this path, which ends with a `/`.
    Folder {
        /// From the root of the server, with nothing encoded.
        path: String,
    },
    /// What a file or folder is itself.
    Itself,
}

/// What a listing has that the client cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Odd {
    /// Its name, behind the path of the folder; `None` where it has none there.
    pub(super) name: Option<String>,
    /// What is the matter.
    pub(super) why: String,
}

/// An answer as the client gets it.
#[derive(Debug)]
struct Rewritten {
    text: String,
    odd: Vec<Odd>,
}

impl Question {
    /// What a request asks for; `None` where it does not ask for a listing.
    pub(super) fn of(request: &http::Request<Buffer>) -> Option<Question> {
        match request.method().as_str() {
            "PROPFIND" if request.headers().get("depth").is_some_and(|depth| depth == "0") => Some(Question::Itself),
            "PROPFIND" => {
                let mut path = with_nul(&percent_decode_str(request.uri().path()).collect::<Vec<u8>>()).into_owned();
                if !path.ends_with('/') {
                    path.push('/');
                }
                Some(Question::Folder { path })
            }
            "GET" => {
                let url = Url::parse(&request.uri().to_string()).ok()?;
                let value =
                    |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
                value("list-type").filter(|version| version == "2")?;
                Some(Question::Bucket {
                    prefix: value("prefix").unwrap_or_default(),
                    token: value("continuation-token"),
                })
            }
            _ => None,
        }
    }

    /// Reads an answer that says it is a success, and rewrites it. Returns with it what the client cannot be told.
    pub(super) async fn answered(
        &self,
        answer: http::Response<HttpBody>,
    ) -> Result<(http::Response<HttpBody>, Vec<Odd>), Error> {
        let (parts, mut body) = answer.into_parts();
        let bytes = read(&mut body).await?;
        let Rewritten { text, odd } = self.rewritten(&with_nul(&bytes.to_bytes()))?;
        let length = text.len() as u64;
        let body = HttpBody::new(stream::iter([Ok(Buffer::from(text))]), Some(length));
        Ok((http::Response::from_parts(parts, body), odd))
    }

    fn rewritten(&self, answer: &str) -> Result<Rewritten, Error> {
        let due = match self {
            Question::Bucket { .. } => "ListBucketResult",
            Question::Folder { .. } | Question::Itself => "multistatus",
        };
        let mut reader = Reader::from_str(answer.trim_start_matches('\u{feff}'));
        let is_empty = match root_of(&mut reader) {
            Some((name, is_empty)) if name == due => is_empty,
            Some((name, _)) => return Err(no_listing(&format!("<{}>", shown(&name)), due)),
            None => return Err(no_listing("nothing that can be read", due)),
        };
        let mut rewriting =
            Rewriting { question: self, has_response: false, text: format!("<{due}>"), odd: Vec::new() };
        let mut page = Page::default();
        loop {
            let child = match reader.read_event().map_err(|error| broken(&error))? {
                _ if is_empty => break,
                Event::Start(start) => element(&mut reader, &start, 1)?,
                Event::Empty(start) => Element::of(&start),
                Event::End(_) => break,
                Event::Eof => return Err(wrong("the listing is cut off".to_owned())),
                _ => continue,
            };
            match (self, &*child.name) {
                (Question::Bucket { .. }, "Contents") => rewriting.object(&child),
                (Question::Bucket { .. }, "CommonPrefixes") => rewriting.prefix(&child),
                (Question::Bucket { .. }, "IsTruncated") => page.is_truncated = Some(yes_or_no(child.text.trim())?),
                (Question::Bucket { .. }, "NextContinuationToken") => child.text.trim().clone_into(&mut page.next),
                (Question::Folder { .. } | Question::Itself, "response") => rewriting.response(&child)?,
                _ => {}
            }
        }
        let Rewriting { mut text, odd, .. } = rewriting;
        if let Question::Bucket { token, .. } = self {
            page.write(token.as_deref(), &mut text)?;
        }
        text.extend(["</", due, ">"]);
        Ok(Rewritten { text, odd })
    }
}

fn yes_or_no(text: &str) -> Result<bool, Error> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(wrong("the listing does not say whether there is more".to_owned())),
    }
}

/// What a page of a bucket says of the next one.
#[derive(Debug, Default)]
struct Page {
    is_truncated: Option<bool>,
    next: String,
}

impl Page {
    /// Writes it. A client that does not find whether there is more may ask for the same page again and again.
    fn write(&self, asked: Option<&str>, text: &mut String) -> Result<(), Error> {
        let is_truncated = self.is_truncated.unwrap_or(!self.next.is_empty());
        if is_truncated && self.next.is_empty() {
            return Err(wrong("the listing says that there is more, and not where".to_owned()));
        }
        if is_truncated && asked == Some(&self.next) {
            let message = "the listing makes no progress: the next page is the one that was asked for";
            return Err(wrong(message.to_owned()));
        }
        tag(text, "IsTruncated", if is_truncated { "true" } else { "false" });
        if is_truncated {
            tag(text, "NextContinuationToken", &self.next);
        }
        Ok(())
    }
}

/// A listing that is being rewritten.
struct Rewriting<'a> {
    question: &'a Question,
    /// There was one before.
    has_response: bool,
    text: String,
    odd: Vec<Odd>,
}

impl Rewriting<'_> {
    /// An object of a bucket.
    fn object(&mut self, object: &Element) {
        let Some(key) = self.key(object.child("Key")) else { return };
        self.text += "<Contents>";
        tag(&mut self.text, "Key", key);
        tag(&mut self.text, "Size", size(object.text_of("Size")));
        let modified = object.text_of("LastModified").filter(|text| text.parse::<Timestamp>().is_ok());
        tag(&mut self.text, "LastModified", modified.unwrap_or(NO_TIME_OF_BUCKET));
        if let Some(etag) = object.text_of("ETag") {
            tag(&mut self.text, "ETag", etag);
        }
        self.text += "</Contents>";
    }

    /// What several keys begin with.
    fn prefix(&mut self, prefixes: &Element) {
        let Some(prefix) = self.key(prefixes.child("Prefix")) else { return };
        self.text += "<CommonPrefixes>";
        tag(&mut self.text, "Prefix", prefix);
        self.text += "</CommonPrefixes>";
    }

    fn key<'a>(&mut self, key: Option<&'a Element>) -> Option<&'a str> {
        let Question::Bucket { prefix, .. } = self.question else { return None };
        let why = match key.map(|key| &*key.text) {
            Some(key) if key.len() > PATH_BYTES_MAX => format!("the key {} is too long", quoted(key)),
            Some(key) if key.starts_with(prefix) => return Some(key),
            Some(key) => format!("the key {} does not begin with {} as asked for", quoted(key), quoted(prefix)),
            None => "an object has no key".to_owned(),
        };
        self.odd.push(Odd { name: None, why });
        None
    }

    /// A file or folder of a server, or what has been asked for itself. It is an error where that cannot be told.
    fn response(&mut self, response: &Element) -> Result<(), Error> {
        let address = response.text_of("href").unwrap_or_default();
        let (href, name) = match self.question {
            Question::Folder { path } => match place(address, path) {
                Ok(name) => (format!("{path}{name}"), name),
                Err(why) => {
                    self.odd.push(Odd { name: None, why });
                    return Ok(());
                }
            },
            // The client looks at the first one, and not where it is.
            Question::Bucket { .. } | Question::Itself if self.has_response => return Ok(()),
            Question::Bucket { .. } | Question::Itself => ("/".to_owned(), String::new()),
        };
        self.has_response = true;
        let all = || response.children.iter().filter(|child| child.name == "propstat");
        let mut found = all().filter(|properties| status(properties).is_none_or(|status| status < 400)).peekable();
        if found.peek().is_none() {
            let status = status(response).or_else(|| all().find_map(status));
            let why = match status {
                Some(status) => format!("the server lists it with the status {status}"),
                None => "the server lists it and says nothing of it".to_owned(),
            };
            if name.is_empty() {
                let is_gone = matches!(status, Some(404 | 410));
                return Err(if is_gone { Error::new(ErrorKind::NotFound, why) } else { wrong(why) });
            }
            self.odd.push(Odd { name: Some(name), why });
            return Ok(());
        }
        let properties: Vec<_> = found.filter_map(|properties| properties.child("prop")).collect();
        let property = |name: &str| properties.iter().find_map(|properties| properties.child(name));
        let text = |name: &str| property(name).map(|property| property.text.trim()).filter(|text| !text.is_empty());
        // The client breaks over a file whose address ends as that of a folder.
        let says_so = property("resourcetype").is_some_and(|kind| kind.child("collection").is_some());
        let ends_so = || name.ends_with('/') || name.is_empty() && address.trim_end().ends_with('/');
        let is_folder = says_so || ends_so();
        if matches!(self.question, Question::Folder { .. }) && name.is_empty() && !is_folder {
            return Err(Error::new(ErrorKind::NotFound, "it is a file, and no folder"));
        }
        write!(self.text, "<response><href>{}</href>", utf8_percent_encode(&href, ENCODED)).expect("a string");
        self.text += "<propstat><status>HTTP/1.1 200 OK</status><prop>";
        if is_folder {
            self.text += "<resourcetype><collection/></resourcetype>";
        } else {
            tag(&mut self.text, "getcontentlength", size(text("getcontentlength")));
        }
        let modified = text("getlastmodified").and_then(http_time);
        tag(&mut self.text, "getlastmodified", modified.as_deref().unwrap_or(NO_TIME_OF_FOLDER));
        for name in ["getetag", "getcontenttype"] {
            if let Some(text) = text(name) {
                tag(&mut self.text, name, text);
            }
        }
        self.text += "</prop></propstat></response>";
        Ok(())
    }
}

/// What is behind the path of a folder in an address that the server lists in it; empty for the folder itself.
fn place(href: &str, folder: &str) -> Result<String, String> {
    let elsewhere = || format!("the server lists {}, which is not in the folder {}", quoted(href), quoted(folder));
    let path = match href.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
            rest.find('/').map_or("/", |at| &rest[at..])
        }
        _ => href,
    };
    if path.len() > PATH_BYTES_MAX {
        return Err(format!("the path {} is too long", quoted(path)));
    }
    let path = percent_decode_str(path).collect::<Vec<u8>>();
    let path = with_nul(&path);
    match path.strip_prefix(folder) {
        Some(name) => Ok(name.to_owned()),
        None if folder.strip_suffix('/') == Some(&*path) => Ok(String::new()),
        None => Err(elsewhere()),
    }
}

/// The number in what a server says of its status: `HTTP/1.1 404 Not Found`.
fn status(element: &Element) -> Option<u16> {
    element.text_of("status")?.split_whitespace().nth(1)?.parse().ok()
}

fn size(text: Option<&str>) -> &str {
    text.filter(|text| text.parse::<u64>().is_ok()).unwrap_or(NO_SIZE)
}

/// A time as the client reads it; `None` where nobody can.
fn http_time(text: &str) -> Option<Cow<'_, str>> {
    if Timestamp::parse_rfc2822(text).is_ok() {
        return Some(Cow::Borrowed(text));
    }
    let iso = || text.parse::<Timestamp>().ok().map(|time| SystemTime::from(time.into_inner()));
    let time = httpdate::parse_http_date(text).ok().or_else(iso)?;
    // The rest cannot be written so.
    let years = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    (years < YEAR_9999).then(|| Cow::Owned(httpdate::fmt_http_date(time)))
}

/// The beginning of that year, since 1970.
const YEAR_9999: Duration = Duration::from_hours(70_380_768);

/// An element with all that is in it.
#[derive(Debug)]
struct Element {
    /// Without what stands before a colon.
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn of(start: &BytesStart<'_>) -> Element {
        Element { name: start.local_name().into_inner().to_owned(), text: String::new(), children: Vec::new() }
    }

    fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim())
    }
}

/// Reads an element up to its end.
fn element(reader: &mut Reader<&[u8]>, start: &BytesStart<'_>, depth: usize) -> Result<Element, Error> {
    if depth > DEPTH_MAX {
        return Err(wrong("the listing has too many elements in each other".to_owned()));
    }
    let mut read = Element::of(start);
    loop {
        match reader.read_event().map_err(|error| broken(&error))? {
            Event::Start(start) => read.children.push(element(reader, &start, depth + 1)?),
            Event::Empty(start) => read.children.push(Element::of(&start)),
            Event::End(_) => return Ok(read),
            Event::Text(text) => read.text += &text,
            Event::CData(text) => read.text += &text,
            Event::GeneralRef(reference) => match quick_xml::escape::unescape(&format!("&{};", &*reference)) {
                Ok(text) => read.text += &text,
                Err(_) => read.text.push('\0'),
            },
            Event::Eof => return Err(wrong("the listing is cut off".to_owned())),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

/// The name of the first element, and whether there can be nothing in it.
fn root_of(reader: &mut Reader<&[u8]>) -> Option<(String, bool)> {
    let name = |start: &BytesStart<'_>| start.local_name().into_inner().to_owned();
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => return Some((name(&start), false)),
            Event::Empty(start) => return Some((name(&start), true)),
            Event::Eof => return None,
            _ => {}
        }
    }
}

fn tag(text: &mut String, name: &str, contents: &str) {
    // A carriage return would be a line end for whoever reads it.
    let contents = quick_xml::escape::escape(contents).replace('\r', "&#13;");
    write!(text, "<{name}>{contents}</{name}>").expect("a string can be written to");
}

/// All of a body, up to so much as a listing may have.
async fn read(body: &mut HttpBody) -> Result<Buffer, Error> {
    let mut pieces = Vec::new();
    let mut length = 0;
    loop {
        let piece = opendal::raw::oio::ReadStream::read(body).await?;
        if piece.is_empty() {
            return Ok(pieces.into_iter().flatten().collect());
        }
        length += piece.len() as u64;
        if length > BYTES_MAX {
            return Err(wrong(format!("the listing has more than {} MiB", BYTES_MAX >> 20)));
        }
        pieces.push(piece);
    }
}

/// Bytes as text, with a NUL in the place of what is none.
fn with_nul(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text += chunk.valid();
        if !chunk.invalid().is_empty() {
            text.push('\0');
        }
    }
    Cow::Owned(text)
}

/// A server's word, as far as it is worth being shown.
fn shown(word: &str) -> String {
    // Before anything is taken out: a secret would not be recognised after that.
    without_secrets(word).chars().filter(char::is_ascii_alphanumeric).take(40).collect()
}

/// The same for a path.
fn quoted(path: &str) -> String {
    let path = without_secrets(path);
    if path.len() <= SHOWN_BYTES_MAX {
        return format!("{path:?}");
    }
    format!("{:?}…", &path[..path.floor_char_boundary(SHOWN_BYTES_MAX)])
}

fn no_listing(found: &str, due: &str) -> Error {
    wrong(format!("the answer is no listing: it has {found} in place of <{due}>"))
}

fn broken(error: &quick_xml::Error) -> Error {
    wrong(format!("the listing cannot be read: {error}"))
}

/// It may go better the next time: a server in trouble answers so, and a proxy before it.
fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Unexpected, message).set_temporary()
}

#[cfg(test)]
mod tests;
