//! The language of conditions.
//!
//! The first line of the input is a condition, the second one a path that it is asked about.
//!
//! - A condition that is read is printed as one that is read as the same.
//! - One that is refused is refused at a place within it, in one line, with a caret under the place.
//! - `not (…)` holds where it does not, `and` and `or` of two are what they say, and what a filter may ask is a condition for
//!   everything else as well.

use longhaul_ledger::{Condition, ListedEntry};
use longhaul_model::{NodeKind, Side, decode_name};

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, path) = text.split_once('\n').unwrap_or((text, "/a/b.txt"));
    let condition = match Condition::parse(text) {
        Ok(condition) => condition,
        Err(error) => {
            assert!(text.is_char_boundary(error.position) && error.position <= text.len());
            assert_eq!(error.marked().lines().count(), 2, "{:?}", error.marked());
            assert!(!error.to_string().contains('\n'), "{error}");
            assert!(Condition::parse_for_listing(text).is_err() && Condition::parse_for(text, Side::Source).is_err());
            return;
        }
    };
    let printed = condition.to_string();
    assert_eq!(Condition::parse(&printed).as_ref(), Ok(&condition), "{text:?} is printed as {printed:?}");
    for side in Side::BOTH {
        match Condition::parse_for(text, side) {
            Ok(of_side) => assert!(condition.side().is_none_or(|said| said == side) && of_side.side() == Some(side)),
            Err(_) => {
                assert!(condition.side().is_some_and(|said| said != side) || condition.needs_source(), "{text:?}")
            }
        }
    }
    let Ok(listed) = Condition::parse_for_listing(text) else { return };
    assert!(condition.side().is_none() && !condition.needs_source());
    let Some((folder, name)) = path.rsplit_once('/') else { return };
    let folder = if folder.is_empty() { "/" } else { folder };
    if name.is_empty() || decode_name(name).is_err() {
        return;
    }
    let negated = Condition::parse_for_listing(&format!("not ({text})"));
    let both = Condition::parse_for_listing(&format!("({text}) and (depth >= 2)"));
    let either = Condition::parse_for_listing(&format!("({text}) or (depth >= 2)"));
    for kind in NodeKind::ALL {
        for (size, modified_ns) in
            [(None, None), (Some(0), Some(i64::MIN)), (Some(10 << 20), Some(i64::MAX)), (Some(1), Some(0))]
        {
            let depth = 1 + i32::try_from(folder.split('/').filter(|name| !name.is_empty()).count()).unwrap_or(0);
            let entry = ListedEntry { folder, name, kind, size, modified_ns, depth };
            for now_ns in [0, 1_700_000_000_000_000_000, i64::MAX] {
                let holds = listed.holds_for(&entry, now_ns);
                // There is a limit to brackets.
                if let Ok(negated) = &negated {
                    assert_eq!(negated.holds_for(&entry, now_ns), !holds, "{text:?}");
                }
                if let (Ok(both), Ok(either)) = (&both, &either) {
                    assert_eq!(both.holds_for(&entry, now_ns), holds && depth >= 2, "{text:?}");
                    assert_eq!(either.holds_for(&entry, now_ns), holds || depth >= 2, "{text:?}");
                }
            }
        }
    }
}
