//! HTTP, as all protocols over it use it: what a server answers is watched, since a client's errors leave out what the
//! engine has to know of it; and what a client cannot be told is changed in its requests.

use std::cell::RefCell;
use std::future::Future;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use opendal::{Buffer, Error, ErrorKind, HttpBody, HttpTransport, HttpTransporter};
use url::Url;

use super::listed::{Odd, Question};

/// Time to come to a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Time without a byte after which an answer is not waited for any longer.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// What is sent is waited for as long as that takes at this pace, and for the answer after it.
const SLOWEST_BYTES_PER_SECOND: u64 = 16 << 10;

/// How long a server may take that has to copy or put together files itself.
const WORK_TIMEOUT: Duration = Duration::from_hours(1);

/// Redirections that are followed one after another.
const REDIRECTIONS_MAX: u32 = 5;

/// Headers that go along to another origin.
const HARMLESS: [http::HeaderName; 8] = [
    http::header::ACCEPT,
    http::header::IF_MATCH,
    http::header::IF_MODIFIED_SINCE,
    http::header::IF_NONE_MATCH,
    http::header::IF_RANGE,
    http::header::IF_UNMODIFIED_SINCE,
    http::header::RANGE,
    http::header::USER_AGENT,
];

/// What a `PROPFIND` asks for. The client asks for everything, and to find out about locks takes some servers longer than
/// all the rest.
const PROPERTIES: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><D:propfind xmlns:D=\"DAV:\"><D:prop><D:resourcetype/>\
                          <D:getcontentlength/><D:getlastmodified/><D:getetag/></D:prop></D:propfind>";

/// What a server answered that was no success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The status.
    pub(super) status: u16,
    /// How long it wants to be left alone.
    pub(super) retry_after: Option<Duration>,
}

/// What is added to the requests of a call.
#[derive(Clone, Debug, Default)]
pub(super) struct Additions {
    /// A `MOVE` or `COPY` fails where something has the name already. The client would have it replaced.
    pub(super) keeps_what_is_there: bool,
    /// The modification time that a `PUT` is to give the file, in seconds since 1970: ownCloud, Nextcloud and rclone's
    /// own server understand it (`X-OC-Mtime`), others pass over it.
    pub(super) modified_s: Option<i64>,
}

#[derive(Default)]
struct Call {
    additions: Additions,
    refusal: Option<Refusal>,
    odd: Vec<Odd>,
}

tokio::task_local! {
    static CALL: RefCell<Call>;
}

/// Makes a call. Returns with its answer the last refusal of the server, if there was one.
pub(super) async fn watched<T>(additions: Additions, call: impl Future<Output = T>) -> (T, Option<Refusal>) {
    let (answer, call) = in_call(additions, call).await;
    (answer, call.refusal)
}

/// The same for a call that lists something. Returns as well what of it the client cannot be told.
pub(super) async fn watched_listing<T>(call: impl Future<Output = T>) -> (T, Option<Refusal>, Vec<Odd>) {
    let (answer, call) = in_call(Additions::default(), call).await;
    (answer, call.refusal, call.odd)
}

async fn in_call<T>(additions: Additions, call: impl Future<Output = T>) -> (T, Call) {
    let scope = RefCell::new(Call { additions, ..Call::default() });
    CALL.scope(scope, async move {
        let answer = call.await;
        (answer, CALL.with(RefCell::take))
    })
    .await
}

/// The connections of this process, for a store whose requests may be redirected or not.
pub(super) fn transport(follows_redirects: bool) -> HttpTransporter {
    static CLIENTS: LazyLock<[HttpTransporter; 2]> = LazyLock::new(|| {
        let asking = client(reqwest::Client::builder().read_timeout(READ_TIMEOUT));
        [asking, client(reqwest::Client::builder())]
    });
    let [asking, sending] = CLIENTS.clone();
    HttpTransporter::new(Watched { asking, sending, follows_redirects })
}

