mod engine;

use longhaul_model::encode_name;
use proptest::prelude::*;

use super::*;

const DAY_NS: i64 = 86_400 * 1_000_000_000;

fn settings(lines: &str) -> FilterSettings {
    FilterSettings { rules: read_rules("f", lines.as_bytes()).unwrap(), at_ns: 1_000 * DAY_NS }
}

/// A path from the root; with a slash at its end, that of a folder.
struct Node<'a> {
    path: &'a [u8],
    size: i64,
    modified_ns: i64,
    kind: NodeKind,
}

impl<'a> Node<'a> {
    fn new(path: &'a (impl AsRef<[u8]> + ?Sized)) -> Node<'a> {
        let path = path.as_ref();
        let kind = if path.ends_with(b"/") { NodeKind::Folder } else { NodeKind::File };
        Node { path: path.strip_suffix(b"/").unwrap_or(path), size: 100, modified_ns: 0, kind }
    }

    /// The line by which it is left out when its folder is listed; nobody asks for that in a folder that is left out.
    fn line(&self, lines: &str) -> Option<String> {
        let settings = settings(lines);
        let filter = Filter::new(&settings).unwrap()?;
        let slash = self.path.iter().rposition(|byte| *byte == b'/').unwrap();
        let (folder, name) = (&self.path[..slash], &self.path[slash + 1..]);
        let mut page = Page::default();
        // It is not the only one, and the others make no difference.
        page.push(b"socket", NodeKind::Other, None, None);
        let size = (self.kind != NodeKind::Folder).then_some(self.size);
        page.push(name, self.kind, size, Some(self.modified_ns));
        let depth = folder.split(|byte| *byte == b'/').count() - 1;
        let folder = if folder.is_empty() { "/".into() } else { encode_name(folder) };
        filter.apply(&folder, i32::try_from(depth).unwrap(), &mut page);
        let left_out: Vec<_> = page.left_out().collect();
        assert!(left_out.iter().all(|(index, _)| *index == 1), "what is not carried over is passed over");
        left_out.first().map(|(_, rule)| settings.rules[*rule].text.clone())
    }

    fn is_left_out(&self, lines: &str) -> bool {
        self.line(lines).is_some()
    }
}

fn left_out(lines: &str, path: &(impl AsRef<[u8]> + ?Sized)) -> bool {
    Node::new(path).is_left_out(lines)
}

#[test]
fn patterns_mean_what_they_mean_in_a_gitignore() {
    for (pattern, yes, no) in [
        // Without a slash it fits at any depth, with one from the root on.
        ("*.tmp", &["/a.tmp", "/x/y/a.tmp", "/x.tmp/"][..], &["/a.tmp.txt", "/atmp"][..]),
        ("build", &["/build", "/x/build/"], &["/build.rs", "/rebuild"]),
        ("/build", &["/build", "/build/"], &["/x/build"]),
        ("x/build", &["/x/build"], &["/y/x/build", "/build"]),
        ("/x/*.o", &["/x/a.o"], &["/x/y/a.o", "/a.o"]),
        ("build/", &["/build/", "/x/build/"], &["/build"]),
        ("x/build/", &["/x/build/"], &["/x/build", "/y/x/build/"]),
        ("**/cache", &["/cache", "/a/b/cache"], &["/cached"]),
        ("a/**/b", &["/a/b", "/a/x/b", "/a/x/y/b"], &["/a/xb", "/x/a/b"]),
        ("a/**", &["/a/x", "/a/x/y"], &["/a/", "/b/a/x"]),
        ("*", &["/a", "/.hidden", "/a/b"], &[]),
        ("/***", &["/a", "/a/b"], &[]),
        ("a/***/b", &["/a/b", "/a/x/y/b"], &["/a/xb"]),
        ("/a***b", &["/ab", "/axyb"], &["/a/b", "/x/ab"]),
        ("a*b?c", &["/abxc", "/a-b-c"], &["/abc", "/a/bxc"]),
        ("[a-c]1", &["/a1", "/c1"], &["/d1", "/-1"]),
        ("[!a-c]1", &["/d1", "/-1"], &["/a1", "/x/1"]),
        ("[^a]", &["/b", "/x/b", "/é/b"], &["/a", "/x/a"]),
        ("x[!a]y", &["/xby", "/z/x-y"], &["/x/y", "/xay"]),
        ("/x[ -~]y", &["/xby", "/x.y", "/x0y"], &["/x/y"]),
        ("[]-]", &["/]", "/-"], &["/a"]),
        ("[!]x]", &["/a", "/-"], &["/]", "/x"]),
        (r"[\]\-\\]", &["/]", "/-", "/\\"], &["/a"]),
        (r"[\!^]", &["/!", "/^"], &["/a", "/["]),
        (r"[\^-]", &["/^", "/-"], &["/a"]),
        ("[+--]", &["/+", "/,", "/-"], &["/.", "/*"]),
        // What means something elsewhere.
        ("{a,b}.txt", &["/{a,b}.txt"], &["/a.txt", "/b.txt"]),
        (r"\#x", &["/#x"], &["/x"]),
        (r"\!x", &["/!x"], &["/x"]),
        (r"\*", &["/*"], &["/a"]),
        (r"a\[b]", &["/a[b]"], &["/ab"]),
        (r"\where: name = x", &["/where: name = x"], &["/x"]),
        ("end ", &["/end"], &["/end "]),
        (r"end\ ", &["/end "], &["/end"]),
        (r"end\  ", &["/end "], &["/end", "/end  "]),
        ("end\t", &["/end\t"], &["/end"]),
        ("new*line", &["/new\nline", "/newline"], &["/new/line"]),
        ("Case", &["/Case"], &["/case"]),
        ("./x", &[], &["/x", "/./x"]),
    ] {
        for path in yes {
            assert!(left_out(pattern, path), "{pattern} leaves out {path}");
        }
        for path in no {
            assert!(!left_out(pattern, path), "{pattern} leaves {path} in");
        }
    }
}

#[test]
fn the_last_line_that_fits_decides() {
    let lines = "*.log\n!keep.log\n/x/keep.log\n!/y/\n";
    assert_eq!(Node::new("/a.log").line(lines).as_deref(), Some("*.log"));
    assert_eq!(Node::new("/keep.log").line(lines), None);
    assert_eq!(Node::new("/x/keep.log").line(lines).as_deref(), Some("/x/keep.log"));
    assert!(!left_out("y\n!y/\n", "/y/") && left_out("y\n!y/\n", "/y"));
    // Conditions and patterns stand in one order.
    for (lines, is_left_out) in [
        ("where: size > 10\n!a.iso", false),
        ("!a.iso\nwhere: size > 10", true),
        ("a.iso\n!where: size > 10", false),
        ("a.iso\n!where: size > 1000", true),
        ("!where: size > 10\na.iso", true),
        ("where: size > 10\n!where: name = a.iso\nwhere: depth > 7", false),
    ] {
        assert_eq!(left_out(lines, "/a.iso"), is_left_out, "{lines}");
    }
}

#[test]
fn names_are_bytes() {
    assert!(left_out("*.tmp", b"/caf\xe9.tmp"));
    assert!(left_out("/x?/*.tmp", b"/x\xff/\xfe\xfd.tmp"));
    assert!(!left_out("/x?/a", b"/x\xff\xff/a"));
    assert!(left_out("é", "/é") && !left_out("é", b"/\xe9"));
    assert!(left_out(r#"where: name = "\xe9.tmp""#, b"/\xe9.tmp"));
    assert!(left_out(r"a\\b", br"/a\b"));
    assert!(!left_out("a*", b"/\xe9a"));
}

#[test]
fn conditions_are_about_what_a_listing_says() {
    let old = Node { modified_ns: 10 * DAY_NS, ..Node::new("/x/old.iso") };
    for (condition, yes) in [
        ("size >= 100", true),
        ("size > 100", false),
        ("kind = file and name ~ \"*.iso\"", true),
        ("path ~ \"/x/*\"", true),
        ("under /x", true),
        ("under /x/ol", false),
        ("depth > 1", true),
        ("depth > 2", false),
        ("modified < 1970-01-11", false),
        ("modified < 1970-01-12", true),
        ("modified < 990d ago", false),
        ("modified < 989d ago", true),
        ("not modified < 989d", false),
    ] {
        assert_eq!(old.is_left_out(&format!("where: {condition}")), yes, "{condition}");
    }
}

#[test]
fn a_folder_is_never_too_old_or_too_large_but_may_be_too_deep() {
    let (folder, file) = (Node::new("/x/old/"), Node::new("/x/old"));
    for condition in ["modified < 1990-01-01", "not size > 1G", "modified < 1990-01-01 or name = old"] {
        let line = format!("where: {condition}");
        assert!(file.is_left_out(&line) && !folder.is_left_out(&line), "{condition}");
    }
    for condition in ["depth > 1", "kind = folder", "under /x"] {
        assert!(folder.is_left_out(&format!("where: {condition}")), "{condition}");
    }
    let link = Node { kind: NodeKind::Symlink, ..Node::new("/build") };
    assert!(link.is_left_out("build") && !link.is_left_out("build/"), "a link to a folder is none");
}

#[test]
fn rules_are_read_line_by_line() {
    let rules = read_rules("list", b"\xef\xbb\xbf# first\r\n\r\n*.tmp\r\n   \n  \\ \n\nlast").unwrap();
    let rules: Vec<_> = rules.iter().map(|rule| (rule.from.as_str(), rule.text.as_str())).collect();
    assert_eq!(rules, [("list:3", "*.tmp"), ("list:5", "  \\ "), ("list:7", "last")]);
    assert!(Filter::new(&FilterSettings::default()).unwrap().is_none());
}

#[test]
fn a_bad_line_is_told_with_its_place() {
    for (line, column, message) in [
        ("where: size > lots", 15, "not a size"),
        ("where: copy = failed", 8, "a filter knows nothing of that"),
        ("!where: side = dst", 9, "a filter knows nothing of that"),
        ("where:", 7, "a test is missing"),
        ("where: depth > 3 or", 20, "a test is missing"),
        ("é[a", 2, "without its ]"),
        ("x[b-a]", 3, "ends before it begins"),
        ("[[:digit:]]", 2, "[:digit:]"),
        ("[/]", 1, "fits nothing"),
        ("[é]", 2, "single bytes"),
        ("abc\\", 4, "\\ without"),
        ("a\u{1b}b", 2, "control character"),
        ("!", 1, "fits nothing"),
        ("/", 1, "fits nothing"),
    ] {
        let error = read_rules("some list", format!("fine\n{line}\n").as_bytes()).unwrap_err();
        assert_eq!((error.from.as_str(), error.column), ("some list:2", column), "{line}: {error}");
        assert!(error.message.contains(message), "{line}: {error}");
    }
    let error = read_rules("l", b"a\nb\nx\xff\n").unwrap_err();
    assert_eq!((error.from.as_str(), error.column), ("l:3", 2), "{error}");
    let long = "a".repeat(RULE_BYTES_MAX + 1);
    assert!(read_rules("l", long.as_bytes()).unwrap_err().message.contains("more than"));
    for text in ["", "#x"] {
        let rule = FilterRule { from: "--filter".to_owned(), text: text.to_owned() };
        assert!(Filter::new(&FilterSettings { rules: vec![rule], at_ns: 0 }).is_err(), "{text:?}");
    }
}

proptest! {
    /// What one set stands for, in all places of it.
    #[test]
    fn a_set_stands_for_its_characters_and_never_for_a_slash(
        negated in any::<bool>(),
        ranges in prop::collection::vec((b' '..=b'~', 0_u8..40, any::<bool>()), 1..4),
    ) {
        let ranges: Vec<(u8, u8)> = ranges.into_iter().map(|(first, more, is_range)| {
            (first, if is_range { (first + more).min(b'~') } else { first })
        }).collect();
        let escaped = |byte: u8| format!("\\{}", char::from(byte));
        let inner: String = ranges.iter().map(|(first, last)| {
            if first == last { escaped(*first) } else { format!("{}-{}", escaped(*first), escaped(*last)) }
        }).collect();
        prop_assume!(negated || ranges.iter().any(|range| *range != (b'/', b'/')));
        let pattern = format!("[{}{inner}]", if negated { "!" } else { "" });
        for byte in (b' '..=b'~').filter(|byte| *byte != b'/') {
            let fits = ranges.iter().any(|(first, last)| (first..=last).contains(&&byte)) != negated;
            prop_assert_eq!(left_out(&pattern, &[b'/', byte]), fits, "{} and {}", pattern, char::from(byte));
        }
        prop_assert!(!left_out(&format!("/x{pattern}y"), "/x/y"), "{}", pattern);
    }

    #[test]
    fn any_line_is_taken_or_refused_at_a_place_within_it(line in "[ !#*?/\\[\\]\\\\{}a-c^é\t-]{0,12}") {
        match read_rules("f", line.as_bytes()) {
            Ok(rules) => {
                let filter = Filter::new(&FilterSettings { rules, at_ns: 0 });
                prop_assert!(filter.is_ok(), "{}: {:?}", line, filter);
            }
            Err(error) => prop_assert!(error.column <= line.chars().count() + 1),
        }
    }
}
