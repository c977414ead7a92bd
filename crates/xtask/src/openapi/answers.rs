//! What the database functions answer, read off the SQL that makes it: the members that `jsonb_build_object` is given, through
//! the functions that it is asked of. Nothing is guessed: what cannot be read off is any JSON.

use std::cell::RefCell;
use std::collections::BTreeMap;

use interlock_domain::FUNCTIONS;
use serde_json::{Map, Value, json};

use super::rpcs::{schema, top_level, within};

/// Functions ask functions; none of them so deep.
const DEEPEST: usize = 12;

/// All functions of the schemas, and what rows have.
#[derive(Default)]
pub(super) struct Answers {
    functions: BTreeMap<String, Function>,
    /// Columns of tables: their types, and whether they may be null.
    tables: BTreeMap<String, BTreeMap<String, (String, bool)>>,
    /// What domains are of.
    domains: BTreeMap<String, String>,
    /// What `…_to_json` functions make, by the name of the thing.
    things: RefCell<BTreeMap<String, Value>>,
}

struct Function {
    returns: String,
    /// Types of parameters and variables.
    kinds: BTreeMap<String, String>,
    body: String,
    plpgsql: bool,
    /// Declared twice, with other parameters: which one is meant is not read off.
    overloaded: bool,
}

impl Answers {
    /// Takes in what a file declares.
    pub(super) fn read(&mut self, sql: &str) {
        for rest in sql.split("\ncreate table ").skip(1) {
            if let Some((name, rest)) = rest.split_once(" (") {
                let columns = top_level(&without_comments(within(rest).0));
                let columns = columns.iter().filter_map(|text| column(text)).collect();
                self.tables.insert(name.trim().to_owned(), columns);
            }
        }
        for rest in sql.split("create domain ").skip(1) {
            let mut words = rest.split_whitespace();
            if let (Some(name), Some("as"), Some(kind)) = (words.next(), words.next(), words.next())
            {
                let kind = kind.trim_end_matches(';').to_owned();
                self.domains.insert(name.to_owned(), kind);
            }
        }
        for rest in sql.split("create function ").skip(1) {
            if let Some((name, function)) = Function::read(rest) {
                let twice = self.functions.contains_key(&name);
                let function = Function {
                    overloaded: twice,
                    ..function
                };
                self.functions.insert(name, function);
            }
        }
    }

    /// What a function answers; `{}` where that is not known.
    pub(super) fn of(&self, name: &str) -> Value {
        self.answer(name, 0)
    }

    /// What there is to refer to, after everything was asked for.
    pub(super) fn things(&self) -> BTreeMap<String, Value> {
        self.things.borrow().clone()
    }

    fn answer(&self, name: &str, depth: usize) -> Value {
        let Some(function) = self.functions.get(name).filter(|_| depth < DEEPEST) else {
            return unknown();
        };
        if function.overloaded {
            return unknown();
        }
        if !["json", "jsonb"].contains(&function.returns.as_str()) {
            return self.scalar(&function.returns);
        }
        let thing = name
            .split('.')
            .next_back()
            .and_then(|own| own.strip_suffix("_to_json"))
            .map(camel);
        if let Some(thing) = &thing
            && self.things.borrow().contains_key(thing)
        {
            return reference(thing);
        }
        // What a record of a function says is held against its answers, and says more.
        if let Some(thing) = &thing
            && self.take(thing)
        {
            return reference(thing);
        }
        let answers = function.answers();
        let all: Vec<Value> = answers
            .iter()
            .map(|text| self.cast(text, function, depth))
            .collect();
        let answer = alternatives(&all);
        match thing {
            Some(thing) if answer != unknown() => {
                self.things.borrow_mut().insert(thing.clone(), answer);
                reference(&thing)
            }
            _ => answer,
        }
    }

