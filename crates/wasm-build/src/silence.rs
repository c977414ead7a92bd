//! Makes a panic a trap and nothing else, and so what cannot be reached.
//!
//! A module has nowhere to print to, so the text of a panic is formatted, thrown away, and the instance
//! traps; the shim answers INTERNAL either way. What formats those texts is a twelfth of a module. Stable
//! Rust cannot leave it out (`panic = "immediate-abort"` can), so it is cut out here, where functions
//! still have their names, and wasm-opt then drops all that only they used.

use walrus::ir::{
    Br, BrIf, BrTable, Instr, InstrSeqId, Return, Unreachable, Visitor, dfs_in_order,
};
use walrus::{Function, FunctionBuilder, FunctionId, FunctionKind, Module};

/// How the names of functions begin that a panic runs through.
const PANICS: [&str; 12] = [
    "core::panicking::",
    "core::option::expect_failed",
    "core::option::unwrap_failed",
    "core::result::unwrap_failed",
    "core::cell::panic_already_",
    "core::slice::copy_from_slice_impl::len_mismatch_fail",
    "core::slice::index::slice_index_fail",
    "core::str::slice_error_fail",
    "alloc::alloc::handle_alloc_error",
    "alloc::raw_vec::capacity_overflow",
    "alloc::raw_vec::handle_error",
    "__rustc::rust_begin_unwind",
];

/// How the names of functions begin that write the text of a panic.
const TEXTS: [&str; 2] = [
    "<core::fmt::builders::PadAdapter as ",
    "<std::panicking::panic_handler::",
];

/// How the names of functions end that write a `{:?}`. Only panics have one: clippy's `use_debug` forbids
/// any other in the crates of a function.
const DEBUG: &str = " as core::fmt::Debug>::fmt";

/// Functions, and modules of them, that only a URL runs through which `check` in
/// crates/edge/src/profile.rs refuses first: files, relative ones, IPv6, queries, names that are no ASCII. The crate
/// `url` has no features to leave them out. functions/_shared/fuzz_test.ts proves that nothing leads there.
const REFUSED: [&str; 11] = [
    "idna::punycode::",
    "url::host::Host<alloc::borrow::Cow<str>>::parse_opaque_cow",
    "url::host::parse_ipv6addr",
    "url::host::write_ipv6",
    "url::parser::Parser::file_host",
    "url::parser::Parser::fragment_only",
    "url::parser::Parser::parse_file",
    "url::parser::Parser::parse_fragment",
    "url::parser::Parser::parse_non_special",
    "url::parser::Parser::parse_query",
    "url::parser::Parser::parse_relative",
];

/// Replaces the bodies of functions that only a panic runs through, or nothing at all, by a trap: whoever gets there
/// all the same is stopped, and nothing goes on with less than was there. Data stays as it is.
pub(crate) fn panics(module: &mut Module) {
    let silenced: Vec<FunctionId> = module
        .funcs
        .iter()
        .filter(|function| only_traps(function))
        .map(Function::id)
        .collect();
    for id in silenced {
        let signature = module.types.get(module.funcs.get(id).ty());
        let (parameters, results) = (signature.params().to_vec(), signature.results().to_vec());
        let mut trap = FunctionBuilder::new(&mut module.types, &parameters, &results);
        trap.func_body().instr(Unreachable {});
        let arguments = parameters.iter().map(|kind| module.locals.add(*kind));
        let trap = trap.local_func(arguments.collect());
        module.funcs.get_mut(id).kind = FunctionKind::Local(trap);
    }
}

fn only_traps(function: &Function) -> bool {
    let Some(name) = &function.name else {
        return false;
    };
    let name = format!("{:#}", rustc_demangle::demangle(name));
    let begins = |list: &[&str]| list.iter().any(|start| name.starts_with(start));
    name.ends_with(DEBUG)
        || begins(&TEXTS)
        || REFUSED
            .iter()
            .any(|refused| match name.strip_prefix(refused) {
                Some(rest) => rest.is_empty() || refused.ends_with("::"),
                None => false,
            })
        || begins(&PANICS) && never_returns(function)
}

/// Whether no way leads out of a function, as it is in Rust with one that returns `!`.
fn never_returns(function: &Function) -> bool {
    let FunctionKind::Local(local) = &function.kind else {
        return false;
    };
    let body = local.entry_block();
    let mut exits = Exits { body, found: false };
    dfs_in_order(&mut exits, local, body);
    let end = local.block(body).instrs.last();
    matches!(end, Some((Instr::Unreachable(_), _))) && !exits.found
}

/// Looks for a way out of a body before its end.
struct Exits {
    body: InstrSeqId,
    found: bool,
}

impl Visitor<'_> for Exits {
    fn visit_return(&mut self, _: &Return) {
        self.found = true;
    }

    fn visit_br(&mut self, branch: &Br) {
        self.found |= branch.block == self.body;
    }

    fn visit_br_if(&mut self, branch: &BrIf) {
        self.found |= branch.block == self.body;
    }

    fn visit_br_table(&mut self, branch: &BrTable) {
        self.found |= branch.default == self.body || branch.blocks.contains(&self.body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use walrus::InstrSeqBuilder;

    /// Adds a function that drops a number and then returns or does not; its id.
    fn function(module: &mut Module, name: &str, returns: bool) -> FunctionId {
        let mut builder = FunctionBuilder::new(&mut module.types, &[], &[]);
        builder.name(name.to_owned());
        let mut body = builder.func_body();
        body.i32_const(1).drop();
        if !returns {
            body.unreachable();
        }
        builder.finish(Vec::new(), &mut module.funcs)
    }

    fn is_trap(module: &Module, id: FunctionId) -> bool {
        let local = module.funcs.get(id).kind.unwrap_local();
        let body = &local.block(local.entry_block()).instrs;
        matches!(body[..], [(Instr::Unreachable(_), _)])
    }

    #[test]
    fn what_only_a_panic_runs_through_becomes_a_trap() {
        let mut module = Module::default();
        let cases = [
            ("core::panicking::panic_fmt", false, true),
            ("core::slice::index::slice_index_fail", false, true),
            ("<url::ParseError as core::fmt::Debug>::fmt", true, true),
            ("url::host::parse_ipv6addr", true, true),
            ("core::panicking::comes_back", true, false),
            ("<url::ParseError as core::fmt::Display>::fmt", true, false),
            ("checkout::ends_in_a_trap_of_its_own", false, false),
        ];
        let ids = cases.map(|(name, returns, _)| function(&mut module, name, returns));
        panics(&mut module);
        for (id, (name, _, trap)) in ids.into_iter().zip(cases) {
            assert_eq!(is_trap(&module, id), trap, "{name}");
        }
    }

    #[test]
    fn what_may_return_before_its_end_stays_as_it_is() {
        let exits: [fn(&mut InstrSeqBuilder); 3] = [
            |body| {
                body.return_();
            },
            |body| {
                body.br_if(body.id());
            },
            |body| {
                body.br_table([].into(), body.id());
            },
        ];
        for exit in exits {
            let mut module = Module::default();
            let mut builder = FunctionBuilder::new(&mut module.types, &[], &[]);
            builder.name("core::panicking::comes_back".to_owned());
            let mut body = builder.func_body();
            body.i32_const(1);
            exit(&mut body);
            body.unreachable();
            let id = builder.finish(Vec::new(), &mut module.funcs);
            panics(&mut module);
            assert!(!is_trap(&module, id));
        }
    }
}
