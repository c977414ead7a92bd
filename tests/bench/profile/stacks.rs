//! Stacks folded into a tree, and the tree given its widths. Where a statement runs is one measurement and how long it takes another,
//! so what one has and the other has not is an error: it would be a gap in the picture that nobody sees.

use super::notice::{Frame, Notice};
use crate::flame::{self, Kind};
use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeMap;

/// The statement by which a function says that it was called.
pub(super) const CALLED: &str = "the profile asks who calls";

/// What runs in fewer of the transactions is none of the one that is shown: a session makes its first plans, or waits for once.
const SELDOM: f64 = 0.5;
/// Nor may it take more of the time.
const LITTLE: f64 = 0.01;
/// How far calls and times may lie from what they should be: for once another way was taken, or what stands in several places, and has
/// the same width in each, takes longer in one of them.
const TOLERANCE: f64 = 0.15;

/// A frame and what ran in it, in the order in which it began.
#[derive(Debug)]
pub(super) struct Node {
    frame: Frame,
    /// A statement's id.
    query: Option<i64>,
    /// In one transaction, at this place.
    calls: u32,
    children: Vec<Node>,
}

/// What was measured under one name, for each transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cost {
    pub(super) calls: f64,
    pub(super) us: f64,
}

/// Everything that was measured, for each transaction.
#[derive(Debug, Default)]
pub(super) struct Costs {
    pub(super) us: f64,
    /// What clients have sent, with its text.
    pub(super) sent: Vec<(String, Cost)>,
    /// What ran in functions, by id.
    pub(super) statements: BTreeMap<i64, (String, Cost)>,
    /// By name and types of arguments.
    pub(super) functions: BTreeMap<String, Cost>,
}

/// What ran in the statements that a client has sent.
pub(super) fn fold(notices: Vec<Notice>) -> Result<Vec<Node>> {
    let mut roots = Vec::new();
    for Notice { query, mut stack } in notices {
        let marks = stack.last() == Some(&Frame::Statement(format!("SELECT '{CALLED}'")));
        if marks {
            stack.pop();
        } else if stack.len() == 1 {
            // Sent by the client.
            continue;
        }
        let node = descend(&mut roots, stack).context("a function is called by somebody")?;
        node.calls += 1;
        if !marks {
            ensure!(
                node.query.is_none_or(|known| known == query),
                "two statements have the same text in the same place: {}",
                node.name()
            );
            node.query = Some(query);
        }
    }
    // An SQL function cannot be asked; its first statement runs whenever it is called.
    count_sql_functions(&mut roots);
    Ok(roots)
}

fn descend(mut nodes: &mut Vec<Node>, stack: Vec<Frame>) -> Option<&mut Node> {
    let mut stack = stack.into_iter().peekable();
    while let Some(frame) = stack.next() {
        let place = match nodes.iter().position(|node| node.frame == frame) {
            Some(place) => place,
            None => {
                nodes.push(Node {
                    frame,
                    query: None,
                    calls: 0,
                    children: Vec::new(),
                });
                nodes.len() - 1
            }
        };
        if stack.peek().is_none() {
            return Some(&mut nodes[place]);
        }
        nodes = &mut nodes[place].children;
    }
    None
}

fn count_sql_functions(nodes: &mut [Node]) {
    for node in nodes {
        count_sql_functions(&mut node.children);
        if matches!(node.frame, Frame::SqlFunction(_)) {
            node.calls = node
                .children
                .iter()
                .map(|child| child.calls)
                .max()
                .unwrap_or(0);
        }
    }
}

impl Node {
    fn name(&self) -> String {
        match &self.frame {
            Frame::Function(name) | Frame::SqlFunction(name) => name_of(name).to_owned(),
            Frame::Statement(text) => first_words(text),
        }
    }

    fn kind(&self) -> Kind {
        match &self.frame {
            Frame::Function(_) | Frame::SqlFunction(_) => Kind::Function,
            Frame::Statement(text) if referenced(text).is_some() => Kind::Reference,
            Frame::Statement(_) => Kind::Statement,
        }
    }
}

/// Calls by what the costs are known by.
#[derive(Default)]
struct Places {
    statements: BTreeMap<i64, u32>,
    functions: BTreeMap<String, u32>,
}