    /// What the edge functions' records say of a thing of that name, and of what it refers to.
    fn take(&self, thing: &str) -> bool {
        let mut told = FUNCTIONS.iter().flat_map(|function| function.told.schemas);
        let Some((_, shape)) = told.find(|(name, _)| *name == thing) else {
            return false;
        };
        let found = super::shapes::schema(shape);
        let text = found.to_string();
        self.things.borrow_mut().insert(thing.to_owned(), found);
        for other in text.split("#/components/schemas/").skip(1) {
            let other = other.split('"').next().unwrap_or_default();
            if !self.things.borrow().contains_key(other) {
                self.take(other);
            }
        }
        true
    }

    /// What an expression comes to.
    fn shape(&self, text: &str, function: &Function, depth: usize) -> Value {
        let text = text.trim();
        if depth >= DEEPEST {
            return unknown();
        }
        let joined = divided(text, "||");
        if joined.len() > 1 {
            return self.joined(&joined, function, depth);
        }
        let mut casts = divided(text, "::");
        let inner = casts.remove(0);
        if let Some(kind) = casts.last() {
            return match kind.trim() {
                "json" | "jsonb" => self.cast(&inner, function, depth),
                kind => self.scalar(kind),
            };
        }
        if let Some(rest) = text.strip_prefix('(') {
            let (inside, after) = within(rest);
            if !after.trim().is_empty() {
                return unknown();
            }
            return match inside.trim().strip_prefix("select ") {
                Some(selected) => {
                    let (what, from) = divided_at_word(selected, "from");
                    let found = self.shape(&what, function, depth + 1);
                    // Where it is read from there may be no row.
                    if from.is_some() {
                        nullable(found)
                    } else {
                        found
                    }
                }
                None => self.shape(inside, function, depth + 1),
            };
        }
        if text == "true" || text == "false" {
            return json!({ "type": "boolean" });
        }
        if text.chars().all(|letter| letter.is_ascii_digit()) && !text.is_empty() {
            return json!({ "type": "integer" });
        }
        if text.len() > 1 && text.starts_with('\'') && text.ends_with('\'') {
            return json!({ "type": "string" });
        }
        match text.split_once('(') {
            Some((name, rest)) if is_name(name) => {
                let (inside, after) = within(rest);
                if after.trim().is_empty() {
                    self.call(name, inside, function, depth)
                } else {
                    unknown()
                }
            }
            None if is_name(text) => match function.kinds.get(text).map(String::as_str) {
                Some("json" | "jsonb") => self.variable(text, function, depth),
                Some(kind) => self.scalar(kind),
                None => self.member(text, function),
            },
            _ => unknown(),
        }
    }

    /// A column of a row that the function was given, or has in a variable.
    fn member(&self, text: &str, function: &Function) -> Value {
        let Some((row, name)) = text.split_once('.') else {
            return unknown();
        };
        let table = function.kinds.get(row).and_then(|kind| {
            let table = kind.trim_end_matches("%rowtype");
            self.tables.get(table)
        });
        let Some((kind, may_be_null)) = table.and_then(|columns| columns.get(name)) else {
            return unknown();
        };
        // A variable has a row only if one was found; a parameter is one.
        if *may_be_null || !row.starts_with("p_") {
            return self.scalar(kind);
        }
        schema(self.base(kind)).unwrap_or_else(|_| unknown())
    }

    /// What a column or a variable of that type is as JSON; it may be null.
    fn scalar(&self, kind: &str) -> Value {
        match schema(self.base(kind.trim())) {
            Ok(found) => nullable(found),
            Err(_) => unknown(),
        }
    }

    fn base<'a>(&'a self, kind: &'a str) -> &'a str {
        let kind = self.domains.get(kind).map_or(kind, String::as_str);
        kind.split('(').next().unwrap_or(kind)
    }

    /// The same of what becomes JSON, by a cast or because the function answers it. Of a text that was stored it is not known
    /// what it holds.
    fn cast(&self, text: &str, function: &Function, depth: usize) -> Value {
        let found = self.json(text, function, depth);
        let is_text = found["type"] == "string" || found["type"] == json!(["string", "null"]);
        if is_text { unknown() } else { found }
    }

