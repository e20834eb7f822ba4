//! What the fuzz targets in `fuzz/` call of private code. Compiled with `--cfg fuzzing` only, which cargo-fuzz sets.

use longhaul_model::Page;

use crate::error::StoreError;
pub use crate::location::Overlap;
pub use crate::remote::scripted::{HttpAnswer, list_over_http};
pub use crate::sftp::scripted::{SftpReply, list_over_sftp};

/// Pages, and what came in place of one. A listing is not asked again after an error.
pub type Listed = Vec<Result<Page, StoreError>>;
