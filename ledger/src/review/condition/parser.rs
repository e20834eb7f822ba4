//! Reading conditions.
//!
//! Every construct is told by its first word, so that nothing is ever tried and taken back: whatever goes wrong is
//! reported where it is.

use longhaul_model::human::parse_bytes;
use longhaul_model::{CopyStatus, NodeKind, PlanAction, Side, TraversalStatus};
use winnow::combinator::opt;
use winnow::error::{ErrMode, ParserError};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location, Stateful};
use winnow::token::{one_of, take_till, take_while};

use super::glob::Glob;
use super::moment::Moment;
use super::{Comparison, Condition, ConditionError, Expression, Pattern, Test};
use crate::review::paths::normal_path;

/// Longer ones are not what a person means; DuckDB would have to plan them.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// `not`s and brackets within one another. Each takes a piece of the stack, here and in DuckDB.
const NESTING_MAX: usize = 50;

const FIELDS: &str = "name, path, under, kind, size, modified, depth, traversal, copy, action, side, has problem";

const LISTED_FIELDS: &str = "name, path, under, kind, size, modified, depth";

type Input<'a> = Stateful<LocatingSlice<&'a str>, Context>;

type Parsed<T> = Result<T, ErrMode<Failure>>;

/// What is known beside the text.
#[derive(Clone, Debug)]
struct Context {
    /// Of which side it has to be, or is said to be.
    side: Option<Side>,
    /// Where it first says of which side it is.
    side_said_at: Option<usize>,
    /// Where it first tests what only the source has.
    source_needed_at: Option<usize>,
    /// Whether it is about what has just been listed, of which nothing else is known.
    only_listed: bool,
    nesting: usize,
}

/// What is wrong, and at which byte.
#[derive(Debug)]
struct Failure {
    position: usize,
    message: String,
}

impl<'a> ParserError<Input<'a>> for Failure {
    type Inner = Failure;

    fn from_input(input: &Input<'a>) -> Self {
        Failure { position: input.current_token_start(), message: "this is not understood".to_owned() }
    }

    fn into_inner(self) -> Result<Failure, Failure> {
        Ok(self)
    }
}

fn wrong<T>(position: usize, message: impl Into<String>) -> Parsed<T> {
    Err(ErrMode::Cut(Failure { position, message: message.into() }))
}

/// Reads a condition, which is about `side` where that is given, and about what has just been listed if it is `only_listed`.
pub(super) fn parse(text: &str, side: Option<Side>, only_listed: bool) -> Result<Condition, ConditionError> {
    let error = |failure: Failure| ConditionError {
        text: text.to_owned(),
        position: failure.position.min(text.len()),
        message: failure.message,
    };
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("a condition of more than {TEXT_BYTES_MAX} bytes");
        return Err(error(Failure { position: 0, message }));
    }
    let context = Context { side, side_said_at: None, source_needed_at: None, only_listed, nesting: 0 };
    let mut input = Input { input: LocatingSlice::new(text), state: context };
    match whole(&mut input) {
        Ok(condition) => Ok(condition),
        Err(ErrMode::Cut(failure) | ErrMode::Backtrack(failure)) => Err(error(failure)),
        Err(ErrMode::Incomplete(_)) => unreachable!("the text is all there is"),
    }
}

fn whole(input: &mut Input<'_>) -> Parsed<Condition> {
    let tests = alternatives(input)?;
    if let Some((position, rest)) = peek(input) {
        return wrong(
            position,
            if rest == ')' { "a ) without its (" } else { "here `and`, `or` or the end is expected" },
        );
    }
    let context = &input.state;
    if let (Some(Side::Destination), Some(position)) = (context.side, context.source_needed_at) {
        return wrong(position, "only nodes of the source have this, and these are the destination's");
    }
    Ok(Condition { side: context.side, tests })
}

const SIDE_WITHIN: &str = "of which side nodes are can only be said beside everything else, with `and`";

fn alternatives(input: &mut Input<'_>) -> Parsed<Expression> {
    let mut parts = vec![conjunction(input)?];
    while keyword(input, "or")? {
        parts.push(conjunction(input)?);
    }
    // Within brackets there is none.
    match input.state.side_said_at {
        Some(position) if parts.len() > 1 && input.state.nesting == 0 => wrong(position, SIDE_WITHIN),
        _ => Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::Any(parts) }),
    }
}

fn conjunction(input: &mut Input<'_>) -> Parsed<Expression> {
    let mut parts: Vec<Expression> = term(input)?.into_iter().collect();
    while keyword(input, "and")? {
        parts.extend(term(input)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::All(parts) })
}