/// The same over something else than the network.
#[cfg(any(test, fuzzing))]
pub(super) fn transport_over(answers: HttpTransporter) -> HttpTransporter {
    HttpTransporter::new(Watched { asking: answers.clone(), sending: answers, follows_redirects: true })
}

fn client(builder: reqwest::ClientBuilder) -> HttpTransporter {
    let client = builder
        .connect_timeout(CONNECT_TIMEOUT)
        // See `Redirect`.
        .redirect(reqwest::redirect::Policy::none())
        .tcp_keepalive(Duration::from_secs(30))
        .user_agent(concat!("longhaul/", env!("CARGO_PKG_VERSION")))
        .build()
        .expect("a client without certificates of its own can be made");
    HttpTransporter::new(opendal_http_transport_reqwest::ReqwestTransport::new(client))
}

/// Two clients, since one with a limit for answers counts the time as well that it takes to send what is asked.
struct Watched {
    asking: HttpTransporter,
    sending: HttpTransporter,
    follows_redirects: bool,
}

/// How long an answer to something that is sent, or takes the server some work, is waited for at most; `None` for a
/// question.
fn time_limit(request: &http::Request<Buffer>) -> Option<Duration> {
    match request.method().as_str() {
        "PUT" if request.headers().keys().any(|name| name.as_str().contains("copy-source")) => Some(WORK_TIMEOUT),
        "PUT" | "PATCH" => {
            let sending = Duration::from_secs(request.body().len() as u64 / SLOWEST_BYTES_PER_SECOND);
            Some(READ_TIMEOUT + sending)
        }
        "COPY" | "MOVE" | "POST" => Some(WORK_TIMEOUT),
        _ => None,
    }
}

/// Whether a request asks for something else than all of a file.
fn is_for_the_middle(request: &http::Request<Buffer>) -> bool {
    let range = request.headers().get(http::header::RANGE).and_then(|range| range.to_str().ok());
    range.is_some_and(|range| !range.starts_with("bytes=0-"))
}

impl Watched {
    /// Sends a request, and what follows from the redirections that are answered.
    async fn follow(&self, mut request: http::Request<Buffer>) -> Result<http::Response<HttpBody>, Error> {
        for _ in 0..=REDIRECTIONS_MAX {
            let again = request.clone();
            let response = self.send(request).await?;
            match Redirect::of(again, self.follows_redirects, response.status(), response.headers()) {
                Redirect::None => return Ok(response),
                Redirect::To(redirected) => request = *redirected,
                Redirect::Refused(origin) => {
                    note(&response);
                    let message =
                        format!("it redirects to {origin}, which is not followed: use the store's final address");
                    return Err(Error::new(ErrorKind::Unexpected, message));
                }
            }
        }
        Err(Error::new(ErrorKind::Unexpected, "the server redirects without end"))
    }

    async fn send(&self, request: http::Request<Buffer>) -> Result<http::Response<HttpBody>, Error> {
        match time_limit(&request) {
            None => self.asking.fetch(request).await,
            Some(limit) => tokio::time::timeout(limit, self.sending.fetch(request))
                .await
                .map_err(|_| Error::new(ErrorKind::Unexpected, "no answer came in time").set_temporary())?,
        }
    }
}

/// What follows from an answer.
#[derive(Debug)]
enum Redirect {
    /// It does not redirect.
    None,
    /// This request.
    To(Box<http::Request<Buffer>>),
    /// Nothing, since it leads to this origin.
    Refused(String),
}

