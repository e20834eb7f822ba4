//! Names that are known to be refused, or taken for one another, and any others.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const FILE: Place = Place { is_folder: false, is_in_root: false };
const FOLDER: Place = Place { is_folder: true, is_in_root: false };

fn broken(rules: RuleSet, name: &str) -> String {
    rules.check(name.as_bytes(), FILE).to_string()
}

fn proposed(rules: RuleSet, name: impl AsRef<[u8]>) -> String {
    String::from_utf8(rules.candidate(name.as_ref(), FILE, None, 0).unwrap()).unwrap()
}

#[test]
fn each_set_refuses_what_its_source_says() {
    use RuleSet::{Fat, Gcs, Linux, Macos, Ntfs, Onedrive, PosixPortable, S3, Windows};
    let long = "x".repeat(256);
    let wide = "ü".repeat(255);
    for (sets, name, expected) in [
        (&[Windows, Ntfs, Fat, Onedrive][..], "a:b", "character"),
        (&[Windows, Ntfs, Fat, Onedrive], "what?", "character"),
        (&[Windows, Ntfs, Fat, Onedrive], "tab\there", "character"),
        (&[Windows, Ntfs, Fat, Onedrive], "name.", "end"),
        (&[Windows, Ntfs, Fat, Onedrive], "name ", "end"),
        (&[Windows, Ntfs, Fat, Onedrive], "a:b. ", "character,end"),
        (&[Windows, Ntfs, Fat, Onedrive], "CON", "reserved"),
        (&[Windows, Ntfs, Fat, Onedrive], "con.tar.gz", "reserved"),
        (&[Windows, Ntfs, Fat, Onedrive], "Lpt1 .txt", "reserved"),
        (&[Windows, Ntfs, Fat, Onedrive], "COM².x", "reserved"),
        (&[Windows, Ntfs, Fat, Onedrive], "conference", ""),
        (&[Windows, Ntfs, Fat, Onedrive], "COM12", ""),
        (&[Windows, Ntfs, Fat, Linux, Macos], " x", ""),
        (&[Onedrive], " x", "beginning"),
        (&[Onedrive], "~$report.docx", "reserved"),
        (&[Onedrive], "a_VTI_b", "reserved"),
        (&[Onedrive], "Desktop.ini", "reserved"),
        (&[Onedrive], ".lock", "reserved"),
        (&[Onedrive], "100%#1 {x}", ""),
        (&[Windows, Ntfs, Fat, Linux, S3, PosixPortable], "desktop.ini", ""),
        (&[S3, Gcs], "line\nbreak", "character"),
        (&[S3, Gcs], "..", "reserved"),
        (&[S3, Gcs], "con: what?", ""),
        (&[PosixPortable], "-rf", "beginning"),
        (&[PosixPortable], "Übung", "character"),
        (&[PosixPortable], "a b", "character"),
        (&[PosixPortable], "a-b_c.D9", ""),
        (&[Linux, Macos], "line\nbreak: *?", ""),
        (&[Linux, PosixPortable], &long, "name_length"),
        (&[Windows, Ntfs, Fat, Onedrive, Macos], &long, "name_length"),
        (&[Windows, Ntfs, Fat, Onedrive, Macos], &wide, ""),
        (&[Linux], &wide, "name_length"),
        (&[S3, Gcs], &long, ""),
    ] {
        for &rules in sets {
            assert_eq!(broken(rules, name), expected, "{rules}: {name:?}");
        }
    }
    assert_eq!(broken(PosixPortable, "ö.txt"), "character");
    for rules in RuleSet::ALL {
        let expected = if rules == Linux { "" } else { "encoding" };
        assert_eq!(rules.check(b"caf\xe9", FILE).to_string(), expected, "{rules}");
        assert_eq!(broken(rules, "report-2024.txt"), "", "{rules}");
        assert_eq!(rules.as_str().parse::<RuleSet>().unwrap(), rules);
    }
    assert!("vms".parse::<RuleSet>().unwrap_err().to_string().contains("posix-portable"));
}

#[test]
fn some_names_are_reserved_in_their_place_only() {
    let rules = RuleSet::Onedrive;
    assert!(rules.check(b"Forms", Place { is_folder: true, is_in_root: true }).has(Rule::Reserved));
    assert!(rules.check(b"Forms", FOLDER).is_empty());
    assert!(rules.check(b"~old", FOLDER).has(Rule::Reserved));
    assert!(rules.check(b"~old", FILE).is_empty());
}

#[test]
fn folds_are_those_of_the_destination() {
    use RuleSet::{Linux, Macos, Onedrive, S3, Windows};
    let is_one = |rules: RuleSet, one: &str, other: &str| rules.fold(one.as_bytes()) == rules.fold(other.as_bytes());
    for (one, other, sets) in [
        ("README", "ReadMe", &[Windows, Macos, Onedrive][..]),
        ("ÜBER", "über", &[Windows, Macos, Onedrive]),
        ("u\u{308}ber", "über", &[Macos, Onedrive]),
        ("U\u{308}BER", "über", &[Macos, Onedrive]),
        ("STRASSE", "straße", &[Macos, Onedrive]),
        ("ΣΑΣ", "σας", &[Windows, Macos, Onedrive]),
        ("İ", "i", &[]),
        ("a", "b", &[]),
    ] {
        for rules in [Linux, Macos, Onedrive, S3, Windows] {
            assert_eq!(is_one(rules, one, other), sets.contains(&rules), "{rules}: {one} {other}");
        }
    }
    assert!(is_same_normalised("u\u{308}ber".as_bytes(), "über".as_bytes()));
    assert!(!is_same_normalised(b"A", b"a"));
    assert_ne!(Windows.fold(b"caf\xe9"), Windows.fold(b"caf\xe8"));
}