    /// The same of what is cast to JSON: a text is not a JSON string then.
    fn json(&self, text: &str, function: &Function, depth: usize) -> Value {
        let text = text.trim();
        if text.starts_with('\'') {
            return match text {
                "'[]'" => json!({ "type": "array" }),
                _ => unknown(),
            };
        }
        if function.kinds.contains_key(text) {
            return self.variable(text, function, depth);
        }
        self.shape(text, function, depth + 1)
    }

    fn call(&self, name: &str, inside: &str, function: &Function, depth: usize) -> Value {
        let arguments = top_level(inside);
        match name {
            "jsonb_build_object" | "json_build_object" => {
                let mut properties = Map::new();
                for pair in arguments.chunks(2) {
                    let [name, value] = pair else {
                        return unknown();
                    };
                    let name = name.trim();
                    let Some(name) = name
                        .strip_prefix('\'')
                        .and_then(|rest| rest.strip_suffix('\''))
                    else {
                        return unknown();
                    };
                    properties.insert(name.to_owned(), self.shape(value, function, depth + 1));
                }
                object(properties, None)
            }
            "jsonb_agg" | "json_agg" => {
                let item = divided_at_word(inside, "order by").0;
                let items = self.shape(&item, function, depth + 1);
                json!({ "type": ["array", "null"], "items": items })
            }
            "jsonb_strip_nulls" | "json_strip_nulls" => {
                let whole = self.resolved(self.shape(inside, function, depth + 1));
                match whole["properties"].as_object() {
                    Some(properties) => object(properties.clone(), Some(Vec::new())),
                    None => unknown(),
                }
            }
            "coalesce" => {
                let found = self.shape(&arguments[0], function, depth + 1);
                let last = arguments.last().map_or("", |last| last.trim());
                let is_empty = ["'[]'", "'[]'::jsonb", "'[]'::json"].contains(&last);
                if found["type"] == json!(["array", "null"]) && is_empty {
                    return json!({ "type": "array", "items": found["items"] });
                }
                unknown()
            }
            "trim_scale" => json!({ "type": ["number", "null"] }),
            "now" => json!({ "type": "string", "format": "date-time" }),
            name if name.contains('.') => self.answer(name, depth + 1),
            _ => unknown(),
        }
    }

    /// Objects that are put together: what comes later counts.
    fn joined(&self, parts: &[String], function: &Function, depth: usize) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for part in parts {
            let found = self.resolved(self.shape(part, function, depth + 1));
            let Some(members) = found["properties"].as_object() else {
                return unknown();
            };
            for (name, value) in members {
                properties.insert(name.clone(), value.clone());
            }
            required.extend(names(&found["required"]));
        }
        object(properties, Some(required))
    }

    /// A variable with JSON in it: all that is ever put there. What a function has answered before and kept, it answers again.
    fn variable(&self, name: &str, function: &Function, depth: usize) -> Value {
        let mut found = Vec::new();
        for (at, _) in function.body.match_indices(name) {
            let before = &function.body[..at];
            let after = &function.body[at + name.len()..];
            let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
            if before.ends_with(is_word) || after.starts_with(is_word) {
                continue;
            }
            if let Some(value) = after.trim_start().strip_prefix(":=") {
                let statement = before.trim_end();
                let begins = [";", "then", "else", "begin", "loop"];
                if begins.iter().any(|word| statement.ends_with(word)) {
                    found.push(self.shape(&divided(value, ";")[0], function, depth + 1));
                    continue;
                }
                return unknown();
            }
            if divided_at_word(before.rsplit(';').next().unwrap_or_default(), "into")
                .1
                .is_some_and(|rest| !rest.contains(" from "))
            {
                return unknown();
            }
        }
        alternatives(&found)
    }

    fn resolved(&self, shape: Value) -> Value {
        let name = shape["$ref"]
            .as_str()
            .and_then(|text| text.rsplit('/').next());
        name.and_then(|name| self.things.borrow().get(name).cloned())
            .unwrap_or(shape)
    }
}

