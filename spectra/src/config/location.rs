//! Which field is at a given line and column of a JSON text, so that an error about a value can name it.

/// The path of the field that is being read at `line` and `column` (both from 1), such as `seed.max_depth`; indexes
/// of arrays are numbers. Empty for the top level. The text need not be whole JSON.
pub(super) fn field_at(text: &str, line: usize, column: usize) -> String {
    let mut reader = Reader::default();
    let mut position = (1, 0);
    for byte in text.bytes() {
        position = if byte == b'\n' { (position.0 + 1, 0) } else { (position.0, position.1 + 1) };
        // Errors are reported at the last byte read, which for a value is its last byte, or the separator behind it.
        if position >= (line, column) && matches!(byte, b',' | b'}' | b']' | b'\n') {
            break;
        }
        reader.read(byte);
        if position >= (line, column) {
            break;
        }
    }
    reader.path()
}

#[derive(Default)]
struct Reader {
    levels: Vec<Level>,
    /// The string that is being read, without its quotes.
    string: Option<String>,
    escaped: bool,
    last_string: String,
}

enum Level {
    Object { field: Option<String> },
    Array { index: usize },
}

impl Reader {
    fn read(&mut self, byte: u8) {
        if let Some(string) = &mut self.string {
            match byte {
                _ if self.escaped => {
                    self.escaped = false;
                    string.push(char::from(byte));
                }
                b'\\' => self.escaped = true,
                b'"' => self.last_string = self.string.take().expect("a string is being read"),
                _ => string.push(char::from(byte)),
            }
            return;
        }
        match byte {
            b'"' => self.string = Some(String::new()),
            b'{' => self.levels.push(Level::Object { field: None }),
            b'[' => self.levels.push(Level::Array { index: 0 }),
            b'}' | b']' => {
                self.levels.pop();
            }
            b':' => {
                if let Some(Level::Object { field }) = self.levels.last_mut() {
                    *field = Some(std::mem::take(&mut self.last_string));
                }
            }
            b',' => match self.levels.last_mut() {
                Some(Level::Object { field }) => *field = None,
                Some(Level::Array { index }) => *index += 1,
                None => {}
            },
            _ => {}
        }
    }

    fn path(&self) -> String {
        let parts: Vec<String> = self
            .levels
            .iter()
            .filter_map(|level| match level {
                Level::Object { field } => field.clone(),
                Level::Array { index } => Some(index.to_string()),
            })
            .collect();
        parts.join(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_of_a_value_is_found() {
        let text = "{\n  \"seed\": { \"a\": 1, \"b\": -1 },\n  \"faults\": [ {}, { \"c\": \"x\" } ]\n}";
        assert_eq!(field_at(text, 2, 17), "seed.a");
        assert_eq!(field_at(text, 2, 26), "seed.b");
        assert_eq!(field_at(text, 3, 28), "faults.1.c");
        assert_eq!(field_at(text, 1, 1), "");
    }

    #[test]
    fn punctuation_in_strings_does_not_count() {
        let text = r#"{"a{\"[,": {"b": 5}}"#;
        assert_eq!(field_at(text, 1, 18), r#"a{"[,.b"#);
    }
}
