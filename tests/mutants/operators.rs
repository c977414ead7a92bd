//! The ways in which a function's source is broken: each takes one thing away.
//!
//! This reads SQL as our migrations write it (one condition or clause on a line, keywords in lower
//! case), not SQL in general. What it cannot read it does not touch.

use std::collections::BTreeMap;
use std::ops::Range;

/// A source with one thing taken away.
pub(super) struct Broken {
    /// What is missing, unique within the function.
    pub(super) what: String,
    pub(super) source: String,
}

/// Every source that lacks one thing of this one.
pub(super) fn break_source(source: &str) -> Vec<Broken> {
    let mut edits = Vec::new();
    let mut start = 0;
    let mut before = "";
    for line in source.split_inclusive('\n') {
        let text = line.trim();
        let at = start + (line.len() - line.trim_start().len());
        start += line.len();
        if text.is_empty() || text.starts_with("--") {
            continue;
        }
        let site = Site {
            source,
            at,
            line: text,
            before,
        };
        edits.extend(site.locks());
        edits.extend(site.order());
        edits.extend(site.condition());
        edits.extend(site.branch());
        edits.extend(site.statement());
        before = text;
    }
    let mut seen = BTreeMap::new();
    edits
        .into_iter()
        .map(|edit| {
            let count = seen.entry(edit.what.clone()).or_insert(0);
            *count += 1;
            let what = match count {
                1 => edit.what,
                _ => format!("{} ({count})", edit.what),
            };
            let mut broken = source.to_owned();
            broken.replace_range(edit.range, &edit.with);
            Broken {
                what,
                source: broken,
            }
        })
        .collect()
}

struct Edit {
    what: String,
    range: Range<usize>,
    with: String,
}

/// One line of a source, without its indentation.
struct Site<'a> {
    source: &'a str,
    at: usize,
    line: &'a str,
    /// The line before it that is neither empty nor a comment.
    before: &'a str,
}

impl Site<'_> {
    fn edit(&self, what: &str, range: Range<usize>, with: impl Into<String>) -> Edit {
        let taken = shortened(&self.source[range.clone()]);
        Edit {
            what: format!("{what} `{taken}`"),
            range,
            with: with.into(),
        }
    }

    /// Row locks are not taken, or are waited for.
    fn locks(&self) -> Vec<Edit> {
        let Some(column) = ["for no key update", "for update", "for share"]
            .iter()
            .find_map(|clause| self.line.find(clause))
        else {
            return Vec::new();
        };
        let start = self.at + column;
        let end = self.at + self.line.trim_end_matches([';', ')']).len();
        let mut edits = vec![self.edit("without", start..end, "")];
        for politeness in [" skip locked", " nowait"] {
            if let Some(column) = self.line.find(politeness) {
                let start = self.at + column;
                edits.push(self.edit("waits, without", start..start + politeness.len(), ""));
            }
        }
        edits
    }

    /// What is sorted is sorted the other way round: locks are taken against the common order, and the
    /// last comes first.
    fn order(&self) -> Option<Edit> {
        let keys = self.line.strip_prefix("order by ")?;
        let keys = keys.trim_end_matches(';');
        let end = self.at + "order by ".len() + keys.len();
        let backwards = |key: &str| match key.strip_suffix(" desc") {
            Some(key) => key.to_owned(),
            None => format!("{key} desc"),
        };
        let keys: Vec<String> = keys.split(", ").map(backwards).collect();
        Some(self.edit(
            "backwards",
            self.at..end,
            format!("order by {}", keys.join(", ")),
        ))
    }

    /// A condition is not asked.
    fn condition(&self) -> Option<Edit> {
        let word = ["and ", "or ", "where "]
            .into_iter()
            .find(|word| self.line.starts_with(word))?;
        let end = condition_end(self.source, self.at + word.len());
        let with = if word == "where " { "where true" } else { "" };
        Some(self.edit("without", self.at..end, with))
    }

    /// A branch is never taken; a loop ends after its first turn.
    fn branch(&self) -> Option<Edit> {
        if let Some(condition) = self.line.strip_prefix("exit when ") {
            let start = self.at + "exit".len();
            let end = start + " when ".len() + condition.trim_end_matches(';').len();
            return Some(self.edit("one turn only, without", start..end, ""));
        }
        let word = ["if ", "elsif "]
            .into_iter()
            .find(|word| self.line.starts_with(word))?;
        let start = self.at + word.len();
        let end = start + then_after(&self.source[start..])?;
        Some(self.edit("never", start..end, "false"))
    }

    /// A statement is not executed.
    fn statement(&self) -> Option<Edit> {
        // The error after `if … then` goes when the branch goes.
        let raises = self.line.starts_with("raise ") || self.line.contains("interlock.raise_");
        let first = [";", "begin", "loop", "else"]
            .iter()
            .any(|end| self.before.ends_with(end))
            || (self.before.ends_with("then") && !raises);
        let writes = [
            "perform ",
            "insert into ",
            "update ",
            "delete from ",
            "raise ",
        ]
        .iter()
        .any(|word| self.line.starts_with(word));
        if !first || !writes {
            return None;
        }
        let end = self.at + statement_end(&self.source[self.at..])?;
        Some(self.edit("without", self.at..end, "null"))
    }
}

/// Steps over quoted text and tells how deep in parentheses each character is.
fn depths(text: &str) -> impl Iterator<Item = (usize, char, i32)> {
    let mut depth = 0;
    let mut quoted = false;
    text.char_indices().filter_map(move |(index, char)| {
        if char == '\'' {
            quoted = !quoted;
        }
        if quoted {
            return None;
        }
        depth += match char {
            '(' | '[' => 1,
            ')' | ']' => -1,
            _ => 0,
        };
        Some((index, char, depth))
    })
}

/// Where a condition ends: with its line, unless a parenthesis is open or the next line goes on with
/// an operator.
fn condition_end(source: &str, start: usize) -> usize {
    let text = &source[start..];
    for (index, char, depth) in depths(text) {
        let rest = &text[index..];
        let ends = match char {
            ')' => depth < 0,
            ';' => true,
            ' ' => depth == 0 && (rest.starts_with(" then\n") || rest.starts_with(" then ")),
            '\n' => depth == 0 && !rest.trim_start().starts_with(['=', '<', '>', '|']),
            _ => false,
        };
        if ends {
            return start + index;
        }
    }
    source.len()
}

/// Where `then` stands that belongs to an `if`, without the white space before it.
fn then_after(text: &str) -> Option<usize> {
    let (index, _, _) = depths(text).find(|(index, char, depth)| {
        *depth == 0
            && char.is_whitespace()
            && text[*index..]
                .trim_start()
                .strip_prefix("then")
                .is_some_and(|rest| rest.starts_with(char::is_whitespace))
    })?;
    Some(index)
}

/// The semicolon that ends a statement.
fn statement_end(text: &str) -> Option<usize> {
    depths(text)
        .find(|(_, char, _)| *char == ';')
        .map(|(index, _, _)| index)
}

/// A source text as it is shown: on one line, and not too long.
fn shortened(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= 100 {
        return line;
    }
    line.chars().take(99).chain(['…']).collect()
}