impl Function {
    fn read(rest: &str) -> Option<(String, Self)> {
        let (name, rest) = rest.split_once('(')?;
        let (parameters, rest) = within(rest);
        let (head, rest) = rest.split_once("as $$")?;
        let body = without_comments(rest.split("$$;").next()?);
        let returns = head.split_once("returns ")?.1.lines().next()?.trim();
        let mut kinds = BTreeMap::new();
        for parameter in top_level(&without_comments(parameters)) {
            note(&mut kinds, &parameter);
        }
        let plpgsql = head.contains("language plpgsql");
        let (declared, code) = match body.split_once("\nbegin\n") {
            Some((declared, code)) if plpgsql => (declared, code),
            _ => ("", body.as_str()),
        };
        for variable in declared.trim().trim_start_matches("declare").split(';') {
            note(&mut kinds, variable);
        }
        let function = Self {
            returns: returns.to_owned(),
            kinds,
            body: code.to_owned(),
            plpgsql,
            overloaded: false,
        };
        Some((name.to_owned(), function))
    }

    /// The expressions that it answers.
    fn answers(&self) -> Vec<String> {
        if !self.plpgsql {
            let whole = self.body.trim().trim_end_matches(';').trim();
            return whole
                .strip_prefix("select ")
                .map(|_| format!("({whole})"))
                .into_iter()
                .collect();
        }
        let mut found = Vec::new();
        for (at, word) in self.body.match_indices("return ") {
            if self.body[..at].ends_with(char::is_whitespace) {
                found.push(divided(&self.body[at + word.len()..], ";")[0].clone());
            }
        }
        found
    }
}

/// A name and its type, `p_id uuid default null` say.
fn note(kinds: &mut BTreeMap<String, String>, declaration: &str) {
    let mut words = declaration.split_whitespace();
    if let (Some(name), Some(kind)) = (words.next(), words.next()) {
        kinds.insert(name.to_owned(), kind.to_owned());
    }
}

fn unknown() -> Value {
    json!({})
}

fn reference(thing: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{thing}") })
}

/// `driver_id uuid not null` as its name, type, and whether it may be null.
fn column(text: &str) -> Option<(String, (String, bool))> {
    let mut words = text.split_whitespace();
    let (name, kind) = (words.next()?, words.next()?);
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let may_be_null = !plain.contains(" not null") && !plain.contains(" primary key");
    (name != "constraint").then(|| (name.to_owned(), (kind.to_owned(), may_be_null)))
}

fn nullable(mut shape: Value) -> Value {
    if let Some(kind) = shape["type"].as_str() {
        shape["type"] = json!([kind, "null"]);
        return shape;
    }
    match shape.get("$ref") {
        Some(_) => json!({ "anyOf": [shape, { "type": "null" }] }),
        None => shape,
    }
}

/// An object; all its members are there unless it is said which.
fn object(properties: Map<String, Value>, required: Option<Vec<String>>) -> Value {
    let mut required = required.unwrap_or_else(|| properties.keys().cloned().collect());
    required.sort();
    required.dedup();
    if required.is_empty() {
        return json!({ "type": "object", "properties": properties });
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

fn names(list: &Value) -> Vec<String> {
    let words = list.as_array().into_iter().flatten();
    words
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect()
}

/// One of these: what all of them say.
fn alternatives(all: &[Value]) -> Value {
    let Some((first, others)) = all.split_first() else {
        return unknown();
    };
    if others.iter().all(|other| other == first) {
        return first.clone();
    }
    let mut properties = Map::new();
    let mut required = names(&first["required"]);
    for shape in all {
        let Some(members) = shape["properties"].as_object() else {
            return unknown();
        };
        let own = names(&shape["required"]);
        required.retain(|name| own.contains(name));
        for (name, value) in members {
            let kept = match properties.get(name) {
                Some(other) if other != value => unknown(),
                _ => value.clone(),
            };
            properties.insert(name.clone(), kept);
        }
    }
    object(properties, Some(required))
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|letter| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_.".contains(letter)
        })
}

/// What a mark divides outside brackets and quotes.
fn divided(text: &str, mark: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let (mut depth, mut literal, mut from) = (0, false, 0);
    for (at, letter) in text.char_indices() {
        match letter {
            '\'' => literal = !literal,
            '(' | '[' if !literal => depth += 1,
            ')' | ']' if !literal => depth -= 1,
            _ => {}
        }
        if depth == 0 && !literal && at >= from && text[at..].starts_with(mark) {
            parts.push(text[from..at].to_owned());
            from = at + mark.len();
        }
    }
    parts.push(text[from..].to_owned());
    parts
}

