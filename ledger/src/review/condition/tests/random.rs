//! Random conditions: read back from what is printed, and applied to random trees beside a plain reading of them.

use proptest::prelude::*;

use super::super::glob::Token;
use super::super::moment::{Precision, Unit};
use super::*;
use crate::review::forest::{DAY_NS, Forest, NAMES, Tree, dice};

const NOW_NS: i64 = 100 * DAY_NS;

const COMPARISONS: [Comparison; 5] =
    [Comparison::Equal, Comparison::Less, Comparison::LessOrEqual, Comparison::Greater, Comparison::GreaterOrEqual];

fn glob() -> impl Strategy<Value = Glob> {
    let piece = prop_oneof![
        prop::sample::select(&NAMES[..]).prop_map(str::to_owned),
        prop::sample::select(&["*", "?", "a", "[a-z]", "[!a-c]", "[]%]", "[é日_]", "\\", "/", "[[]", "**"][..])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..6).prop_filter_map("it is a pattern", |pieces| Glob::parse(&pieces.concat()).ok())
}

fn pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof![
        prop::sample::select(&NAMES[..]).prop_map(|name| Pattern::Is(name.to_owned())),
        glob().prop_map(Pattern::Like)
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&NAMES[..]), 0..3).prop_map(|names| format!("/{}", names.join("/")))
}

fn moment() -> impl Strategy<Value = Moment> {
    let precision =
        prop::sample::select(&[Precision::Day, Precision::Minute, Precision::Second, Precision::Nanosecond][..]);
    prop_oneof![
        (0..130_i64, precision).prop_map(|(day, precision)| Moment::At { start_ns: day * DAY_NS, precision }),
        (0..100_u32, prop::sample::select(&Unit::ALL[..])).prop_map(|(amount, unit)| Moment::Ago { amount, unit }),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    let comparison = || prop::sample::select(&COMPARISONS[..]);
    prop_oneof![
        pattern().prop_map(Test::Name),
        path().prop_map(|path| Test::Path(Pattern::Is(path))),
        glob().prop_map(|glob| Test::Path(Pattern::Like(glob))),
        path().prop_map(Test::Under),
        prop::sample::select(&NodeKind::ALL[..]).prop_map(Test::Kind),
        prop::sample::select(&TraversalStatus::ALL[..]).prop_map(Test::Traversal),
        prop::sample::select(&CopyStatus::ALL[..]).prop_map(Test::Copy),
        prop::sample::select(&PlanAction::ALL[..]).prop_map(Test::Action),
        Just(Test::Problem),
        (comparison(), 0..3_i64).prop_map(|(comparison, size)| Test::Size(comparison, size * 512)),
        (comparison(), 0..5_i64).prop_map(|(comparison, depth)| Test::Depth(comparison, depth)),
        (comparison(), moment()).prop_map(|(comparison, moment)| Test::Modified(comparison, moment)),
    ]
}

fn expression() -> impl Strategy<Value = Expression> {
    test().prop_map(Expression::Test).prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::All),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::Any),
            inner.prop_map(|part| Expression::Not(Box::new(part))),
        ]
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    (expression(), any::<bool>())
        .prop_map(|(tests, says_side)| Condition { side: says_side.then_some(Side::Source), tests })
}

/// The plain meaning of an expression.
fn holds(expression: &Expression, node: &Tree) -> bool {
    match expression {
        Expression::All(parts) => parts.iter().all(|part| holds(part, node)),
        Expression::Any(parts) => parts.iter().any(|part| holds(part, node)),
        Expression::Not(part) => !holds(part, node),
        Expression::Test(test) => passes(test, node),
    }
}

fn passes(test: &Test, node: &Tree) -> bool {
    match test {
        Test::Name(pattern) => is_like(pattern, &node.name),
        Test::Path(pattern) => is_like(pattern, &node.path),
        Test::Under(path) => {
            let components =
                |path: &str| path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect::<Vec<_>>();
            components(&node.path).starts_with(&components(path))
        }
        Test::Kind(kind) => node.kind == *kind,
        Test::Traversal(status) => node.traversal == *status,
        Test::Copy(status) => node.copy == Some(*status),
        Test::Action(action) => node.action == Some(*action),
        Test::Problem => node.has_problem,
        Test::Size(comparison, size) => node.size.is_some_and(|value| compare(value, *comparison, *size)),
        Test::Depth(comparison, depth) => compare(node.depth.into(), *comparison, *depth),
        Test::Modified(comparison, moment) => node.modified_ns.is_some_and(|value| {
            let range = moment.range(NOW_NS);
            match comparison {
                Comparison::Equal => range.contains(&value),
                Comparison::Less => value < range.start,
                Comparison::LessOrEqual => value < range.start || range.contains(&value),
                Comparison::Greater => value >= range.start && !range.contains(&value),
                Comparison::GreaterOrEqual => value >= range.start,
            }
        }),
    }
}

fn compare(value: i64, comparison: Comparison, with: i64) -> bool {
    match comparison {
        Comparison::Equal => value == with,
        Comparison::Less => value < with,
        Comparison::LessOrEqual => value <= with,
        Comparison::Greater => value > with,
        Comparison::GreaterOrEqual => value >= with,
    }
}

fn is_like(pattern: &Pattern, text: &str) -> bool {
    match pattern {
        Pattern::Is(other) => text == other,
        Pattern::Like(glob) => matches(glob.tokens(), &text.chars().collect::<Vec<_>>()),
    }
}

