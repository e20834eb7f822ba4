//! Why something cannot be started.

use longhaul_ledger::LedgerError;
use longhaul_model::Side;
use longhaul_naming::RuleSet;
use longhaul_storage::OpenError;

use crate::filter::FilterError;

/// Why a migration cannot be started. Nothing has been changed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The stores.
    #[error(transparent)]
    Stores(#[from] OpenError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger would be listed along with the files.
    #[error("the ledger {ledger} is inside {location}, which is to be listed")]
    LedgerInside {
        /// The ledger.
        ledger: String,
        /// The source or the destination.
        location: String,
    },
    /// Somebody asked for something else than what the migration began with.
    #[error("the {what} cannot be changed: the ledger has {recorded}, given was {given}")]
    Different {
        /// What is different.
        what: String,
        /// What was given now.
        given: String,
        /// What the migration began with.
        recorded: String,
    },
    /// A link is where a folder was, and leads away from what was listed.
    #[error("the {side} {recorded} leads to {now} now, which is not what was listed: put back what was there")]
    Elsewhere {
        /// Which of the two.
        side: Side,
        /// Where it was.
        recorded: String,
        /// Where one comes to now.
        now: String,
    },
    /// The filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The copy was begun before.
    #[error("copying has begun already")]
    CopyBegun,
    /// The destination cannot be written.
    #[error("the destination {location} cannot be written: {reason}")]
    Destination {
        /// Where it is.
        location: String,
        /// What it said.
        reason: String,
    },
    /// The destination has no room for all of it.
    #[error("the plan takes {needed} bytes and the destination has {free} free")]
    NoRoom {
        /// Bytes of the files that are to be copied.
        needed: u64,
        /// Bytes that the destination says it has.
        free: u64,
    },
    /// The destination would refuse names, or take some for one another.
    #[error("the destination would refuse or fold {count} of the names ({rules} rules), such as {such_as}")]
    Names {
        /// How many.
        count: u64,
        /// By which rules.
        rules: RuleSet,
        /// The first few of them, with what they are at odds with.
        such_as: String,
    },
    /// The system gave no thread.
    #[error("no thread can be started: {0}")]
    Thread(#[from] std::io::Error),
}

impl StartError {
    /// Whether another process has the ledger open.
    pub fn is_in_use(&self) -> bool {
        matches!(self, StartError::Ledger(LedgerError::InUse { .. }))
    }
}

pub(crate) fn different(what: &str, given: &str, recorded: &str) -> StartError {
    StartError::Different { what: what.to_owned(), given: given.to_owned(), recorded: recorded.to_owned() }
}
