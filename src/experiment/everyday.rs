//! Few-shot queries as people type them, with their accepted answers. Each of the sources answers
//! every query, as `ask` does.

use super::few_shot::{AUTO, HALF, Named, QUERY};
use super::{Finding, Live, Report, Settings, Table};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::lab::trials::Trials;
use crate::lab::{Decoding, Spec, Start, continue_from};
use crate::stats::bootstrap;
use crate::task::{Template, parse_query};
use std::collections::BTreeMap;

/// The bundled queries.
const BUNDLED: &str = include_str!("../../assets/everyday.tsv");
/// Most tokens in an answer.
const MOST: usize = 24;
const SOURCES: [Named; 9] = [
    // The state after only the beginning-of-text token.
    Named { name: "zero-shot", recipe: "h0" },
    QUERY,
    Named { name: "best skill", recipe: "top(1)" },
    Named { name: "the paper's soup", recipe: "mean(top(3)) | with_query(0.5)" },
    Named { name: "posterior soup, primed", recipe: "primed(posterior(top(24)))" },
    Named { name: "gated posterior soup, primed", recipe: "gated(primed(posterior(top(24))))" },
    HALF,
    Named { name: "gated logit ensemble", recipe: "gated(ensemble(query, primed(posterior(top(24)))))" },
    AUTO,
];

/// A query with its accepted answers.
#[derive(Debug, PartialEq)]
struct Query {
    text: String,
    accepted: Vec<String>,
}

/// The answers to a query.
struct Answered<'a> {
    query: &'a Query,
    /// Number of complete examples in it.
    shots: usize,
    replies: Vec<Reply>,
    /// Whether the evidence says that no task of the library fits.
    none: bool,
    /// The likeliest task with its posterior.
    best: Option<(String, f64)>,
}

/// A source's answer.
struct Reply {
    from: &'static str,
    text: String,
    right: bool,
}

pub fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let template = trials.lab.template();
    let queries = match &settings.queries {
        Some(path) => parse(&crate::files::text(path, crate::files::SMALL)?, &path.display().to_string(), template)?,
        None => parse(BUNDLED, "the bundled list of queries", template)?,
    };
    let mut answered = Vec::with_capacity(queries.len());
    for (i, query) in queries.iter().enumerate() {
        control.check()?;
        control.report(i as u64, queries.len() as u64, "queries");
        answered.push(answer(trials, query, control)?);
        live.show(|| report(&answered, settings));
    }
    Ok(report(&answered, settings))
}

/// Reads queries. Each line has a query, a tab, and its answers separated by `|`. `\n` in a query
/// means a line break. Empty lines and lines that begin with `#` are skipped.
fn parse(text: &str, file: &str, template: &Template) -> Result<Vec<Query>> {
    let mut queries = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#')) {
        queries.push(parse_line(line, template).map_err(|why| Error::Input(format!("{file}, line {}: {why}", i + 1)))?);
    }
    if queries.is_empty() {
        return Err(Error::Input(format!("{file} has no query")));
    }
    Ok(queries)
}

fn parse_line(line: &str, template: &Template) -> std::result::Result<Query, &'static str> {
    let (query, answers) = line.split_once('\t').ok_or("a query, a tab and its accepted answers are expected")?;
    let accepted: Vec<String> = answers.split('|').map(|a| a.trim().to_string()).collect();
    if accepted.iter().any(String::is_empty) || answers.contains('\t') {
        return Err("after the tab one or more answers are expected, separated by `|`");
    }
    let text = query.replace("\\n", "\n");
    let parsed = parse_query(&text, template);
    if parsed.tail.is_empty() || parsed.closed_tail.is_some() {
        return Err("the query must end with an unfinished line, such as `big ->`");
    }
    Ok(Query { text, accepted })
}

/// The greedy answers of all sources to one query.
fn answer<'a>(trials: &Trials<'_>, query: &'a Query, control: Control<'_>) -> Result<Answered<'a>> {
    let template = trials.lab.template();
    let quiet = control.with_progress(&|_| {});
    trials.lab.at(&query.text, &trials.lab.default_view(), &[], quiet, |mixer| {
        let evidence = mixer.evidence()?;
        let tail = &mixer.needed_query()?.tail;
        let start = |source: &Named| Ok(Start { states: source.at(mixer)?.states, tokens: tail.clone() });
        let starts = SOURCES.iter().map(start).collect::<Result<Vec<_>>>()?;
        let spec = Spec { max_tokens: MOST, decoding: &Decoding::Greedy, end: template.answer_end(), target: None };
        let told = continue_from(trials.model, &starts, &spec, quiet)?;
        let reply = |(source, text): (&Named, String)| Reply { from: source.name, right: query.accepted.contains(&text), text };
        Ok(Answered {
            query,
            shots: evidence.shots,
            replies: SOURCES.iter().zip(told.into_iter().map(|c| c.text)).map(reply).collect(),
            none: !evidence.fits,
            best: evidence.tasks.first().map(|t| (t.task.clone(), t.posterior)),
        })
    })
}

impl Answered<'_> {
    fn reply(&self, source: &Named) -> Option<&Reply> {
        self.replies.iter().find(|r| r.from == source.name)
    }

    fn is_right(&self, source: &Named) -> bool {
        self.reply(source).is_some_and(|r| r.right)
    }
}

