//! What `auto_explain` tells of each statement as soon as it has run: its text, its id, and the stack that it ran on, which stands in the
//! context of the notice as it would in that of an error.

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// One level of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A PL/pgSQL function, by its name and the types of its arguments.
    Function(String),
    /// An SQL function, by its name alone: the server says no more.
    SqlFunction(String),
    /// A statement or an expression, by its text.
    Statement(String),
}

/// A statement that has run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Notice {
    /// As in `pg_stat_statements`.
    pub(super) query: i64,
    /// The statement comes last. A statement that the client has sent is alone in it.
    pub(super) stack: Vec<Frame>,
}

/// What is read of the plan, as JSON.
#[derive(Deserialize)]
struct Plan {
    #[serde(rename = "Query Text")]
    text: String,
    #[serde(rename = "Query Identifier")]
    query: Option<i64>,
}

impl Notice {
    /// None for a notice of anything else.
    pub(super) fn parse(message: &str, context: &str) -> Result<Option<Self>> {
        let Some((head, plan)) = message.split_once("plan:\n") else {
            return Ok(None);
        };
        if !head.starts_with("duration: ") {
            return Ok(None);
        }
        let plan: Plan = serde_json::from_str(plan).context("auto_explain's JSON")?;
        let query = plan.query.context("the plan has no query identifier")?;
        let mut stack = frames(context)?;
        // A statement of PL/pgSQL stands in its own context, one of an SQL function or of a client does not.
        let own = Frame::Statement(plan.text);
        if stack.first() != Some(&own) {
            stack.insert(0, own);
        }
        stack.reverse();
        Ok(Some(Notice { query, stack }))
    }
}

const STATEMENTS: [&str; 3] = [
    "SQL statement \"",
    "PL/pgSQL expression \"",
    "PL/pgSQL assignment \"",
];
const FUNCTION: &str = "PL/pgSQL function ";
const SQL_FUNCTION: &str = "SQL function \"";

/// The frames of a context, innermost first. A statement may have several lines.
fn frames(context: &str) -> Result<Vec<Frame>> {
    let mut frames = Vec::new();
    let mut lines = context.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix(FUNCTION) {
            frames.push(Frame::Function(signature(name).to_owned()));
        } else if let Some(name) = line.strip_prefix(SQL_FUNCTION) {
            let (name, _) = name.split_once('"').context("a name has an end")?;
            frames.push(Frame::SqlFunction(name.to_owned()));
        } else if let Some(text) = STATEMENTS.iter().find_map(|kind| line.strip_prefix(kind)) {
            let mut text = text.to_owned();
            while let Some(line) = lines.next_if(|line| !begins_frame(line)) {
                text.push('\n');
                text.push_str(line);
            }
            let text = text.strip_suffix('"').context("a statement has an end")?;
            frames.push(Frame::Statement(text.to_owned()));
        } else {
            bail!("the profile knows no such line of a context: {line}");
        }
    }
    Ok(frames)
}

fn begins_frame(line: &str) -> bool {
    [FUNCTION, SQL_FUNCTION]
        .iter()
        .chain(&STATEMENTS)
        .any(|prefix| line.starts_with(prefix))
}

/// What stands before ` line 3 at RETURN`.
fn signature(text: &str) -> &str {
    match text.find(')') {
        Some(end) => &text[..=end],
        None => text.split(' ').next().unwrap_or(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        let plan = serde_json::json!({ "Query Text": text, "Plan": {}, "Query Identifier": -7 });
        format!("duration: 0.006 ms  plan:\n{plan}")
    }

    fn statement(text: &str) -> Frame {
        Frame::Statement(text.to_owned())
    }

    fn function(signature: &str) -> Frame {
        Frame::Function(signature.to_owned())
    }

    #[test]
    fn a_context_is_a_stack_whose_statements_may_have_several_lines() {
        let check =
            "SELECT 1 FROM ONLY \"auth\".\"users\" x WHERE \"id\" OPERATOR(pg_catalog.=) $1";
        let insert = "insert into a.orders (id)\n  values (\"x\")";
        let context = format!(
            "SQL statement \"{check}\"\nSQL statement \"{insert}\"\n\
             PL/pgSQL function a.line(uuid,jsonb) line 132 at SQL statement\n\
             PL/pgSQL expression \"a.line(1, '[]')\"\n\
             PL/pgSQL function a.checkout() line 3 during statement block local variable initialization"
        );
        let notice = Notice::parse(&message(check), &context).expect("a notice");
        let stack = vec![
            function("a.checkout()"),
            statement("a.line(1, '[]')"),
            function("a.line(uuid,jsonb)"),
            statement(insert),
            statement(check),
        ];
        assert_eq!(notice, Some(Notice { query: -7, stack }));
    }

    #[test]
    fn a_statement_that_is_not_in_its_own_context_comes_last_as_well() {
        let context = "SQL function \"record\" statement 1\nSQL statement \"SELECT a.record()\"\n\
                       PL/pgSQL function inline_code_block line 1 at PERFORM";
        let notice = Notice::parse(&message("insert"), context).expect("a notice");
        let stack = vec![
            function("inline_code_block"),
            statement("SELECT a.record()"),
            Frame::SqlFunction("record".to_owned()),
            statement("insert"),
        ];
        assert_eq!(notice, Some(Notice { query: -7, stack }));
        let sent = Notice::parse(&message("select 1"), "").expect("a notice");
        assert_eq!(sent.expect("one").stack, [statement("select 1")]);
    }

    #[test]
    fn other_notices_are_left_out_and_other_contexts_are_not() {
        let other = Notice::parse("relation exists, skipping", "COPY t, line 1");
        assert_eq!(other.expect("nothing wrong"), None);
        let error = Notice::parse(&message("select 1"), "COPY t, line 1").expect_err("unknown");
        assert!(error.to_string().contains("COPY t, line 1"), "{error}");
    }
}
