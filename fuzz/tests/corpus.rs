//! Every input of the corpus, through the same checks as under the fuzzer.

use std::fs;
use std::path::Path;

fn run(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut inputs = 0;
    for file in fs::read_dir(&folder).expect("there is a corpus") {
        let file = file.expect("it can be listed").path();
        // Printed only where it fails.
        println!("{}", file.display());
        check(&fs::read(&file).expect("it can be read"));
        inputs += 1;
    }
    assert!(inputs > 0, "{}", folder.display());
}

macro_rules! targets {
    ($($target:ident),*) => {
        $(#[test]
        fn $target() {
            run(stringify!($target), longhaul_fuzz::$target::check);
        })*
    };
}

targets!(conditions, filters, ledgers, listings_s3, listings_sftp, listings_webdav, locations, names, spectra_configs);