fn report(answered: &[Answered<'_>], settings: &Settings) -> Report {
    let mut report = Report {
        setup: vec![
            format!(
                "greedy answers of at most {MOST} tokens, up to the template's end, trimmed; right is exactly one of the accepted answers"
            ),
            "gained: right where the query alone is wrong; lost: wrong where it is right".into(),
            "as often is claimed if the difference is above -0.01 (ours); intervals resample queries".into(),
        ],
        ..Report::default()
    };
    report.setup.extend(SOURCES.iter().map(Named::told));
    let difference = |a: &Answered<'_>| f64::from(u8::from(a.is_right(&AUTO))) - f64::from(u8::from(a.is_right(&QUERY)));
    let differences: Vec<(usize, f64)> = answered.iter().map(difference).enumerate().collect();
    let interval = bootstrap(&differences, settings.resamples, settings.seed);
    for (claim, threshold) in
        [("Auto is right at least as often as the query alone", -0.01), ("Auto is right more often than the query alone", 0.0)]
    {
        report.findings.push(Finding::new(claim, "share of right answers of `auto` minus `query`:", threshold, interval));
    }
    let columns = ["right", "gained", "lost", "of"];
    let mut right = Table::new("right", &[&["source"], &columns[..]].concat());
    right.rows = counts(&answered.iter().collect::<Vec<_>>());
    let mut by_shots: BTreeMap<usize, Vec<&Answered<'_>>> = BTreeMap::new();
    for a in answered {
        by_shots.entry(a.shots).or_default().push(a);
    }
    let mut by_examples = Table::new("right-by-examples", &[&["examples", "source"], &columns[..]].concat());
    for (shots, some) in by_shots {
        by_examples.rows.extend(counts(&some).into_iter().map(|row| [vec![shots.to_string()], row].concat()));
    }
    report.tables = vec![right, by_examples, answers(answered)];
    report
}

/// Numbers of right, gained and lost answers of every source.
fn counts(answered: &[&Answered<'_>]) -> Vec<Vec<String>> {
    let row = |source: &Named| {
        let count = |of: &dyn Fn(bool, bool) -> bool| answered.iter().filter(|a| of(a.is_right(source), a.is_right(&QUERY))).count();
        let numbers = [count(&|here, _| here), count(&|here, query| here && !query), count(&|here, query| !here && query), answered.len()];
        std::iter::once(source.name.to_string()).chain(numbers.map(|n| n.to_string())).collect()
    };
    SOURCES.iter().map(row).collect()
}

/// Every query with its answers, for a person to read.
fn answers(answered: &[Answered<'_>]) -> Table {
    let columns = ["query", "accepted", "query alone", "right", "auto", "right", "none of these", "best task", "posterior"];
    let mut table = Table::new("answers", &columns);
    let yes = |v: bool| if v { "yes" } else { "no" }.to_string();
    for a in answered {
        let said = |source: &Named| [a.reply(source).map_or(String::new(), |r| r.text.clone()), yes(a.is_right(source))];
        let (task, posterior) = a.best.clone().unwrap_or_default();
        let mut row = vec![a.query.text.replace('\n', " / "), a.query.accepted.join(" | ")];
        row.extend(said(&QUERY));
        row.extend(said(&AUTO));
        row.extend([yes(a.none), task, format!("{posterior:.4}")]);
        table.rows.push(row);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soup::Recipe;

    #[test]
    fn a_file_of_queries_is_read() {
        let text = "# a comment\nhot -> cold\\nbig ->\tsmall|little \n\nJapan ->\tTokyo\r\n";
        let queries = parse(text, "f", &Template::Arrow).unwrap();
        let query =
            |text: &str, accepted: &[&str]| Query { text: text.into(), accepted: accepted.iter().map(ToString::to_string).collect() };
        assert_eq!(queries, [query("hot -> cold\nbig ->", &["small", "little"]), query("Japan ->", &["Tokyo"])]);
    }

    #[test]
    fn a_bad_line_is_refused_with_its_number() {
        for (line, why) in [
            ("big -> small", "a tab"),
            ("big ->\t", "answers are expected"),
            ("big ->\tsmall||little", "answers are expected"),
            ("big ->\tsmall\tlittle", "answers are expected"),
            ("hot -> cold\\n\tsmall", "unfinished line"),
            ("hot -> cold\\nbig -> small\tsmall", "unfinished line"),
            ("\tsmall", "unfinished line"),
        ] {
            let message = parse(&format!("# all\nhot ->\tcold\n{line}\n"), "f", &Template::Arrow).unwrap_err().to_string();
            assert!(message.contains("f, line 3: ") && message.contains(why), "{line}: {message}");
        }
        assert!(parse("# nothing\n", "f", &Template::Arrow).unwrap_err().to_string().contains("f has no query"));
    }

    #[test]
    fn the_bundled_queries_and_all_recipes_can_be_read() {
        assert!(parse(BUNDLED, "bundled", &Template::Arrow).unwrap().len() > 100);
        assert!(SOURCES.iter().all(|s| s.recipe.parse::<Recipe>().is_ok()));
    }

    #[test]
    fn right_answers_are_counted_against_the_query_alone() {
        let query = Query { text: "hot ->".into(), accepted: vec!["cold".into()] };
        let answered = |of_query: bool, of_auto: bool| {
            let reply = |s: &Named| Reply { from: s.name, text: String::new(), right: if s.name == "auto" { of_auto } else { of_query } };
            Answered { query: &query, shots: 1, replies: SOURCES.iter().map(reply).collect(), none: false, best: None }
        };
        let all = [answered(true, false), answered(false, true), answered(false, true), answered(true, true)];
        let rows = counts(&all.iter().collect::<Vec<_>>());
        assert_eq!(rows[1], ["query", "2", "0", "0", "4"]);
        assert_eq!(rows[8], ["auto", "3", "2", "1", "4"]);
        let report = report(&all, &Settings::quick());
        assert_eq!(report.findings[0].interval.mean, 0.25);
        assert_eq!(report.tables[2].rows[1][3..6], ["no", "", "yes"]);
    }
}
