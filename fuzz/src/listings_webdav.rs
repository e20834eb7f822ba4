//! Listings of WebDAV, from the answers of a server to the entries that are recorded.
//!
//! - Whatever is answered, what is listed are names, or errors that can be shown and that do not repeat what authenticates us.
//! - What is no listing is an error, and not an empty folder.
//! - An input that begins with `#` has a name in each line: all of them are put into a sound answer, and all come out of it, as
//!   they are and each as often. A name that begins with `^` is put beside the folder in place of into it, which is an error.

use longhaul_model::NodeKind;
use longhaul_storage::fuzzing::{HttpAnswer, list_over_http};

use crate::listings::{SECRET, check_http, check_listed, entries};

const LOCATION: &str = "webdav+http://dav.invalid/dav/tree";

pub fn check(data: &[u8]) {
    check_http(data, LOCATION, &[200, 207], "multistatus", check_names);
}

fn check_names(names: &str) {
    let mut responses = response("/dav/tree/in/", true, 0);
    let (mut expected, mut is_beside) = (Vec::new(), false);
    for (size, name) in (0_i64..).zip(names.split('\n').take(64)) {
        let (name, beside) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
        let (name, is_folder) = name.strip_suffix('/').map_or((name, false), |name| (name, true));
        if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
            continue;
        }
        let escaped: String = name
            .bytes()
            .map(|byte| match byte {
                byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            })
            .collect();
        let slash = if is_folder { "/" } else { "" };
        if beside && name != "in" {
            is_beside = true;
            responses += &response(&format!("/dav/tree/{escaped}{slash}"), is_folder, size);
        } else {
            responses += &response(&format!("/dav/tree/in/{escaped}{slash}"), is_folder, size);
            let kind = if is_folder { NodeKind::Folder } else { NodeKind::File };
            expected.push((name.as_bytes().to_vec(), kind, (!is_folder).then_some(size)));
        }
    }
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><D:multistatus xmlns:D=\"DAV:\">{responses}</D:multistatus>"
    );
    let answer = HttpAnswer { status: 207, headers: Vec::new(), body: body.into_bytes() };
    let listed = list_over_http(LOCATION, b"/in", SECRET, vec![answer]);
    check_listed(&listed);
    expected.sort_by(|one, other| (&one.0, one.1.as_str(), one.2).cmp(&(&other.0, other.1.as_str(), other.2)));
    match entries(&listed) {
        Some(found) => assert!(!is_beside && found == expected, "{found:?} in place of {expected:?}"),
        None => assert!(is_beside, "a sound answer is refused: {listed:?}"),
    }
}

fn response(href: &str, is_folder: bool, size: i64) -> String {
    let kind = if is_folder { "<D:collection/>" } else { "" };
    format!(
        "<D:response><D:href>{href}</D:href><D:propstat><D:prop><D:resourcetype>{kind}</D:resourcetype>\
         <D:getcontentlength>{size}</D:getcontentlength><D:getlastmodified>Sat, 07 May 2022 15:53:32 GMT</D:getlastmodified>\
         </D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )
}
