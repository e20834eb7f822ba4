//! Beginnings of names that programs have trouble with; a number makes them different from each other.

pub(crate) const ODD_NAMES: [&[u8]; 14] = [
    b"plain",
    b"not UTF-8 \xff\xfe",
    b"caf\xe9",
    b"new\nline",
    br"back\slash",
    b"it's a \"quote\"",
    b"';DROP TABLE src_nodes;--",
    b"100% %41",
    b" spaces ",
    b"CASE",
    b"case",
    b"-rf *?[a]",
    "exe\u{202e}txt".as_bytes(),
    "文件 🎉".as_bytes(),
];
