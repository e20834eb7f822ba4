use super::*;

fn question(method: &str, uri: &str, depth: &str) -> Option<Question> {
    Question::of(&http::Request::builder().method(method).uri(uri).header("depth", depth).body(Buffer::new()).unwrap())
}

fn bucket(prefix: &str, token: Option<&str>) -> Question {
    Question::Bucket { prefix: prefix.to_owned(), token: token.map(str::to_owned) }
}

fn folder(path: &str) -> Question {
    Question::Folder { path: path.to_owned() }
}

fn page(more: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<!-- x --><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{more}\
         </ListBucketResult>"
    )
}

fn object(key: &str, size: &str, modified: &str) -> String {
    format!("<Contents><Key>{key}</Key><LastModified>{modified}</LastModified><Size>{size}</Size></Contents>")
}

/// A response of a server, with its properties and their status.
fn response(href: &str, properties: &str, status: &str) -> String {
    format!(
        "<d:response><d:href>{href}</d:href><d:propstat><d:prop>{properties}</d:prop><d:status>{status}</d:status>\
         </d:propstat></d:response>"
    )
}

fn multistatus(responses: &str) -> String {
    format!("<d:multistatus xmlns:d=\"DAV:\">{responses}</d:multistatus>")
}

const OK: &str = "HTTP/1.1 200 OK";
const FILE: &str = "<d:getcontentlength>3</d:getcontentlength>\
                    <d:getlastmodified>Mon, 06 Jan 2020 00:00:00 GMT</d:getlastmodified>";

#[test]
fn what_asks_for_a_listing_is_known() {
    let first = "https://s3.example/b?delimiter=/&list-type=2";
    assert_eq!(question("GET", first, ""), Some(bucket("", None)));
    let next = format!("{first}&prefix=a%2Bb%20/&continuation-token=a%2Bb%2F%3D");
    assert_eq!(question("GET", &next, ""), Some(bucket("a+b /", Some("a+b/="))));
    assert_eq!(question("PROPFIND", "https://dav.example/x%20y", "1"), Some(folder("/x y/")));
    assert_eq!(question("PROPFIND", "https://dav.example/", "1"), Some(folder("/")));
    assert_eq!(question("PROPFIND", "https://dav.example/x", "0"), Some(Question::Itself));
    for (method, uri) in [("GET", "https://s3.example/b/list-type=2"), ("PUT", first), ("HEAD", first)] {
        assert_eq!(question(method, uri, ""), None, "{method} {uri}");
    }
}

#[test]
fn only_a_listing_is_one() {
    assert!(bucket("", None).rewritten(&page("")).is_ok());
    assert!(folder("/").rewritten("\u{feff}<d:multistatus xmlns:d=\"DAV:\"/>").is_ok());
    for answer in
        ["", "OK", "{}", "<a/>", "<Error><Code>InternalError</Code></Error>", "<html><body>Login</body></html>", "\0"]
    {
        let error = bucket("", None).rewritten(answer).unwrap_err();
        assert!(error.is_temporary() && error.to_string().contains("the answer is no listing"), "{error}");
        assert!(folder("/").rewritten(answer).is_err(), "{answer}");
    }
    let whole = page(&object("a", "1", "2020-01-01T00:00:00Z"));
    for end in whole.find("<ListBucketResult").unwrap()..whole.len() {
        assert!(bucket("", None).rewritten(&whole[..end]).is_err(), "{}", &whole[..end]);
    }
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    assert!(bucket("", None).rewritten(&page(&deep)).is_err());
}

