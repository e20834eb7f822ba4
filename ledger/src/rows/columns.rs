//! Columns of rows on their way into a table, and what they are as Arrow arrays.

use std::sync::Arc;

use duckdb::arrow::array::{
    Array, ArrayBuilder, ArrayRef, BinaryBuilder, BooleanArray, Int32Array, Int64Array, StringArray, StringBuilder,
};
use duckdb::arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use duckdb::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use longhaul_model::{NodeKind, Side};

use crate::words::{ExclusionOrigin, Finding};

/// A column that is being filled.
pub(crate) trait Column {
    /// What it is in Arrow.
    const TYPE: DataType;
    /// How many values it has.
    fn length(&self) -> usize;
    /// Takes its values.
    fn take_array(&mut self) -> ArrayRef;
}

pub(crate) fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect::<Vec<_>>()))
}

/// Defines rows by their columns.
macro_rules! rows {
    ($(#[$comment:meta])* $rows:ident { $($column:ident: $kind:ty,)* }) => {
        $(#[$comment])*
        #[derive(Debug, Default)]
        pub(crate) struct $rows {
            $(pub(crate) $column: $kind,)*
        }

        impl $crate::rows::Rows for $rows {
            fn len(&self) -> usize {
                [$($crate::rows::Column::length(&self.$column)),*][0]
            }

            fn take(&mut self) -> Vec<duckdb::arrow::array::ArrayRef> {
                vec![$($crate::rows::Column::take_array(&mut self.$column)),*]
            }

            fn schema() -> duckdb::arrow::datatypes::SchemaRef {
                static SCHEMA: std::sync::LazyLock<duckdb::arrow::datatypes::SchemaRef> =
                    std::sync::LazyLock::new(|| {
                        $crate::rows::schema(&[
                            $((stringify!($column), <$kind as $crate::rows::Column>::TYPE)),*
                        ])
                    });
                SCHEMA.clone()
            }
        }
    };
}
pub(crate) use rows;

/// A column of values for which Arrow has an array.
macro_rules! values {
    ($($value:ty => $array:ident, $kind:ident;)*) => {$(
        impl Column for Vec<$value> {
            const TYPE: DataType = DataType::$kind;

            fn length(&self) -> usize {
                self.len()
            }

            fn take_array(&mut self) -> ArrayRef {
                Arc::new($array::from(std::mem::take(self)))
            }
        }
    )*};
}

values! {
    i64 => Int64Array, Int64;
    Option<i64> => Int64Array, Int64;
    i32 => Int32Array, Int32;
    bool => BooleanArray, Boolean;
    String => StringArray, Utf8;
}

/// A column of an enumeration.
macro_rules! words {
    ($($value:ty, $word:expr;)*) => {$(
        impl Column for Vec<$value> {
            const TYPE: DataType = DataType::Utf8;

            fn length(&self) -> usize {
                self.len()
            }

            fn take_array(&mut self) -> ArrayRef {
                Arc::new(StringArray::from_iter_values(std::mem::take(self).into_iter().map($word)))
            }
        }
    )*};
}

words! {
    NodeKind, NodeKind::as_str;
    Side, Side::prefix;
    Finding, Finding::as_str;
    ExclusionOrigin, ExclusionOrigin::as_str;
}

/// A column that Arrow builds.
macro_rules! builders {
    ($($builder:ty => $kind:ident;)*) => {$(
        impl Column for $builder {
            const TYPE: DataType = DataType::$kind;

            fn length(&self) -> usize {
                self.len()
            }

            fn take_array(&mut self) -> ArrayRef {
                Arc::new(self.finish())
            }
        }
    )*};
}

builders! {
    StringBuilder => Utf8;
    BinaryBuilder => Binary;
}

/// Names, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Names {
    text: String,
    ends: Vec<i32>,
}

impl Names {
    pub(crate) fn push(&mut self, name: &str) {
        self.text.push_str(name);
        self.ends.push(self.end());
    }

    /// Many names in `text`, which end at `ends`.
    pub(crate) fn extend(&mut self, text: &str, ends: &[u32]) {
        let base = self.end();
        self.text.push_str(text);
        self.end();
        self.ends.extend(ends.iter().map(|&end| base + i32::try_from(end).expect("checked above")));
    }

    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    fn end(&self) -> i32 {
        i32::try_from(self.text.len()).expect("the names of one batch are flushed long before 2 GiB")
    }
}

impl Column for Names {
    const TYPE: DataType = DataType::Utf8;

    fn length(&self) -> usize {
        self.ends.len()
    }

    fn take_array(&mut self) -> ArrayRef {
        let Names { text, ends } = std::mem::take(self);
        let mut offsets = Vec::with_capacity(ends.len() + 1);
        offsets.push(0);
        offsets.extend(ends);
        let names =
            StringArray::new(OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(text.into_bytes()), None);
        debug_assert_eq!(names.null_count(), 0);
        Arc::new(names)
    }
}