impl Places {
    fn count(&mut self, nodes: &[Node], costs: &Costs) -> Result<()> {
        for node in nodes {
            ensure!(
                node.calls > 0,
                "{} is on the stack of others and nothing says how often it runs",
                node.name()
            );
            match &node.frame {
                Frame::Statement(_) => {
                    let query = node
                        .query
                        .context("a statement that was told of has an id")?;
                    *self.statements.entry(query).or_default() += node.calls;
                }
                frame => *self.functions.entry(costs.function(frame)?).or_default() += node.calls,
            }
            self.count(&node.children, costs)?;
        }
        Ok(())
    }
}

impl Costs {
    /// What a function is known by: an SQL function has to be the only one of its name that was called.
    fn function(&self, frame: &Frame) -> Result<String> {
        let name = match frame {
            Frame::Function(signature) => return Ok(signature.clone()),
            Frame::SqlFunction(name) => name,
            Frame::Statement(text) => bail!("no function: {text}"),
        };
        let mut found = self
            .functions
            .keys()
            .filter(|signature| name_of(signature).rsplit('.').next() == Some(name.as_str()));
        match (found.next(), found.next()) {
            (Some(signature), None) => Ok(signature.clone()),
            (None, _) => bail!("the SQL function {name} runs, and no time of it was measured"),
            _ => bail!(
                "there are several functions {name}, and an SQL function does not say which it is"
            ),
        }
    }

    /// Refuses what ran under load and is not in the tree.
    fn refuse_gaps(&self, places: &Places) -> Result<()> {
        let statements = self
            .statements
            .iter()
            .filter(|(query, _)| !places.statements.contains_key(query))
            .map(|(_, (text, cost))| (first_words(text), cost));
        let functions = self
            .functions
            .iter()
            .filter(|(signature, _)| !places.functions.contains_key(*signature))
            .map(|(signature, cost)| (signature.clone(), cost));
        for (name, cost) in statements.chain(functions) {
            ensure!(
                cost.calls < SELDOM && cost.us < LITTLE * self.us,
                "{name} runs {:.2} times a transaction ({:.1} µs) and is on no stack",
                cost.calls,
                cost.us
            );
        }
        Ok(())
    }
}

/// The picture: the transaction, what the API sends for it (a name, and how it begins), and what runs in the last of that. What is left of
/// the whole is the commit, and to read and to answer what is sent.
pub(super) fn measure(
    title: &str,
    sent: &[(String, String)],
    nodes: Vec<Node>,
    costs: &Costs,
) -> Result<flame::Flame> {
    let mut places = Places::default();
    places.count(&nodes, costs)?;
    costs.refuse_gaps(&places)?;
    let step = |name: &str, us, children| flame::Frame {
        name: name.to_owned(),
        kind: Kind::Step,
        us,
        calls: 1,
        children,
    };
    let mut steps = Vec::new();
    for (name, begin) in sent {
        let mut found = costs
            .sent
            .iter()
            .filter(|(text, _)| text.starts_with(begin));
        let (_, cost) = found
            .next()
            .with_context(|| format!("no time was measured of {begin}"))?;
        steps.push(step(name, cost.us, Vec::new()));
    }
    if let Some(call) = steps.last_mut() {
        call.children = widths(&nodes, costs, &places)?;
    }
    let left = costs.us - steps.iter().map(|step| step.us).sum::<f64>();
    ensure!(
        left > 0.0,
        "what was sent takes longer than the whole of {:.1} µs",
        costs.us
    );
    steps.push(step("commit, messages", left, Vec::new()));
    let mut root = step("transaction", costs.us, steps);
    fit(&mut root)?;
    let title = title.to_owned();
    Ok(flame::Flame { title, root })
}

fn widths(nodes: &[Node], costs: &Costs, places: &Places) -> Result<Vec<flame::Frame>> {
    let mut frames = Vec::new();
    for node in nodes {
        let mut name = node.name();
        let (measured, calls) = match (&node.frame, node.query) {
            (Frame::Statement(_), Some(query)) => (
                costs.statements.get(&query).map(|(_, cost)| cost),
                places.statements[&query],
            ),
            (frame, _) => {
                let signature = costs.function(frame)?;
                name_of(&signature).clone_into(&mut name);
                (
                    costs.functions.get(&signature),
                    places.functions[&signature],
                )
            }
        };
        let cost =
            measured.with_context(|| format!("{name} runs, and no time of it was measured"))?;
        ensure!(
            (cost.calls - f64::from(calls)).abs() <= TOLERANCE * f64::from(calls),
            "{name} runs {calls} times where its stack was taken and {:.2} times a transaction under load",
            cost.calls
        );
        frames.push(flame::Frame {
            name,
            kind: node.kind(),
            us: cost.us * f64::from(node.calls) / f64::from(calls),
            calls: node.calls,
            children: widths(&node.children, costs, places)?,
        });
    }
    Ok(frames)
}

