//! Listings of S3, from the answers of a server to the entries that are recorded.
//!
//! - Whatever is answered, what is listed are names, or errors that can be shown and that do not repeat what authenticates us.
//! - What is no listing is an error, and not an empty folder.
//! - An input that begins with `#` has a name in each line: all of them are put into a sound answer, and all come out of it, as
//!   they are and each as often.

use longhaul_model::NodeKind;
use longhaul_storage::fuzzing::{HttpAnswer, list_over_http};

use crate::listings::{SECRET, check_http, check_listed, entries};

const LOCATION: &str = "s3://bucket/tree?region=us-east-1&endpoint=http://s3.invalid&anonymous=true";

pub fn check(data: &[u8]) {
    check_http(data, LOCATION, &[200], "ListBucketResult", check_names);
}

fn check_names(names: &str) {
    // XML has no way to write these.
    let is_in_xml = |c: char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    let names = names.split('\n').filter(|name| name.chars().all(is_in_xml));
    let (mut folders, mut files, mut expected) = (String::new(), String::new(), Vec::new());
    for (size, name) in (0_i64..).zip(names.take(64)) {
        let (name, is_folder) = name.strip_suffix('/').map_or((name, false), |name| (name, true));
        if matches!(name, "" | "." | "..") || name.contains('/') {
            continue;
        }
        let escaped = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        if is_folder {
            folders += &format!("<CommonPrefixes><Prefix>tree/in/{escaped}/</Prefix></CommonPrefixes>");
            expected.push((name.as_bytes().to_vec(), NodeKind::Folder, None));
        } else {
            files += &format!(
                "<Contents><Key>tree/in/{escaped}</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>\
                 <ETag>\"e\"</ETag><Size>{size}</Size></Contents>"
            );
            expected.push((name.as_bytes().to_vec(), NodeKind::File, Some(size)));
        }
    }
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult><Name>bucket</Name><Prefix>tree/in/</Prefix>\
         <IsTruncated>false</IsTruncated>{files}{folders}</ListBucketResult>"
    );
    let answer = HttpAnswer { status: 200, headers: Vec::new(), body: body.into_bytes() };
    let listed = list_over_http(LOCATION, b"/in", SECRET, vec![answer]);
    check_listed(&listed);
    expected.sort_by(|one, other| (&one.0, one.1.as_str(), one.2).cmp(&(&other.0, other.1.as_str(), other.2)));
    let found = entries(&listed).unwrap_or_else(|| panic!("a sound answer is refused: {listed:?}"));
    assert_eq!(found, expected);
}