/// One test, negation or bracket; none where it says of which side nodes are, which is kept in the context.
fn term(input: &mut Input<'_>) -> Parsed<Option<Expression>> {
    let Some((position, first)) = peek(input) else {
        return wrong(input.current_token_start(), "here a test is missing, for example `kind = file`");
    };
    if keyword(input, "not")? {
        let part = nested(input, position, term)?.expect("a side is refused within anything");
        return Ok(Some(Expression::Not(Box::new(part))));
    }
    if first == '(' {
        one_of('(').parse_next(input)?;
        let part = nested(input, position, alternatives)?;
        return match peek(input) {
            Some((_, ')')) => {
                one_of(')').parse_next(input)?;
                Ok(Some(part))
            }
            Some((position, _)) => wrong(position, "here `and`, `or` or the closing ) is expected"),
            None => wrong(position, "a ( without its )"),
        };
    }
    test(input)
}

fn nested<T>(input: &mut Input<'_>, position: usize, parser: impl FnOnce(&mut Input<'_>) -> Parsed<T>) -> Parsed<T> {
    if input.state.nesting == NESTING_MAX {
        return wrong(position, format!("more than {NESTING_MAX} brackets and `not`s within one another"));
    }
    input.state.nesting += 1;
    let parsed = parser(input)?;
    input.state.nesting -= 1;
    Ok(parsed)
}

fn test(input: &mut Input<'_>) -> Parsed<Option<Expression>> {
    let position = input.current_token_start();
    let field = word(input)?.to_ascii_lowercase();
    if input.state.only_listed && matches!(field.as_str(), "has" | "traversal" | "copy" | "action" | "side") {
        return wrong(position, format!("a filter knows nothing of that: choose one of {LISTED_FIELDS}"));
    }
    let test = match field.as_str() {
        "name" => return text_test(input, |text| Ok(text.to_owned()), Test::Name).map(Some),
        "path" => return text_test(input, normal_path, Test::Path).map(Some),
        "under" => {
            let (at, path) = value(input, "a path")?;
            Test::Under(normal_path(&path).or_else(|message| wrong(at, message))?)
        }
        "has" => {
            let at = peek(input).map_or(input.current_token_start(), |(at, _)| at);
            if !keyword(input, "problem")? {
                return wrong(at, "what a node can have is a `problem`");
            }
            Test::Problem
        }
        "kind" => return word_test(input, &NodeKind::ALL, NodeKind::as_str, Test::Kind).map(Some),
        "traversal" => {
            return word_test(input, &TraversalStatus::ALL, TraversalStatus::as_str, Test::Traversal).map(Some);
        }
        "copy" => {
            input.state.source_needed_at.get_or_insert(position);
            return word_test(input, &CopyStatus::ALL, CopyStatus::as_str, Test::Copy).map(Some);
        }
        "action" => {
            input.state.source_needed_at.get_or_insert(position);
            return word_test(input, &PlanAction::ALL, PlanAction::as_str, Test::Action).map(Some);
        }
        "side" => return side(input, position).map(|()| None),
        "size" => {
            return ordered_test(input, "a size, such as 10M", parse_bytes, Test::Size).map(Some);
        }
        "depth" => {
            return ordered_test(
                input,
                "a depth, such as 3",
                |text| text.parse().ok().filter(|depth| *depth >= 0),
                Test::Depth,
            )
            .map(Some);
        }
        "modified" => {
            let test = ordered_test(input, MOMENT, Moment::parse, Test::Modified)?;
            // `30d ago` is two words, and says what `30d` does.
            keyword(input, "ago")?;
            return Ok(Some(test));
        }
        "" => return wrong(position, format!("here a test is expected, which begins with one of {FIELDS}")),
        _ => return wrong(position, format!("there is no field `{field}`: choose one of {FIELDS}")),
    };
    Ok(Some(Expression::Test(test)))
}

const MOMENT: &str = "a day such as 2020-01-31, a time such as 2020-01-31T18:00 (UTC), or how long ago, such as 30d";

/// `side = src`, which has to be the side that is known already, if one is.
fn side(input: &mut Input<'_>, position: usize) -> Parsed<()> {
    if input.state.nesting > 0 {
        return wrong(position, SIDE_WITHIN);
    }
    if operator(input, &["="])?.1 != "=" {
        unreachable!("it was the only choice");
    }
    let (at, typed) = value(input, "`src` or `dst`")?;
    let Some(side) = Side::BOTH.into_iter().find(|side| side.prefix().eq_ignore_ascii_case(&typed)) else {
        return wrong(at, format!("there is no side `{typed}`: choose `src` or `dst`"));
    };
    match input.state.side {
        Some(other) if other != side => wrong(at, format!("these are nodes of the {other}")),
        _ => {
            input.state.side = Some(side);
            input.state.side_said_at.get_or_insert(position);
            Ok(())
        }
    }
}