fn matches(tokens: &[Token], text: &[char]) -> bool {
    match (tokens.split_first(), text.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((Token::Anything, more)), None) => matches(more, text),
        (Some((Token::Anything, more)), Some((_, rest))) => matches(more, text) || matches(tokens, rest),
        (Some(_), None) => false,
        (Some((token, more)), Some((first, rest))) => {
            let fits = match token {
                Token::Character(character) => first == character,
                Token::Within { negated, ranges } => {
                    ranges.iter().any(|(from, to)| (from..=to).contains(&first)) != *negated
                }
                Token::One | Token::Anything => true,
            };
            fits && matches(more, rest)
        }
    }
}

fn chosen(forest: &Forest, side: Side, condition: &Condition) -> Vec<i64> {
    condition.choose(&forest.connection, side, NOW_NS).expect("it can be asked").ids.ids().collect()
}

proptest! {
    #[test]
    fn a_pattern_is_laid_beside_a_text_in_pieces_as_beside_the_whole(
        glob in glob(),
        pieces in prop::collection::vec(prop_oneof![prop::sample::select(&NAMES[..]), Just("/"), Just("")], 0..6),
    ) {
        let automaton = glob.automaton().expect("it is a short one");
        let state = pieces.iter().fold(automaton.start(), |state, piece| automaton.go_on(state, piece));
        prop_assert_eq!(automaton.accepts(state), glob.matches(&pieces.concat()), "{} and {:?}", glob, pieces);
    }

    #[test]
    fn what_is_printed_is_read_as_the_same(condition in condition()) {
        let text = condition.to_string();
        prop_assert_eq!(Condition::parse(&text), Ok(condition), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place_within_it(text in "[a-z=~<>!()\"'é /0-9]{0,40}") {
        if let Err(error) = Condition::parse(&text) {
            prop_assert!(text.is_char_boundary(error.position));
            prop_assert!(!error.marked().is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn statuses_and_actions_choose_what_the_views_show(dice in dice()) {
        let forest = Forest::new(&dice);
        let mut tests = Vec::new();
        for status in TraversalStatus::ALL {
            for side in Side::BOTH {
                tests.push((Test::Traversal(status), side, format!("traversal_status = '{status}'")));
            }
        }
        for status in CopyStatus::ALL {
            tests.push((Test::Copy(status), Side::Source, format!("copy_status = '{status}'")));
        }
        for action in PlanAction::ALL {
            // What was planned; the view has only what is left of it.
            let same = if action == PlanAction::AlreadyExisted { "same AND parent_id IS NOT NULL" } else { "false" };
            let shown = format!(
                "(id IN (SELECT src_id FROM matches WHERE {same}) OR id IN (
                   SELECT p.src_id
                   FROM plan p
                   JOIN src_status s ON s.id = p.src_id
                   WHERE '{action}' = CASE
                     WHEN s.copy_status IN ('excluded_explicit', 'excluded_inherited') THEN 'exclude'
                     ELSE p.action::VARCHAR
                   END
                 ))"
            );
            tests.push((Test::Action(action), Side::Source, shown));
        }
        for (test, side, shown) in tests {
            let sql = format!("SELECT id FROM {}_status WHERE {shown} ORDER BY id", side.prefix());
            let mut statement = forest.connection.prepare(&sql).expect(&sql);
            let expected: Vec<i64> = statement
                .query_map([], |row| row.get(0))
                .and_then(Iterator::collect)
                .expect(&sql);
            let condition = Condition::from(test);
            prop_assert_eq!(chosen(&forest, side, &condition), expected, "{} on the {}", condition, side);
        }
    }

    #[test]
    fn nodes_that_are_gone_are_chosen_by_nothing(dice in dice(), expressions in prop::collection::vec(expression(), 6)) {
        let forest = Forest::new(&dice);
        forest.connection.execute_batch("DELETE FROM src_nodes WHERE id % 3 = 2").expect("it is a table");
        for tests in expressions {
            let condition = Condition { side: None, tests };
            let expected: Vec<i64> = forest
                .src
                .iter()
                .filter(|node| node.id % 3 != 2 && holds(&condition.tests, node))
                .map(|node| node.id)
                .collect();
            prop_assert_eq!(chosen(&forest, Side::Source, &condition), expected, "{}", condition);
        }
    }

    #[test]
    fn what_is_chosen_is_what_the_words_say(
        dice in dice(),
        expressions in prop::collection::vec(expression(), 12),
    ) {
        let forest = Forest::new(&dice);
        for tests in expressions {
            let condition = Condition { side: None, tests };
            for side in Side::BOTH {
                let expected: Vec<i64> = forest
                    .nodes(side)
                    .iter()
                    .filter(|node| holds(&condition.tests, node))
                    .map(|node| node.id)
                    .collect();
                prop_assert_eq!(chosen(&forest, side, &condition), expected, "{} on the {}", condition, side);
            }
            // What needs more than a listing cannot be read for one.
            let Ok(condition) = Condition::parse_for_listing(&condition.to_string()) else { continue };
            for node in forest.src.iter().filter(|node| node.parent.is_some()) {
                let folder = match node.path.rsplit_once('/').unwrap().0 {
                    "" => "/",
                    folder => folder,
                };
                let Tree { ref name, kind, size, modified_ns, depth, .. } = *node;
                let entry = ListedEntry { folder, name, kind, size, modified_ns, depth };
                prop_assert_eq!(
                    condition.holds_for(&entry, NOW_NS), holds(&condition.tests, node), "{} for {}", condition, node.path
                );
            }
        }
    }
}
