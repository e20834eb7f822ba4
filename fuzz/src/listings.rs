//! What the listings of all stores have in common.

use std::borrow::Cow;
use std::sync::Once;

use longhaul_model::{NodeKind, decode_name};
use longhaul_storage::fuzzing::{HttpAnswer, Listed, list_over_http};

/// What authenticates us. An answer has it in place of `{secret}`.
pub(crate) const SECRET: &str = "Tr0ub4dor\"and\\3";

/// The part of it that may not be seen either.
const PART_OF_SECRET: &str = "Tr0ub4dor";

/// Entries of one page, and the one that a remark may be about.
const PAGE_ENTRIES_MAX: usize = 4_096 + 1;

/// Lists a folder of `location` with the answers in `data`, and checks what comes of it. A first answer with one of the
/// `successes` that does not contain `root` must not be taken for a listing. Input after `#` is names for `check_names`.
pub(crate) fn check_http(data: &[u8], location: &str, successes: &[u16], root: &str, check_names: fn(&str)) {
    let_clients_panic();
    if let Some(names) = data.strip_prefix(b"#").and_then(|names| std::str::from_utf8(names).ok()) {
        return check_names(names);
    }
    let (path, answers) = script(data);
    let first = answers.first().map(|answer| (answer.status, answer.body.clone()));
    let listed = list_over_http(location, &path, SECRET, answers);
    check_listed(&listed);
    if let Some((_, body)) = first.filter(|(status, _)| successes.contains(status)) {
        let is_one = String::from_utf8_lossy(&body).contains(root);
        assert!(is_one || listed.iter().any(Result::is_err), "this was taken for a listing");
    }
}

/// A folder to list and a server's answers to that.
///
/// With `>` at the beginning, the first line of the input is the path of the folder. Answers have `%%%` in a line of its own
/// between them. The first line of each is its status, and what `Retry-After` or `Location` says; the rest is the body.
fn script(data: &[u8]) -> (Vec<u8>, Vec<HttpAnswer>) {
    let text = String::from_utf8_lossy(data);
    // What is no text is part of an answer as well.
    let is_text = matches!(text, Cow::Borrowed(_));
    // What the fuzzer has guessed of it was not told by us.
    let text = text.replace(PART_OF_SECRET, "-");
    let (path, text) = match text.strip_prefix('>').and_then(|rest| rest.split_once('\n')) {
        Some((path, rest)) => (path.to_owned(), rest.to_owned()),
        None => ("/".to_owned(), text),
    };
    let answers = text.split("\n%%%\n").take(16).map(|answer| {
        let (first, body) = answer.split_once('\n').unwrap_or(("200", answer));
        let (status, value) = first.split_once(' ').unwrap_or((first, ""));
        let names =
            [("retry-after", value.to_owned()), ("location", value.to_owned()), ("x-jfrog-version", value.to_owned())];
        let headers = if value.is_empty() { Vec::new() } else { names.into() };
        let mut body = body.replace("{secret}", SECRET).into_bytes();
        if !is_text {
            body.push(0xff);
        }
        HttpAnswer { status: status.parse().unwrap_or(200), headers, body }
    });
    let answers = answers.collect();
    (path.into_bytes(), answers)
}

/// What must hold of every listing, whatever the server answered.
pub(crate) fn check_listed(listed: &Listed) {
    for page in listed {
        match page {
            Ok(page) => {
                assert!(page.len() <= PAGE_ENTRIES_MAX);
                let remarked: Vec<usize> = page.remarks().map(|(index, _)| index).collect();
                for (index, entry) in page.iter().enumerate() {
                    let name = decode_name(entry.name).expect("it is printable");
                    assert!(!name.is_empty() && !name.contains(&b'/'), "{entry:?}");
                    let is_way = matches!(&name[..], b"." | b"..");
                    assert!(!is_way || entry.kind == NodeKind::Other, "{entry:?}");
                    assert!(entry.size.is_none_or(|size| size >= 0), "{entry:?}");
                    assert!(entry.kind != NodeKind::Other || remarked.contains(&index), "{entry:?} without a reason");
                }
                assert!(page.remarks().all(|(_, remark)| !remark.is_empty() && !remark.contains(char::is_control)));
            }
            Err(error) => {
                assert!(!error.message.is_empty() && error.message.chars().count() <= 400, "{error}");
                assert!(!error.message.contains(char::is_control), "{error:?}");
                assert!(!error.message.contains(PART_OF_SECRET), "{error}");
            }
        }
    }
}

/// Name, kind and size of every entry, in order of these; `None` where the listing failed.
pub(crate) fn entries(listed: &Listed) -> Option<Vec<(Vec<u8>, NodeKind, Option<i64>)>> {
    let mut entries = Vec::new();
    for page in listed {
        let page = page.as_ref().ok()?;
        entries.extend(
            page.iter().map(|entry| (decode_name(entry.name).expect("it is printable"), entry.kind, entry.size)),
        );
    }
    entries.sort_by(|one, other| (&one.0, one.1.as_str()).cmp(&(&other.0, other.1.as_str())));
    Some(entries)
}

/// A client that panics gives an error, as `longhaul_storage` has it, and is none of ours: the panics that count are those in
/// this repository. libFuzzer's own hook takes each for a crash.
pub(crate) fn let_clients_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let is_client = panic.location().is_some_and(|place| {
                ["opendal", "openssh-sftp", "ssh_format"].iter().any(|client| place.file().contains(client))
            });
            if !is_client {
                hook(panic);
            }
        }));
    });
}