/// Makes children that stand in several places, and so have the width of all of them, no wider than their parent.
fn fit(frame: &mut flame::Frame) -> Result<()> {
    let sum: f64 = frame.children.iter().map(|child| child.us).sum();
    ensure!(
        sum <= frame.us * (1.0 + TOLERANCE),
        "what runs in {} takes {sum:.1} µs and the whole of it {:.1}",
        frame.name,
        frame.us
    );
    for child in &mut frame.children {
        if sum > frame.us {
            child.us *= frame.us / sum;
        }
        fit(child)?;
    }
    Ok(())
}

/// Without the types of its arguments.
fn name_of(signature: &str) -> &str {
    signature.split('(').next().unwrap_or(signature)
}

/// The table that a foreign key's own statement looks into.
fn referenced(text: &str) -> Option<String> {
    let (table, rest) = text
        .strip_prefix("SELECT 1 FROM ONLY ")?
        .split_once(" x ")?;
    rest.contains("OPERATOR(pg_catalog.")
        .then(|| table.replace('"', ""))
}

/// As many as say what a statement is: up to the columns of an insert, the values of an update; of a query which table it changes or
/// reads first, or else which function it calls.
fn first_words(text: &str) -> String {
    const LONGEST: usize = 80;
    if let Some(table) = referenced(text) {
        return format!("foreign key to {table}");
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let first = |count: usize| words[..count.min(words.len())].join(" ");
    let said = match words.first().map(|word| word.to_lowercase()).as_deref() {
        Some("insert") => first(3),
        Some("update") => first(2),
        Some(query @ ("select" | "with")) => match (table(&words), called(&words)) {
            (Some((does, table)), _) => format!("{query} … {does} {table}"),
            (None, Some(call)) => format!("{query} {call}(…)"),
            (None, None) => first(words.len()),
        },
        _ => first(words.len()),
    };
    if said.chars().count() <= LONGEST {
        return said;
    }
    said.chars().take(LONGEST).chain(['…']).collect()
}

/// The function that a query begins with or else reads from.
fn called<'a>(words: &[&'a str]) -> Option<&'a str> {
    let call = |word: &'a str| word.split_once('(').map(|(name, _)| name);
    let begins = words.get(1).copied().and_then(call);
    let reads = || {
        words
            .windows(2)
            .filter(|two| two[0].eq_ignore_ascii_case("from"))
            .find_map(|two| call(two[1]))
    };
    [begins, reads()]
        .into_iter()
        .flatten()
        .find(|name| !name.is_empty())
}

