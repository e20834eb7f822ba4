//! What a name is at odds with.

use std::fmt;

use strum::{Display, EnumCount, IntoStaticStr, VariantArray};

/// One way of being at odds with a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Rule {
    /// The name is not valid UTF-8.
    Encoding,
    /// It has characters that must not be in a name.
    Character,
    /// It begins with something that must not be there.
    Beginning,
    /// It ends with something that must not be there: a dot or a space, which some silently drop.
    End,
    /// The name is reserved.
    Reserved,
    /// The name is too long.
    NameLength,
    /// The name with the folders above it is too long.
    PathLength,
    /// Another name in the folder differs from it in case only.
    CaseTwin,
    /// Another name in the folder is the same text in another Unicode form.
    NormalisationTwin,
}

impl Rule {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.first_chunk().expect("as many as are counted");

    /// The word for it in tables.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    const fn bit(self) -> u16 {
        const { assert!(Rule::COUNT <= u16::BITS as usize, "a set of rules has a bit for each") };
        1 << self as u16
    }
}

/// All that a name is at odds with: a set of [`Rule`]s. Printed as their words, with commas between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Broken(u16);

impl Broken {
    /// Adds a rule.
    pub fn add(&mut self, rule: Rule) {
        self.0 |= rule.bit();
    }

    /// Whether the name is at odds with nothing.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it is at odds with this rule.
    pub const fn has(self, rule: Rule) -> bool {
        self.0 & rule.bit() != 0
    }

    /// The rules, in the order in which they are told.
    pub fn iter(self) -> impl Iterator<Item = Rule> {
        Rule::ALL.into_iter().filter(move |&rule| self.has(rule))
    }

    /// As a number; joining two of them bit by bit joins the sets.
    pub const fn to_bits(self) -> u16 {
        self.0
    }

    /// What such a number stands for; bits that mean nothing are passed over.
    pub fn from_bits(bits: u16) -> Self {
        let mut broken = Broken::default();
        Broken(bits).iter().for_each(|rule| broken.add(rule));
        broken
    }
}

impl From<Rule> for Broken {
    fn from(rule: Rule) -> Self {
        Broken(rule.bit())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rule) in self.iter().enumerate() {
            f.write_str(if index > 0 { "," } else { "" })?;
            f.write_str(rule.as_str())?;
        }
        Ok(())
    }
}
