//! Running programs in [Rhai](https://rhai.rs), boxed in: no files, no clock, no output, and an end to everything.

use std::sync::LazyLock;

use rhai::{
    AST, Dynamic, Engine, EvalAltResult, Scope,
    module_resolvers::DummyModuleResolver,
    packages::{
        ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicStringPackage, LogicPackage,
        MoreStringPackage, Package,
    },
};
use sha2::{Digest, Sha256};

/// The longest program, and the longest text of a case or of a result.
pub(in crate::demo) const SOURCE_BYTES_MAX: usize = 4 * 1024;
/// How many steps a program may take on one case.
const OPERATIONS_MAX: u64 = 20_000;
const CALL_LEVELS_MAX: usize = 24;
/// What is longer is cut: a list of long texts may be large.
const RESULT_CHARS_MAX: usize = 1_024;
const STRING_BYTES_MAX: usize = 1_024;
const ARRAY_ITEMS_MAX: usize = 256;
const VARIABLES_MAX: usize = 64;
const FUNCTIONS_MAX: usize = 16;
const EXPRESSION_DEPTH_MAX: usize = 32;
/// What a script could do harm or wait with.
const DISABLED: [&str; 5] = ["eval", "import", "export", "print", "debug"];

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut engine = Engine::new_raw();
    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    engine.set_module_resolver(DummyModuleResolver::new());
    for symbol in DISABLED {
        engine.disable_symbol(symbol);
    }
    engine.set_max_operations(OPERATIONS_MAX);
    engine.set_max_call_levels(CALL_LEVELS_MAX);
    engine.set_max_string_size(STRING_BYTES_MAX);
    engine.set_max_array_size(ARRAY_ITEMS_MAX);
    engine.set_max_map_size(ARRAY_ITEMS_MAX);
    engine.set_max_variables(VARIABLES_MAX);
    engine.set_max_functions(FUNCTIONS_MAX);
    engine.set_max_modules(0);
    engine.set_max_expr_depths(EXPRESSION_DEPTH_MAX, EXPRESSION_DEPTH_MAX);
    engine
});

/// A program that can be run: the functions of a source.
#[derive(Debug)]
pub(in crate::demo) struct Program(AST);

/// A call with its arguments, such as `clamp(5, 1, 3)`, and what it must result in, as Rhai writes values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::demo) struct Case {
    pub(in crate::demo) call: String,
    pub(in crate::demo) expected: String,
}

/// A source is no program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no program: {0}")]
pub(in crate::demo) struct NoProgram(String);

impl Program {
    pub(in crate::demo) fn compile(source: &str) -> Result<Self, NoProgram> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(NoProgram(format!("longer than {SOURCE_BYTES_MAX} bytes")));
        }
        ENGINE.compile(source).map(Self).map_err(|error| NoProgram(error.to_string()))
    }

    /// What the call results in: a value, or in words why there is none. It always ends.
    pub(in crate::demo) fn call(&self, call: &str) -> String {
        if call.len() > SOURCE_BYTES_MAX {
            return format!("error: the call is longer than {SOURCE_BYTES_MAX} bytes");
        }
        let result = match ENGINE.compile_expression(call) {
            Ok(expression) => self.evaluate(&expression),
            Err(error) => format!("error: {error}"),
        };
        if result.chars().count() > RESULT_CHARS_MAX {
            return result.chars().take(RESULT_CHARS_MAX).chain(['…']).collect();
        }
        result
    }

    pub(in crate::demo) fn passes(&self, case: &Case) -> bool {
        self.call(&case.call) == case.expected
    }

    fn evaluate(&self, call: &AST) -> String {
        let program = self.0.clone_functions_only().merge(call);
        match ENGINE.eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &program) {
            Ok(value) => format!("{value:?}"),
            Err(error) => match *error {
                EvalAltResult::ErrorTooManyOperations(_) => format!("no end within {OPERATIONS_MAX} steps"),
                EvalAltResult::ErrorStackOverflow(_) => format!("no end within {CALL_LEVELS_MAX} nested calls"),
                EvalAltResult::ErrorInFunctionCall(_, _, cause, _) => format!("error: {}", innermost(*cause)),
                error => format!("error: {error}"),
            },
        }
    }
}

/// What tells a version's code from every other: its SHA-256 in hexadecimal digits.
pub(in crate::demo) fn hash(source: &str) -> String {
    Sha256::digest(source).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn innermost(error: EvalAltResult) -> EvalAltResult {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, cause, _) => innermost(*cause),
        error => error,
    }
}
