//! Answers that list something. A client takes nearly any answer for a listing, however long, and follows it as long as
//! the server says that there is more: so it is looked at before the client sees it.
//!
//! - It has an end: [`BYTES_MAX`].
//! - It is a listing: the root of the document is the one of the protocol. A proxy's page with the status 200 is not.
//! - It makes progress: where there is more, it says how to ask for it, and not as it was asked.

use std::borrow::Cow;

use futures_util::stream;
use opendal::{Buffer, Error, ErrorKind, HttpBody};
use quick_xml::Reader;
use quick_xml::events::Event;
use url::Url;

/// Bytes of an answer that lists something. A page of a thousand entries with the longest names has a tenth of it; a server of
/// files has no pages, and its folders may have some 100,000 entries.
const BYTES_MAX: u64 = 64 << 20;

/// A question for a listing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// The next page of a bucket, from this place on; `None` for the first one.
    Bucket {
        /// As the page before said it.
        token: Option<String>,
    },
    /// What there is in a folder, or what it is itself.
    Folder,
}

impl Question {
    /// What a request asks for; `None` where it does not ask for a listing.
    pub(super) fn of(request: &http::Request<Buffer>) -> Option<Question> {
        match request.method().as_str() {
            "PROPFIND" => Some(Question::Folder),
            "GET" => {
                let url = Url::parse(&request.uri().to_string()).ok()?;
                let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value);
                value("list-type").filter(|version| version == "2")?;
                Some(Question::Bucket { token: value("continuation-token").map(Cow::into_owned) })
            }
            _ => None,
        }
    }

    /// Reads an answer that says it is a success, and looks whether it is one.
    pub(super) async fn answered(&self, answer: http::Response<HttpBody>) -> Result<http::Response<HttpBody>, Error> {
        let (parts, mut body) = answer.into_parts();
        let bytes = read(&mut body).await?;
        self.check(&bytes.to_bytes())?;
        let length = bytes.len() as u64;
        let body = HttpBody::new(stream::iter([Ok(bytes)]), Some(length));
        Ok(http::Response::from_parts(parts, body))
    }

    fn check(&self, answer: &[u8]) -> Result<(), Error> {
        let root = root_of(answer);
        let due = match self {
            Question::Bucket { .. } => "ListBucketResult",
            Question::Folder => "multistatus",
        };
        if root.as_deref() != Some(due) {
            let found =
                root.map_or_else(|| "nothing that can be read".to_owned(), |root| format!("<{}>", shown(&root)));
            return Err(wrong(format!("the answer is no listing: it has {found} in place of <{due}>")));
        }
        let Question::Bucket { token } = self else { return Ok(()) };
        let next = text_of(answer, "NextContinuationToken").filter(|next| !next.is_empty());
        let is_truncated = text_of(answer, "IsTruncated").as_deref() == Some("true");
        match next {
            None if is_truncated => Err(wrong("the listing says that there is more, and not where".to_owned())),
            Some(next) if is_truncated && token.as_deref() == Some(&*next) => {
                Err(wrong("the listing makes no progress: the next page is the one that was asked for".to_owned()))
            }
            _ => Ok(()),
        }
    }
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

/// The name of the first element, without what stands before a colon.
fn root_of(answer: &[u8]) -> Option<String> {
    let mut reader = Reader::from_reader(answer);
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) | Event::Empty(element) => return Some(element.local_name().into_inner().to_owned()),
            Event::Eof => return None,
            _ => {}
        }
    }
}

/// The text of the first element called so. S3's have no prefixes.
fn text_of<'a>(answer: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    let answer = std::str::from_utf8(answer).ok()?;
    let (_, rest) = answer.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once('<')?;
    quick_xml::escape::unescape(text.trim()).ok()
}

/// A server's word, as far as it is worth being shown.
fn shown(word: &str) -> String {
    word.chars().filter(char::is_ascii_alphanumeric).take(40).collect()
}

/// It may go better the next time: a server in trouble answers so, and a proxy before it.
fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Unexpected, message).set_temporary()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(method: &str, uri: &str) -> Option<Question> {
        Question::of(&http::Request::builder().method(method).uri(uri).body(Buffer::new()).unwrap())
    }

    fn page(more: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<!-- x --><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{more}\
             </ListBucketResult>"
        )
    }

    #[test]
    fn what_asks_for_a_listing_is_known() {
        let first = "https://s3.example/b?delimiter=/&list-type=2";
        assert_eq!(question("GET", first), Some(Question::Bucket { token: None }));
        let next = format!("{first}&continuation-token=a%2Bb%2F%3D");
        assert_eq!(question("GET", &next), Some(Question::Bucket { token: Some("a+b/=".to_owned()) }));
        assert_eq!(question("PROPFIND", "https://dav.example/x"), Some(Question::Folder));
        for (method, uri) in [("GET", "https://s3.example/b/list-type=2"), ("PUT", first), ("HEAD", first)] {
            assert_eq!(question(method, uri), None, "{method} {uri}");
        }
    }

    #[test]
    fn only_a_listing_is_one() {
        let bucket = Question::Bucket { token: None };
        assert!(bucket.check(page("").as_bytes()).is_ok());
        assert!(Question::Folder.check(b"<d:multistatus xmlns:d=\"DAV:\"/>").is_ok());
        for answer in [
            "",
            "OK",
            "{}",
            "<a/>",
            "<Error><Code>InternalError</Code></Error>",
            "<html><body>Login</body></html>",
            "\0",
        ] {
            let error = bucket.check(answer.as_bytes()).unwrap_err();
            assert!(error.is_temporary() && error.to_string().contains("the answer is no listing"), "{error}");
            assert!(Question::Folder.check(answer.as_bytes()).is_err(), "{answer}");
        }
    }

    #[test]
    fn a_page_says_how_to_go_on_and_not_as_it_was_asked() {
        let truncated = |token: &str| page(&format!("<IsTruncated>true</IsTruncated>{token}"));
        let next = truncated("<NextContinuationToken>a&amp;b</NextContinuationToken>");
        let asked = |token: Option<&str>| Question::Bucket { token: token.map(str::to_owned) };
        assert!(asked(None).check(next.as_bytes()).is_ok());
        assert!(asked(Some("before")).check(next.as_bytes()).is_ok());
        assert!(asked(Some("a&b")).check(next.as_bytes()).is_err());
        for token in ["", "<NextContinuationToken></NextContinuationToken>"] {
            assert!(asked(None).check(truncated(token).as_bytes()).is_err());
        }
        let last = page("<IsTruncated>false</IsTruncated>");
        assert!(asked(Some("a&b")).check(last.as_bytes()).is_ok());
    }

    #[tokio::test]
    async fn an_answer_without_end_is_given_up() {
        let piece = Buffer::from(vec![b'x'; 1 << 20]);
        let endless = HttpBody::new(stream::repeat_with(move || Ok(piece.clone())), None);
        let error = Question::Folder.answered(http::Response::new(endless)).await.err().unwrap();
        assert!(error.to_string().contains("more than 64 MiB"), "{error}");
        let whole = HttpBody::new(
            stream::iter([Ok(Buffer::from("<x:multistatus>")), Ok(Buffer::from("</x:multistatus>"))]),
            None,
        );
        let mut answer = Question::Folder.answered(http::Response::new(whole)).await.ok().unwrap();
        assert_eq!(answer.body_mut().to_buffer().await.unwrap().to_vec(), b"<x:multistatus></x:multistatus>");
    }
}
