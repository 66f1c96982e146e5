//! Every limit of the engine, each with its value: nothing is left to Rhai's defaults, which differ between
//! debug and release builds.

use std::time::Duration;

/// How much a policy may compute, and how large its values may grow. Reaching a limit fails the evaluation, so
/// the image is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineLimits {
    /// Steps in one evaluation of one policy for one image.
    pub operations_max: u64,
    /// Time for one evaluation of one policy for one image.
    pub deadline: Duration,
    /// Functions that call each other.
    pub call_levels_max: usize,
    /// Expressions within expressions, in rules and in functions alike.
    pub expression_depth_max: usize,
    /// Bytes in one text that an operator or function makes.
    pub text_bytes_max: usize,
    /// Bytes of all texts together within one value, such as a list of account ids or an interpolated text.
    pub value_bytes_max: usize,
    /// Items in one list, lists within lists counted together.
    pub list_items_max: usize,
    /// Entries in one map, maps within maps counted together.
    pub map_entries_max: usize,
    /// Variables in scope at one time.
    pub variables_max: usize,
    /// Functions in one file.
    pub functions_max: usize,
    /// Modules that all policies together may import.
    pub modules_max: usize,
    /// Bytes in one file.
    pub source_bytes_max: usize,
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            operations_max: 100_000,
            deadline: Duration::from_millis(250),
            call_levels_max: 32,
            expression_depth_max: 64,
            text_bytes_max: 4096,
            value_bytes_max: 1 << 20,
            list_items_max: 20_000,
            map_entries_max: 60_000,
            variables_max: 256,
            functions_max: 128,
            modules_max: 32,
            source_bytes_max: 256 * 1024,
        }
    }
}