impl Redirect {
    /// Where requests are signed none is followed: a signature is for one address, and the rest of such a request
    /// authenticates as well.
    ///
    /// To another origin goes only a question, and nothing with it that could authenticate: what a client takes out by
    /// itself is what it knows of, and there are more headers of that kind than it knows.
    fn of(
        mut request: http::Request<Buffer>,
        follows_redirects: bool,
        status: http::StatusCode,
        answer: &http::HeaderMap,
    ) -> Redirect {
        let location = answer.get(http::header::LOCATION).and_then(|location| location.to_str().ok());
        let (true, Some(location)) = (matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308), location) else {
            return Redirect::None;
        };
        let asked = Url::parse(&request.uri().to_string());
        let Ok((told, asked)) = asked.and_then(|asked| Ok((asked.join(location)?, asked))) else {
            return Redirect::Refused("an address that cannot be understood".to_owned());
        };
        let is_same = told.origin() == asked.origin();
        let is_question = matches!(*request.method(), http::Method::GET | http::Method::HEAD);
        // What is told to look elsewhere for the answer (RFC 9110, 15.4.4) is not to be carried out there.
        let may_follow = follows_redirects && (is_question || is_same && status != http::StatusCode::SEE_OTHER);
        let is_http = matches!(told.scheme(), "http" | "https");
        let redirected = told.as_str().parse();
        let (true, Ok(redirected)) = (is_http && may_follow, redirected) else {
            return Redirect::Refused(origin_of(&told));
        };
        if is_same {
            request.headers_mut().remove(http::header::HOST);
        } else {
            let kept = request.headers().iter().filter(|(name, _)| HARMLESS.contains(name));
            let kept = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
            *request.headers_mut() = kept;
        }
        *request.uri_mut() = redirected;
        Redirect::To(Box::new(request))
    }
}

/// Scheme, host and port: nothing else of an address is shown, which a server may have put anything into.
fn origin_of(url: &Url) -> String {
    match url.origin() {
        origin if origin.is_tuple() => origin.ascii_serialization(),
        _ => format!("{}:", url.scheme()),
    }
}

/// Stores the status of a failed answer for the caller. A client that makes calls on its own tasks does not read it.
fn note<T>(answer: &http::Response<T>) {
    let retry_after = answer.headers().get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|text| delay(text, SystemTime::now()));
    let refusal = Refusal { status: answer.status().as_u16(), retry_after };
    let _ = CALL.try_with(|call| call.borrow_mut().refusal = Some(refusal));
}

impl HttpTransport for Watched {
    async fn fetch(&self, mut request: http::Request<Buffer>) -> Result<http::Response<HttpBody>, Error> {
        let additions = CALL.try_with(|call| call.borrow().additions.clone()).unwrap_or_default();
        let headers = add_to(&mut request, &additions);
        headers.map_err(|error| Error::new(ErrorKind::Unexpected, "a header cannot be sent").set_source(error))?;
        // A call may make several requests, and what one before was answered says nothing of one that gets no answer.
        let _ = CALL.try_with(|call| call.borrow_mut().refusal = None);
        let is_for_the_middle = is_for_the_middle(&request);
        let listing = Question::of(&request);
        let response = self.follow(request).await?;
        let status = response.status();
        // Some servers give the middle, and say so, with this status nevertheless.
        let is_whole = status == http::StatusCode::OK && !response.headers().contains_key(http::header::CONTENT_RANGE);
        if is_for_the_middle && is_whole {
            return Err(Error::new(ErrorKind::Unsupported, "the server cannot read from the middle of a file"));
        }
        let is_redirection = status.is_redirection() && status != http::StatusCode::NOT_MODIFIED;
        if status.is_client_error() || status.is_server_error() || is_redirection {
            note(&response);
        }
        match listing.filter(|_| status.is_success()) {
            Some(question) => {
                let (response, odd) = question.answered(response).await?;
                let _ = CALL.try_with(|call| call.borrow_mut().odd.extend(odd));
                Ok(response)
            }
            None => Ok(response),
        }
    }
}

