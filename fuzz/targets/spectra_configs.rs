#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| longhaul_fuzz::spectra_configs::check(data));