/// The first table of a schema that is written to, or else read, and which of both.
fn table<'a>(words: &[&'a str]) -> Option<(&'static str, &'a str)> {
    let after = |kinds: &[(&str, &'static str)]| {
        words.windows(3).find_map(|three| {
            let (_, does) = kinds
                .iter()
                .find(|(word, _)| three[1].trim_start_matches('(').eq_ignore_ascii_case(word))?;
            // `is distinct from a.b` reads nothing.
            let reads = !three[0].eq_ignore_ascii_case("distinct");
            let table = three[2].trim_end_matches([',', ';', ')']);
            (reads && table.contains('.') && !table.contains('(')).then_some((*does, table))
        })
    };
    after(&[("update", "update"), ("into", "insert into")])
        .or_else(|| after(&[("from", "from"), ("join", "from")]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK: &str =
        "SELECT 1 FROM ONLY \"a\".\"orders\" x WHERE \"id\" OPERATOR(pg_catalog.=) $1";

    fn notice(query: i64, stack: &[&str]) -> Notice {
        let frame = |text: &&str| match text.split_once('|') {
            Some(("sql", name)) => Frame::SqlFunction(name.to_owned()),
            _ if text.ends_with("()") && !text.contains(' ') => Frame::Function((*text).to_owned()),
            _ => Frame::Statement((*text).to_owned()),
        };
        Notice {
            query,
            stack: stack.iter().map(frame).collect(),
        }
    }

    fn called(stack: &[&str]) -> Notice {
        let mark = format!("SELECT '{CALLED}'");
        notice(0, &[stack, &[mark.as_str()]].concat())
    }

    /// A checkout that writes an order and its event, each with a check of what it refers to.
    fn notices() -> Vec<Notice> {
        let (insert, event) = ("insert into a.orders (id)", "insert into a.events (id)");
        vec![
            called(&["a.checkout()"]),
            called(&["a.checkout()", insert, "a.record()"]),
            notice(3, &["a.checkout()", insert, "a.record()", event, CHECK]),
            notice(2, &["a.checkout()", insert, "a.record()", event]),
            notice(3, &["a.checkout()", insert, CHECK]),
            notice(1, &["a.checkout()", insert]),
            notice(9, &["select a.checkout()"]),
        ]
    }

    fn costs() -> Costs {
        let cost = |calls, us| Cost { calls, us };
        let statement = |query, text: &str, calls, us| (query, (text.to_owned(), cost(calls, us)));
        Costs {
            us: 200.0,
            sent: vec![
                ("select set_config($1)".to_owned(), cost(1.0, 10.0)),
                ("select a.checkout()".to_owned(), cost(1.0, 150.0)),
            ],
            statements: BTreeMap::from([
                statement(1, "insert into a.orders (id)", 1.0, 90.0),
                statement(2, "insert into a.events (id)", 1.0, 20.0),
                statement(3, CHECK, 2.0, 42.0),
            ]),
            functions: BTreeMap::from([
                ("a.checkout()".to_owned(), cost(1.0, 140.0)),
                ("a.record()".to_owned(), cost(1.0, 40.0)),
            ]),
        }
    }

    fn picture(notices: Vec<Notice>, costs: &Costs) -> Result<flame::Flame> {
        let sent = [
            ("role", "select set_config("),
            ("a call", "select a.checkout("),
        ];
        let sent = sent.map(|(name, begin)| (name.to_owned(), begin.to_owned()));
        measure("one", &sent, fold(notices)?, costs)
    }

    fn fits(frame: &flame::Frame) {
        let sum: f64 = frame.children.iter().map(|child| child.us).sum();
        assert!(
            sum <= frame.us + 1e-9,
            "{} {sum} > {}",
            frame.name,
            frame.us
        );
        frame.children.iter().for_each(fits);
    }

    #[test]
    fn stacks_become_a_tree_whose_children_are_never_wider_than_their_parent() {
        let flame = picture(notices(), &costs()).expect("a picture");
        assert_eq!(
            flame.text(),
            "one: 200.0 µs
transaction 200.0 µs 100.0 % (own 0.0 µs)
  role 10.0 µs 5.0 %
  a call 150.0 µs 75.0 % (own 10.0 µs)
    a.checkout 140.0 µs 70.0 % (own 50.0 µs)
      insert into a.orders 90.0 µs 45.0 % (own 29.0 µs)
        a.record 40.0 µs 20.0 % (own 20.0 µs)
          insert into a.events 20.0 µs 10.0 % (own 0.0 µs)
            foreign key to a.orders 20.0 µs 10.0 %
        foreign key to a.orders 21.0 µs 10.5 %
  commit, messages 40.0 µs 20.0 %
"
        );
        fits(&flame.root);
    }

    #[test]
    fn children_that_cannot_be_those_of_their_parent_are_an_error() {
        let mut costs = costs();
        costs.statements.get_mut(&1).expect("it").1.us = 200.0;
        let error = picture(notices(), &costs).expect_err("too wide");
        assert!(
            error.to_string().contains("what runs in a.checkout"),
            "{error}"
        );
    }

    #[test]
    fn what_ran_under_load_and_is_on_no_stack_is_an_error() {
        let mut costs = costs();
        let cost = |calls, us| ("delete from a.stray".to_owned(), Cost { calls, us });
        costs.statements.insert(4, cost(0.001, 0.1));
        picture(notices(), &costs).expect("seldom and little");
        for gap in [cost(1.0, 0.1), cost(0.001, 9.0)] {
            costs.statements.insert(4, gap);
            let error = picture(notices(), &costs).expect_err("a gap");
            assert!(
                error.to_string().contains("delete from a.stray runs"),
                "{error}"
            );
        }
        costs.statements.remove(&4);
        costs
            .functions
            .insert("a.stray()".to_owned(), cost(1.0, 1.0).1);
        let error = picture(notices(), &costs).expect_err("a gap");
        assert!(
            error.to_string().contains("a.stray() runs 1.00 times"),
            "{error}"
        );
    }

    #[test]
    fn what_has_a_stack_and_no_time_is_an_error() {
        let mut without = costs();
        without.statements.remove(&2);
        let error = picture(notices(), &without).expect_err("no time");
        assert!(
            error.to_string().contains("insert into a.events runs, and"),
            "{error}"
        );
        let mut without = costs();
        without.functions.remove("a.record()");
        let error = picture(notices(), &without).expect_err("no time");
        assert!(error.to_string().contains("a.record runs, and"), "{error}");
    }

    #[test]
    fn what_was_sent_has_to_be_measured_and_to_be_part_of_the_whole() {
        let mut without = costs();
        without.sent.pop();
        let error = picture(notices(), &without).expect_err("no call");
        assert!(
            error
                .to_string()
                .contains("no time was measured of select a.checkout("),
            "{error}"
        );
        let mut short = costs();
        short.us = 100.0;
        let error = picture(notices(), &short).expect_err("too long");
        assert!(
            error.to_string().contains("longer than the whole"),
            "{error}"
        );
    }

    #[test]
    fn other_numbers_of_calls_are_an_error() {
        let mut other = costs();
        other.statements.get_mut(&2).expect("it").1.calls = 2.0;
        let error = picture(notices(), &other).expect_err("twice");
        assert!(
            error
                .to_string()
                .contains("2.00 times a transaction under load"),
            "{error}"
        );
        let unasked = notices().split_off(1);
        let error = picture(unasked, &costs()).expect_err("not counted");
        assert!(
            error.to_string().contains("a.checkout is on the stack"),
            "{error}"
        );
    }

    #[test]
    fn an_sql_function_is_found_by_its_name_if_that_is_its_alone() {
        let stack = ["a.checkout()", "SELECT a.record()", "sql|record"];
        let insert = [&stack[..], &["insert into a.log (id)"]].concat();
        let notices = || {
            vec![
                called(&stack[..1]),
                notice(1, &insert),
                notice(2, &stack[..2]),
            ]
        };
        let mut costs = costs();
        costs.statements.remove(&3);
        costs.statements.get_mut(&1).expect("it").1.us = 15.0;
        let flame = picture(notices(), &costs);
        let error = flame.expect_err("wider than the statement that calls it");
        assert!(
            error
                .to_string()
                .contains("what runs in select a.record(…)"),
            "{error}"
        );
        costs.statements.get_mut(&2).expect("it").1.us = 50.0;
        let flame = picture(notices(), &costs).expect("a picture");
        assert!(
            flame
                .text()
                .contains("a.record 40.0 µs 20.0 % (own 25.0 µs)"),
            "{}",
            flame.text()
        );
        costs
            .functions
            .insert("b.record()".to_owned(), Cost::default());
        let error = picture(notices(), &costs).expect_err("which?");
        assert!(
            error.to_string().contains("several functions record"),
            "{error}"
        );
    }

    #[test]
    fn first_words_say_what_a_statement_is() {
        for (text, words) in [
            ("insert into a.b (c)\n values (1)", "insert into a.b"),
            ("update a.b k\nset c = 1", "update a.b"),
            ("select\n  s.*\nfrom a.s, b.u", "select … from a.s"),
            (
                "select a is distinct from b.c\nfrom (select x from f(y)) left join a.s on true",
                "select … from a.s",
            ),
            (
                "with w as (select 1 from a.b for update of b),\nx as (\nupdate a.c set d = 1) select 1",
                "with … update a.c",
            ),
            ("SELECT a.b(c,\n d)", "select a.b(…)"),
            ("select (i ->> 'a')::int from f(b)", "select f(…)"),
            ("select 1", "select 1"),
            ("a.b(c)", "a.b(c)"),
            (CHECK, "foreign key to a.orders"),
        ] {
            assert_eq!(first_words(text), words);
        }
        let long = first_words(&"ö ".repeat(90));
        assert_eq!(long.chars().count(), 81);
    }
}