#[test]
fn an_answer_that_repeats_a_secret_is_not_shown_with_it() {
    crate::secrets::know(&"a'secret'of'ours".into());
    let error = folder("/").rewritten("<html-a'secret'of'ours>").unwrap_err().to_string();
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn a_page_says_how_to_go_on_and_not_as_it_was_asked() {
    let truncated = |token: &str| page(&format!("<IsTruncated>true</IsTruncated>{token}"));
    let next = truncated("<NextContinuationToken>a&amp;b</NextContinuationToken>");
    assert!(bucket("", None).rewritten(&next).is_ok());
    let rewritten = bucket("", Some("before")).rewritten(&next).unwrap().text;
    assert!(rewritten.contains("<NextContinuationToken>a&amp;b</NextContinuationToken>"), "{rewritten}");
    assert!(bucket("", Some("a&b")).rewritten(&next).is_err());
    for token in ["", "<NextContinuationToken></NextContinuationToken>"] {
        assert!(bucket("", None).rewritten(&truncated(token)).is_err());
    }
    let untold = page("<NextContinuationToken>x</NextContinuationToken>");
    assert!(bucket("", Some("x")).rewritten(&untold).is_err());
    assert!(bucket("", None).rewritten(&page("")).unwrap().text.contains("<IsTruncated>false<"));
    assert!(bucket("", None).rewritten(&page("<IsTruncated>maybe</IsTruncated>")).is_err());
    let last = page("<IsTruncated>false</IsTruncated>");
    assert!(bucket("", Some("a&b")).rewritten(&last).is_ok());
}

#[test]
fn what_cannot_be_read_of_an_object_is_not_known() {
    for (size, modified) in [
        ("-5", "2020-01-01T00:00:00Z"),
        ("1e9", "2020-01-01T00:00:00Z"),
        ("", "yesterday"),
        ("3", "9999-12-31T23:59:59Z"),
        ("3", ""),
    ] {
        let listing = page(&object("a", size, modified));
        let Rewritten { text, odd } = bucket("", None).rewritten(&listing).unwrap();
        assert_eq!(
            (odd, text.contains(NO_SIZE), text.contains(NO_TIME_OF_BUCKET)),
            (vec![], size != "3", modified.len() != 20 || size == "3"),
            "{text}"
        );
    }
    assert!(NO_TIME_OF_BUCKET.parse::<Timestamp>().is_ok() && Timestamp::parse_rfc2822(NO_TIME_OF_FOLDER).is_ok());
    assert!(NO_SIZE.parse::<u64>().is_ok_and(|size| i64::try_from(size).is_err()));
}

#[test]
fn a_key_is_what_it_was_or_cannot_be_a_name() {
    for (key, due) in [
        (" a ", "<Key> a </Key>"),
        ("a&amp;b&lt;", "<Key>a&amp;b&lt;</Key>"),
        ("a&#13;b&#x41;", "<Key>a&#13;bA</Key>"),
        ("<![CDATA[a<b]]>", "<Key>a&lt;b</Key>"),
        ("a&#0;b", "<Key>a\0b</Key>"),
        ("a&#xD800;b", "<Key>a\0b</Key>"),
        ("a&xxe;b", "<Key>a\0b</Key>"),
    ] {
        let text = bucket("", None).rewritten(&page(&object(key, "1", "2020-01-01T00:00:00Z"))).unwrap().text;
        assert!(text.contains(due), "{text}");
    }
}

#[test]
fn a_key_that_is_elsewhere_is_named_and_left_out() {
    let keys =
        [object("dir/a", "1", ""), object("other/b", "1", ""), object(&format!("dir/{}", "n".repeat(70_000)), "1", "")];
    let prefix = "<CommonPrefixes><Prefix>d</Prefix></CommonPrefixes><Contents><Size>1</Size></Contents>";
    let Rewritten { text, odd } = bucket("dir/", None).rewritten(&page(&(keys.concat() + prefix))).unwrap();
    assert!(text.contains("dir/a") && !text.contains("other/b") && text.len() < 1_000, "{text}");
    let odd: Vec<_> = odd.into_iter().map(|odd| (odd.name, odd.why.chars().take(60).collect::<String>())).collect();
    assert_eq!(odd.len(), 4);
    assert_eq!(odd[0], (None, "the key \"other/b\" does not begin with \"dir/\" as asked for".to_owned()));
}

#[test]
fn an_address_is_read_however_it_is_written() {
    let due = |name: &str| Ok(name.to_owned());
    for (href, name) in [
        ("/my%20dav/a%2Bb", "a+b"),
        ("/my dav/a+b", "a+b"),
        ("/my%20dav/%C3%BC", "ü"),
        ("/my%20dav/%c3%bc", "ü"),
        ("http://host/my%20dav/f", "f"),
        ("HTTPS://host:8443/my%20dav/f", "f"),
        ("http://elsewhere/my%20dav/sub/", "sub/"),
        ("/my%20dav/", ""),
        ("/my%20dav", ""),
        ("http://host/my%20dav", ""),
        ("/my%20dav/a://b/c", "a://b/c"),
        ("/my%20dav/%ff", "\0"),
    ] {
        assert_eq!(place(href, "/my dav/"), due(name), "{href}");
    }
    assert_eq!(place("http://host", "/"), due(""));
    for href in
        ["", "/", "/x", "f", "/my%20davx/f", "http://host/other/f", "ftp://host/my%20dav/f", "//host/my%20dav/f"]
    {
        assert!(place(href, "/my dav/").unwrap_err().contains("is not in the folder \"/my dav/\""), "{href}");
    }
}

#[test]
fn each_entry_of_a_folder_is_for_itself() {
    let gone = "<d:response><d:href>/x/gone</d:href><d:status>HTTP/1.1 404 Not Found</d:status></d:response>";
    let split = "<d:response><d:href>/x/split</d:href>\
                 <d:propstat><d:prop><d:getlastmodified/></d:prop><d:status>HTTP/1.1 404 Not Found</d:status></d:propstat>\
                 <d:propstat><d:prop><d:getcontentlength>7</d:getcontentlength></d:prop>\
                 <d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>";
    let answer = multistatus(
        &[
            response("/x", "<d:resourcetype><d:collection/></d:resourcetype>", OK),
            response("/x/file", FILE, OK),
            response("/x/denied", FILE, "HTTP/1.1 403 Forbidden"),
            response("/y/elsewhere", FILE, OK),
            gone.to_owned(),
            split.to_owned(),
        ]
        .concat(),
    );
    let Rewritten { text, odd } = folder("/x/").rewritten(&answer).unwrap();
    for part in ["<href>/x/</href>", "<href>/x/file</href>", "<href>/x/split</href>", "<getcontentlength>7<"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(text.matches("<response>").count(), 3);
    let named = |name: &str, why: &str| Odd { name: Some(name.to_owned()), why: why.to_owned() };
    assert_eq!(odd[0], named("denied", "the server lists it with the status 403"));
    assert_eq!(odd[1].name, None);
    assert_eq!(odd[2], named("gone", "the server lists it with the status 404"));
    assert_eq!(odd.len(), 3);
    let itself = |status: &str| Question::Itself.rewritten(&multistatus(&response("/x", FILE, status)));
    assert_eq!(itself("HTTP/1.1 404 Not Found").unwrap_err().kind(), ErrorKind::NotFound);
    assert!(itself("HTTP/1.1 500 Trouble").unwrap_err().is_temporary());
    assert!(itself(OK).is_ok());
    let more = response("/x", FILE, OK) + gone;
    assert!(Question::Itself.rewritten(&multistatus(&more)).is_ok());
}

#[test]
fn times_of_servers_are_read_in_several_forms() {
    for text in [
        "Mon, 06 Jan 2020 00:00:00 GMT",
        "Monday, 06-Jan-20 00:00:00 GMT",
        "Mon Jan  6 00:00:00 2020",
        "2020-01-06T00:00:00Z",
        "2020-01-06T01:00:00+01:00",
    ] {
        assert_eq!(http_time(text).as_deref(), Some("Mon, 06 Jan 2020 00:00:00 GMT"), "{text}");
    }
    for text in ["", "yesterday", "9999-12-31T23:59:59Z", "Fri, 31 Dec 9999 23:59:59 GMT", "1601-01-01T00:00:00Z"] {
        assert_eq!(http_time(text), None, "{text}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let piece = Buffer::from(vec![b'x'; 1 << 20]);
    let endless = HttpBody::new(stream::repeat_with(move || Ok(piece.clone())), None);
    let error = folder("/").answered(http::Response::new(endless)).await.err().unwrap();
    assert!(error.to_string().contains("more than 64 MiB"), "{error}");
    let pieces = [Ok(Buffer::from("<x:multistatus>")), Ok(Buffer::from("</x:multistatus>"))];
    let whole = HttpBody::new(stream::iter(pieces), None);
    let (mut answer, _) = folder("/").answered(http::Response::new(whole)).await.ok().unwrap();
    assert_eq!(answer.body_mut().to_buffer().await.unwrap().to_vec(), b"<multistatus></multistatus>");
}