/// `= TEXT`, `~ GLOB` and their negations.
fn text_test(
    input: &mut Input<'_>,
    normal: impl FnOnce(&str) -> Result<String, &'static str>,
    make: fn(Pattern) -> Test,
) -> Parsed<Expression> {
    let (_, operator) = operator(input, &["=", "!=", "~", "!~"])?;
    let (at, text) = value(input, if operator.ends_with('~') { "a pattern" } else { "a text" })?;
    let pattern = if operator.ends_with('~') {
        // In the text as it was typed there may be quotes before the place.
        Pattern::Like(Glob::parse(&text).or_else(|(_, message)| wrong(at, message))?)
    } else {
        Pattern::Is(normal(&text).or_else(|message| wrong(at, message))?)
    };
    Ok(negated_if(operator.starts_with('!'), make(pattern)))
}

/// `= WORD` and `!= WORD`, with one of the words of an enumeration.
fn word_test<T: Copy>(
    input: &mut Input<'_>,
    known: &[T],
    as_str: fn(T) -> &'static str,
    make: fn(T) -> Test,
) -> Parsed<Expression> {
    let (_, operator) = operator(input, &["=", "!="])?;
    let choice = || known.iter().map(|word| as_str(*word)).collect::<Vec<_>>().join(", ");
    let (at, typed) = value(input, &format!("one of {}", choice()))?;
    match known.iter().find(|word| as_str(**word).eq_ignore_ascii_case(&typed)) {
        Some(word) => Ok(negated_if(operator == "!=", make(*word))),
        None => wrong(at, format!("there is no `{typed}` here: choose one of {}", choice())),
    }
}

/// A comparison of what can be less or more.
fn ordered_test<T>(
    input: &mut Input<'_>,
    what: &str,
    read: impl FnOnce(&str) -> Option<T>,
    make: fn(Comparison, T) -> Test,
) -> Parsed<Expression> {
    let (_, operator) = operator(input, &["=", "!=", "<", "<=", ">", ">="])?;
    let comparison = match operator {
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => Comparison::Equal,
    };
    let (at, typed) = value(input, what)?;
    match read(&typed) {
        Some(value) => Ok(negated_if(operator == "!=", make(comparison, value))),
        None => wrong(at, format!("`{typed}` is not {what}")),
    }
}

fn negated_if(negated: bool, test: Test) -> Expression {
    let test = Expression::Test(test);
    if negated { Expression::Not(Box::new(test)) } else { test }
}

/// An operator out of `choice`, and where it is.
fn operator<'a>(input: &mut Input<'a>, choice: &[&str]) -> Parsed<(usize, &'a str)> {
    spaces(input)?;
    let position = input.current_token_start();
    let found: &str = take_while(0.., ('=', '!', '<', '>', '~')).parse_next(input)?;
    match found {
        found if choice.contains(&found) => Ok((position, found)),
        "" => wrong(position, format!("here one of {} is expected", choice.join(" "))),
        _ => wrong(position, format!("`{found}` does not go with this field: choose one of {}", choice.join(" "))),
    }
}

/// A value, without its quotes, and where it is. `what` it should be is said where there is none.
fn value(input: &mut Input<'_>, what: &str) -> Parsed<(usize, String)> {
    let missing = |position| wrong(position, format!("here {what} is expected"));
    let Some((position, first)) = peek(input) else { return missing(input.current_token_start()) };
    if !matches!(first, '"' | '\'') {
        let bare: &str = take_while(0.., is_bare).parse_next(input)?;
        return if bare.is_empty() { missing(position) } else { Ok((position, bare.to_owned())) };
    }
    let mut text = String::new();
    one_of(first).parse_next(input)?;
    loop {
        text.push_str(take_till(0.., first).parse_next(input)?);
        if opt(one_of(first)).parse_next(input)?.is_none() {
            return wrong(position, format!("a {first} without the one that closes it"));
        }
        match opt(one_of(first)).parse_next(input)? {
            Some(doubled) => text.push(doubled),
            None => return Ok((position, text)),
        }
    }
}

/// Whether a value with this character in it can do without quotes.
pub(super) fn is_bare(character: char) -> bool {
    !character.is_whitespace() && !matches!(character, '"' | '\'' | '(' | ')')
}

/// Takes `keyword`, if it is what comes next, in upper or lower case.
fn keyword(input: &mut Input<'_>, keyword: &'static str) -> Parsed<bool> {
    spaces(input)?;
    let rest: &str = input.input.as_ref();
    let length = rest.find(|character: char| !is_of_word(character)).unwrap_or(rest.len());
    let is_next = rest[..length].eq_ignore_ascii_case(keyword);
    if is_next {
        word(input)?;
    }
    Ok(is_next)
}

fn word<'a>(input: &mut Input<'a>) -> Parsed<&'a str> {
    take_while(0.., is_of_word).parse_next(input)
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn spaces(input: &mut Input<'_>) -> Parsed<()> {
    take_while(0.., char::is_whitespace).void().parse_next(input)
}

/// The next character that is no space, and where it is; `None` at the end.
fn peek(input: &mut Input<'_>) -> Option<(usize, char)> {
    spaces(input).ok()?;
    let rest: &str = input.input.as_ref();
    rest.chars().next().map(|character| (input.current_token_start(), character))
}
