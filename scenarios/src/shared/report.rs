//! What a run prints: phases, checks, verdict.

use std::io::{self, Write};

use anyhow::Result;

use crate::interrupt::Interrupt;

/// The report of one run. Once somebody has asked for the end, whoever has something to say gets an error instead.
pub(crate) struct Report<'a> {
    out: &'a mut dyn Write,
    first_failed: Option<String>,
    interrupt: Interrupt,
}

impl<'a> Report<'a> {
    pub(crate) fn new(out: &'a mut dyn Write) -> Self {
        Report { out, first_failed: None, interrupt: Interrupt::default() }
    }

    /// From now on heeds whether somebody asks for the end.
    pub(crate) fn heed(&mut self, interrupt: &Interrupt) {
        self.interrupt = interrupt.clone();
    }

    /// An error once somebody has asked for the end; for whatever takes long and has nothing to say.
    pub(crate) fn check_interrupt(&self) -> Result<()> {
        self.interrupt.check()
    }

    pub(crate) fn title(&mut self, name: &str, description: &str) -> io::Result<()> {
        writeln!(self.out, "{name}: {description}")
    }

    pub(crate) fn phase(&mut self, name: &str) -> Result<()> {
        self.check_interrupt()?;
        writeln!(self.out, "{name}")?;
        // Whoever watches sees what is going on now.
        Ok(self.out.flush()?)
    }

    pub(crate) fn line(&mut self, text: &str) -> Result<()> {
        self.check_interrupt()?;
        Ok(writeln!(self.out, "  {text}")?)
    }

    /// Prints a check. A check that does not hold decides the verdict, and does not keep the others from being made.
    pub(crate) fn check(&mut self, what: &str, holds: bool, expected: &str, found: &str) -> Result<()> {
        self.check_interrupt()?;
        let mark = if holds { "ok" } else { "FAILED" };
        let text = format!("{what}: expected {expected}, found {found}");
        writeln!(self.out, "  {mark:<8}{text}")?;
        if !holds {
            self.first_failed.get_or_insert(text);
        }
        Ok(())
    }

    pub(crate) fn check_count(&mut self, what: &str, expected: u64, found: u64) -> Result<()> {
        self.check(what, expected == found, &grouped(expected), &grouped(found))
    }

    pub(crate) fn check_text(&mut self, what: &str, expected: &str, found: &str) -> Result<()> {
        self.check(what, expected == found, expected, found)
    }

    /// Prints the check that there is nothing in a list, and some of what is in it all the same.
    pub(crate) fn check_list(&mut self, what: &str, found: &[String]) -> Result<()> {
        const SHOWN_MAX: usize = 5;
        self.check_count(what, 0, found.len() as u64)?;
        for line in found.iter().take(SHOWN_MAX) {
            self.line(&format!("        {line}"))?;
        }
        Ok(())
    }

    /// The first check that did not hold.
    pub(crate) fn first_failed(&self) -> Option<&str> {
        self.first_failed.as_deref()
    }

    pub(crate) fn verdict(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }
}

/// A number as people read it: `12 345`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_in_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1 000"), (12_345, "12 345"), (1_234_567, "1 234 567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn the_first_check_that_does_not_hold_is_remembered_and_the_rest_is_printed() {
        let mut out = Vec::new();
        let mut report = Report::new(&mut out);
        report.check_count("nodes", 12_345, 12_345).unwrap();
        report.check_count("folders", 1, 2).unwrap();
        report.check_text("phase", "review", "suspended").unwrap();
        assert_eq!(report.first_failed(), Some("folders: expected 1, found 2"));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "  ok      nodes: expected 12 345, found 12 345\n\
             \x20 FAILED  folders: expected 1, found 2\n\
             \x20 FAILED  phase: expected review, found suspended\n"
        );
    }
}