fn add_to(request: &mut http::Request<Buffer>, additions: &Additions) -> Result<(), http::Error> {
    let method = request.method().as_str();
    if method == "PROPFIND" {
        request.headers_mut().insert(http::header::CONTENT_LENGTH, PROPERTIES.len().into());
        *request.body_mut() = Buffer::from(PROPERTIES);
    } else if additions.keeps_what_is_there && matches!(method, "MOVE" | "COPY") {
        request.headers_mut().insert("overwrite", http::HeaderValue::from_static("F"));
    } else if let (Some(seconds), "PUT") = (additions.modified_s, method) {
        request.headers_mut().insert("x-oc-mtime", http::HeaderValue::try_from(seconds.to_string())?);
    }
    Ok(())
}

/// What `Retry-After` says: seconds, or a date (RFC 9110, 10.2.3).
fn delay(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str) -> http::Request<Buffer> {
        http::Request::builder()
            .method(method)
            .uri("https://store.example/a/b?list=1")
            .header("host", "store.example")
            .header("authorization", "AWS4 Signature=1")
            .header("x-amz-security-token", "secret")
            .header("cookie", "session=secret")
            .header("range", "bytes=7-")
            .body(Buffer::new())
            .unwrap()
    }

    fn answered(location: &str) -> http::HeaderMap {
        http::HeaderMap::from_iter([(http::header::LOCATION, location.parse().unwrap())])
    }

    fn redirected(method: &str, follows_redirects: bool, status: u16, location: &str) -> Redirect {
        let status = http::StatusCode::from_u16(status).unwrap();
        Redirect::of(asked(method), follows_redirects, status, &answered(location))
    }

    fn request_to(redirect: Redirect) -> http::Request<Buffer> {
        match redirect {
            Redirect::To(request) => *request,
            other => panic!("{other:?}"),
        }
    }

    fn refused(redirect: Redirect) -> String {
        match redirect {
            Redirect::Refused(origin) => origin,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_that_authenticates_is_sent_to_another_origin() {
        for (location, origin) in [
            ("https://elsewhere.example/c?X-Amz-Signature=x", "https://elsewhere.example"),
            ("http://store.example/c", "http://store.example"),
            ("https://store.example:8443/c", "https://store.example:8443"),
            ("//elsewhere.example/c", "https://elsewhere.example"),
            ("https://store.example@elsewhere.example/c", "https://elsewhere.example"),
        ] {
            for status in [301, 302, 303, 307, 308] {
                let request = request_to(redirected("GET", true, status, location));
                let names: Vec<_> = request.headers().keys().map(http::HeaderName::as_str).collect();
                assert_eq!(names, ["range"], "{location}");
                for method in ["PUT", "PROPFIND"] {
                    assert_eq!(refused(redirected(method, true, status, location)), origin);
                }
                assert_eq!(refused(redirected("GET", false, status, location)), origin);
            }
        }
    }

    #[test]
    fn a_signed_request_is_not_redirected_at_all() {
        assert_eq!(refused(redirected("GET", false, 307, "/c")), "https://store.example");
        assert_eq!(refused(redirected("HEAD", false, 301, "https://store.example/a/")), "https://store.example");
    }

    #[test]
    fn a_server_may_redirect_to_another_place_of_its_own() {
        for (location, place) in [("/a/b/", "https://store.example/a/b/"), ("c?d", "https://store.example/a/c?d")] {
            let request = request_to(redirected("PROPFIND", true, 301, location));
            assert_eq!(request.uri(), place);
            assert_eq!(request.method(), "PROPFIND");
            assert!(request.headers().contains_key("authorization"));
        }
        for (location, scheme) in
            [("file:///etc/passwd", "file:"), ("data:,x", "data:"), ("sftp://store.example/", "sftp:")]
        {
            assert_eq!(refused(redirected("GET", true, 302, location)), scheme);
        }
        assert!(matches!(redirected("GET", true, 200, "/c"), Redirect::None));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        assert_eq!(delay("120", now), Some(Duration::from_mins(2)));
        assert_eq!(delay("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(7)));
        assert_eq!(delay("Sun, 06 Nov 1994 08:40:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(delay("soon", now), None);
    }
}