#[test]
fn proposals_take_away_as_little_as_can_be() {
    use RuleSet::{Onedrive, PosixPortable, S3, Windows};
    for (rules, name, expected) in [
        (Windows, "a:b?.txt", "a_b_.txt"),
        (Windows, "name. .", "name"),
        (Windows, "CON.txt", "_CON.txt"),
        (Windows, "...", "_"),
        (Windows, ".", "_"),
        (Onedrive, "  ~$x", "_~$x"),
        (Onedrive, "a_vti__VTI_b", "a-vti--vti-b"),
        (Onedrive, "desktop.ini", "_desktop.ini"),
        (PosixPortable, "--Übung für São Paulo.txt", "_Ubung_fur_Sao_Paulo.txt"),
        (S3, "a\nb", "a_b"),
    ] {
        assert_eq!(proposed(rules, name), expected, "{rules}: {name:?}");
    }
    assert_eq!(proposed(Windows, b"caf\xe9 \x92"), "café _");
    assert_eq!(RuleSet::Windows.candidate(b"a:b.txt", FILE, None, 1).unwrap(), b"a_b-2.txt");
    let long = format!("{}.jpeg", "ü".repeat(300));
    let name = proposed(Windows, &long);
    assert_eq!(Unit::Utf16.length_of(name.as_bytes()), 255);
    assert!(name.ends_with("ü.jpeg"));
    let short = RuleSet::Windows.candidate(b"a long name of a report.txt", FILE, Some(18), 0).unwrap();
    assert_eq!(short, b"a long name of.txt");
    assert_eq!(RuleSet::Windows.candidate(b"a long name.txt", FILE, Some(8), 0), None);
    // A cut can uncover what must not be there.
    assert_eq!(RuleSet::Windows.candidate(b"fifteen letters and more", FILE, Some(16), 0).unwrap(), b"fifteen letters");
}

#[test]
fn sets_of_rules_survive_being_numbers() {
    let mut broken = Broken::from(Rule::PathLength);
    broken.add(Rule::Encoding);
    assert_eq!(Broken::from_bits(broken.to_bits()), broken);
    assert_eq!(broken.to_string(), "encoding,path_length");
    assert!(Broken::from_bits(1 << 15).is_empty());
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        // Made of what matters to some set.
        prop::collection::vec(
            prop::sample::select(vec![
                ".", " ", ":", "~", "$", "_", "vti", "_vti_", "con", "LPT", "1", "¹", "-", "a", "A", "ß", "ü",
                "u\u{308}", "\n", "\0", "/", ".txt", "desktop", ".ini", ".lock", "forms", "🎉", "\u{fffe}", "ﬁ", "İ",
            ]),
            0..12
        )
        .prop_map(|parts| parts.concat().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..40),
        ("\\PC{1,4}", 1..400_usize).prop_map(|(text, times)| text.repeat(times).into_bytes()),
    ]
}

proptest! {
    #[test]
    fn a_candidate_is_at_odds_with_nothing_and_a_good_name_is_left_alone(
        name in any_name(), is_folder: bool, is_in_root: bool, room in prop::option::of(16..300_usize), attempt in 0..ATTEMPTS_MAX,
    ) {
        let place = Place { is_folder, is_in_root };
        for rules in RuleSet::ALL {
            let candidate = rules.candidate(&name, place, room, attempt).expect("there is room");
            prop_assert!(rules.check(&candidate, place).is_empty(), "{rules}: {candidate:?}");
            prop_assert_eq!(rules.candidate(&name, place, room, attempt), Some(candidate.clone()));
            let unit = rules.path_max().map_or(Unit::Bytes, |length| length.unit);
            prop_assert!(room.is_none_or(|room| unit.length_of(&candidate) <= room));
            if attempt == 0 && rules.check(&name, place).is_empty() && room.is_none_or(|room| unit.length_of(&name) <= room)
                && std::str::from_utf8(&name).is_ok()
            {
                prop_assert_eq!(candidate, name.clone(), "{}", rules);
            }
        }
    }

    #[test]
    fn siblings_find_names_that_no_two_of_them_share(names in prop::collection::hash_set(any_name(), 1..40)) {
        for rules in RuleSet::ALL {
            let mut taken = HashSet::new();
            for name in &names {
                let free = (0..ATTEMPTS_MAX)
                    .filter_map(|attempt| rules.candidate(name, FILE, None, attempt))
                    .find(|candidate| taken.insert(rules.fold(candidate)));
                prop_assert!(free.is_some(), "{rules}: {name:?}");
            }
        }
    }

    #[test]
    fn folding_twice_is_folding_once_and_names_that_differ_in_case_only_are_twins(name in "\\PC{0,20}") {
        for rules in RuleSet::ALL {
            let folded = rules.fold(name.as_bytes());
            prop_assert_eq!(rules.fold(&folded), folded.clone(), "{}", rules);
            if rules.folds() {
                let upper: String = name.chars().map(|c| c.to_ascii_uppercase()).collect();
                prop_assert_eq!(rules.fold(upper.as_bytes()), folded, "{}", rules);
            }
        }
    }
}
