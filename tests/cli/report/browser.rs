//! What a browser makes of the page: the figures are there, nothing of a name runs, and it can be printed.

use std::process::{Command, Output};

use super::{HOSTILE, migrate, place, report, summary};
use crate::program::Place;

const BROWSER: &str = "chromium";

/// Runs the browser on the page of a report. `None` where there is none, which is said; in continuous integration that is
/// a failure.
fn browse(place: &Place, arguments: &[&str]) -> Option<Output> {
    let page = format!("file://{}", place.path("report/report.html").display());
    let profile = format!("--user-data-dir={}", place.path("browser").display());
    let mut command = Command::new(BROWSER);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", &profile]);
    match command.args(arguments).arg(&page).output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(output)
        }
        Err(error) => {
            let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(!in_ci, "{BROWSER} cannot be run: {error}");
            eprintln!("skipped: {BROWSER} cannot be run: {error}");
            None
        }
    }
}

/// What is in an element, as text: without tags, and with characters as they are.
fn text_of(dom: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for character in dom.chars() {
        match character {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ if !in_tag => text.push(character),
            _ => {}
        }
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&nbsp;", " ").replace("&amp;", "&")
}

fn section<'a>(dom: &'a str, id: &str) -> &'a str {
    let start = dom.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("there is no {id}"));
    let rest = &dom[start..];
    &rest[..rest.find("</section>").unwrap_or(rest.len())]
}

#[test]
fn a_browser_shows_the_figures_and_runs_nothing() {
    let place = place();
    migrate(&place);
    assert_eq!(report(&place, "report").code, Some(0));
    let Some(output) = browse(&place, &["--dump-dom"]) else { return };
    let dom = String::from_utf8(output.stdout).expect("the page is UTF-8");
    let lower = dom.to_lowercase();
    for element in ["<script", "<img", "<iframe"] {
        assert!(!lower.contains(element), "a name has become {element}");
    }
    assert!(dom.contains("<title>Migration report: "), "the title is ours");

    let text = text_of(section(&dom, "problems")) + &text_of(section(&dom, "items"));
    for name in HOSTILE {
        // A browser makes one space of a line break; a name's is written `\n`.
        assert!(text.contains(&format!("/hostile/{} fifo", name.replace('\n', "\\n"))), "{name}");
    }
    let figures = summary(&place, "report");
    let outcome = text_of(section(&dom, "outcome"));
    for figure in ["moved", "there_already", "waiting", "not_moved"] {
        let files = figures["files"][figure]["nodes"].as_i64().unwrap();
        let plural = if files == 1 { "" } else { "s" };
        assert!(outcome.contains(&format!("{files} file{plural}")), "{figure}: {files} in {outcome}");
    }
    let conclusion = text_of(&dom);
    for sentence in figures["conclusion"]["sentences"].as_array().unwrap() {
        assert!(conclusion.contains(sentence.as_str().unwrap()), "{sentence}");
    }
}

#[test]
fn a_browser_prints_the_page() {
    let place = place();
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_eq!(report(&place, "report").code, Some(0));
    let printed = place.path("report.pdf");
    let print = format!("--print-to-pdf={}", printed.display());
    if browse(&place, &[&print, "--no-pdf-header-footer"]).is_none() {
        return;
    }
    let pdf = std::fs::read(printed).expect("it was printed");
    assert!(pdf.starts_with(b"%PDF-") && pdf.len() > 10_000, "{} bytes", pdf.len());
}
