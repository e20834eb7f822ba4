//! Approving the plan.

use super::Editor;
use crate::approval::{Approval, approve, refuse_marked};
use crate::error::{LedgerError, Result};

impl Editor {
    /// Approves the plan as it is. Open conflicts are an error unless they are to be left as they are; so is what is
    /// marked for retry, which would change it.
    pub fn approve(self, leave_conflicts: bool) -> Result<Approval> {
        refuse_marked(self.connection())?;
        let is_copied = self.ledger.migration().current_phase().is_copied();
        if is_copied && self.ledger.totals()?.src.copy_pending() == 0 {
            return Err(LedgerError::NothingToChange(
                "the plan is carried out, and nothing is left that could be approved".to_owned(),
            ));
        }
        self.in_run("approve", |writer| approve(writer, leave_conflicts))
    }
}