/// The same at the first such word.
fn divided_at_word(text: &str, word: &str) -> (String, Option<String>) {
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut parts = divided(&plain, &format!(" {word} ")).into_iter();
    let first = parts.next().unwrap_or_default();
    let rest: Vec<String> = parts.collect();
    (first, (!rest.is_empty()).then(|| rest.join(" ")))
}

fn camel(name: &str) -> String {
    let mut found = String::new();
    for word in name.split('_') {
        let (first, rest) = word.split_at(word.len().min(1));
        found.push_str(&first.to_uppercase());
        found.push_str(rest);
    }
    found
}

fn without_comments(sql: &str) -> String {
    let lines = sql
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"));
    let plain = lines.map(|line| match line.split_once(" -- ") {
        Some((code, _)) if code.matches('\'').count() % 2 == 0 => code,
        _ => line,
    });
    plain.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Value {
        read(body).of("interlock.x")
    }

    fn read(body: &str) -> Answers {
        let mut answers = Answers::default();
        answers.read(&format!(
            "create function interlock.x(p_id uuid)\nreturns json\nlanguage plpgsql\nas $$\ndeclare\n  v_answer text;\n  \
             v_many int;\nbegin\n{body}\nend\n$$;\n\
             create function interlock.thing_to_json(p_thing interlock.things)\nreturns jsonb\nlanguage sql\nas $$\n  \
             select jsonb_build_object('id', p_thing.id, 'name', p_thing.name, 'other', p_thing.other)\n$$;\n\
             create table interlock.things (\n  -- Its own.\n  id uuid not null,\n  name interlock.label\n);\n\
             create domain interlock.label as text\n  check (value <> '');\n"
        ));
        answers
    }

    #[test]
    fn members_are_read_off_with_their_types() {
        assert_eq!(
            answer(
                "  return jsonb_build_object('success', true, 'id', p_id, 'many', v_many, 'what', f.g + 1);"
            ),
            json!({
                "type": "object",
                "properties": {
                    "success": { "type": "boolean" },
                    "id": { "type": ["string", "null"], "format": "uuid" },
                    "many": { "type": ["integer", "null"] },
                    "what": {},
                },
                "required": ["id", "many", "success", "what"],
            })
        );
    }

    #[test]
    fn what_is_read_off_a_row_has_the_types_of_its_columns() {
        let answers = read("");
        answers.of("interlock.thing_to_json");
        assert_eq!(
            answers.things()["Thing"]["properties"],
            json!({
                "id": { "type": "string", "format": "uuid" },
                "name": { "type": ["string", "null"] },
                "other": {},
            })
        );
    }

    #[test]
    fn what_another_function_makes_has_a_name() {
        let found = answer(
            "  return jsonb_build_object('thing', interlock.thing_to_json(p_id))::text::json;",
        );
        assert_eq!(
            found["properties"]["thing"]["$ref"],
            "#/components/schemas/Thing"
        );
    }

    #[test]
    fn of_two_answers_only_what_both_have_is_sure() {
        let found = answer(
            "  if p_id is null then\n    return json_build_object('a', 1, 'b', 'x');\n  end if;\n  v_answer := json_build_object('a', true);\n  return v_answer::json;",
        );
        assert_eq!(found["required"], json!(["a"]));
        assert_eq!(found["properties"]["a"], json!({}));
    }

    #[test]
    fn what_is_read_from_a_row_is_not_known() {
        for body in [
            "  select r.answer into v_answer from interlock.kept r;\n  return v_answer::json;",
            "  return interlock.elsewhere(p_id);",
            "  select r.answer into v_answer from interlock.kept r;\n  return v_answer;",
            "  return case when true then json_build_object('a', 1) end;",
        ] {
            assert_eq!(answer(body), json!({}), "{body}");
        }
    }
}
