//! `state-soup ask`: answer a query from several states side by side.
//!
//! `--json`: `{ "query", "soup", "target", "answers": [{ "from", "origin", "missing", "text",
//! "logprob", "target_logprob", "weights", "top": [{ "token", "probability" }] }], "evidence",
//! "gain": { "nats", "examples", "left_out" } }`. `from` is one of `zero-shot`, `query`,
//! `best-skill`, `soup`, `full`; log-probabilities are natural. The soup's `origin` is its recipe,
//! `auto` written out, and its `weights` are `[{ "name", "weight" }]`, the query's own share among
//! them (null for other answers and for a recipe that is not a plain list). `evidence` is as `rank`
//! has it, null where the recipe does not read any. `gain` says how many nats an example the soup
//! gains on the query alone, each example left out in turn (`left_out`) or, where there is one,
//! against nothing read; null where there is nothing to ask. `target` may be null. An answer that
//! cannot be given (`full`, if the task's examples are not available) is `missing`: its `origin`
//! says why.

use super::args::{Common, query};
use super::output;
use super::rank::evidence_json;
use crate::error::{Error, Result};
use crate::lab::{Answer, AnswerFrom, AskRequest, CANDIDATES, Decoding, Evidence, Gain, Lab};
use crate::soup::{Recipe, Shares, Soup, rules};
use serde_json::json;

/// Flags of `ask`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The query, ending in an unfinished line: text (`\n` for line breaks), `@file`, or `-` for
    /// standard input
    #[arg(allow_hyphen_values = true)]
    query: String,
    /// The soup, as a recipe: `auto` (what the query's examples call for), `mean(antonym)`,
    /// `0.6*antonym/0 + 0.4*antonym/1`, `mean(top(5)) | with_query(0.5)`
    #[arg(long, value_name = "RECIPE", default_value = "auto")]
    soup: String,
    /// Which answers, separated by commas [default: all]
    #[arg(long, value_delimiter = ',')]
    from: Vec<String>,
    /// An answer whose log-probability is wanted
    #[arg(long)]
    target: Option<String>,
    /// The most tokens of an answer
    #[arg(long, default_value_t = 24)]
    max_tokens: usize,
    /// Sample at this temperature instead of taking the likeliest token
    #[arg(long)]
    temperature: Option<f64>,
    /// Nucleus mass when sampling
    #[arg(long, default_value_t = 0.95)]
    top_p: f64,
}

/// Answers and prints.
///
/// # Errors
/// Bad input, a recipe that cannot be evaluated, a model or library that cannot be opened.
pub fn run(common: &Common, args: &Args) -> Result<()> {
    let query = query(&args.query)?;
    let soup: Recipe = args.soup.parse()?;
    let from = sources(&args.from)?;
    let decoding = decoding(args, common.seed)?;
    let quiet = common.quiet;
    let (lab, view) = common.ready_to_rank()?;
    let request = AskRequest {
        query,
        soup: Some(soup),
        view,
        by_evidence: true,
        from,
        max_tokens: args.max_tokens,
        decoding,
        target: args.target.clone(),
    };
    if request.from.contains(&AnswerFrom::Soup) || request.from.contains(&AnswerFrom::BestSkill) {
        common.tell(&lab.unread(&request.query)?.into_iter().collect::<Vec<_>>())?;
    }
    let answers = output::with_progress(quiet, "answering", |control| lab.ask(&request, control))?;
    let gain = output::with_progress(quiet, "comparing", |control| lab.gain(&request, control))?;
    let reads = request.soup.as_ref().is_some_and(Recipe::reads_evidence);
    let evidence = reads
        .then(|| {
            output::with_progress(quiet, "weighing", |control| {
                lab.evidence(&request.query, &request.view, CANDIDATES, control, &mut |_| {})
            })
        })
        .transpose()?;
    common.tell(&lab.library().found_since())?;
    if common.json {
        output::json(&as_json(&request, &answers, evidence.as_ref(), gain, &lab))
    } else {
        output::print(&as_text(&answers, evidence.as_ref(), gain))
    }
}

fn sources(names: &[String]) -> Result<Vec<AnswerFrom>> {
    if names.is_empty() {
        return Ok(AnswerFrom::ALL.to_vec());
    }
    let find = |name: &String| {
        AnswerFrom::ALL
            .into_iter()
            .find(|f| f.name() == name.trim())
            .ok_or_else(|| Error::Input(format!("--from has `{name}`; it can hold {}", AnswerFrom::ALL.map(AnswerFrom::name).join(", "))))
    };
    names.iter().map(find).collect()
}

fn decoding(args: &Args, seed: u64) -> Result<Decoding> {
    match args.temperature {
        None => Ok(Decoding::Greedy),
        Some(t) if t > 0.0 && t.is_finite() && args.top_p > 0.0 && args.top_p <= 1.0 => {
            Ok(Decoding::Sample { temperature: t, top_p: args.top_p, seed })
        }
        Some(t) => Err(Error::Input(format!(
            "--temperature is {t} and --top-p {}; the first must be above 0, the second above 0 and at most 1",
            args.top_p
        ))),
    }
}

fn as_json(request: &AskRequest, answers: &[Answer], evidence: Option<&Evidence>, gain: Option<Gain>, lab: &Lab) -> serde_json::Value {
    let one = |a: &Answer| {
        let top: Vec<_> = a.top.iter().map(|t| json!({ "token": t.token, "probability": t.probability })).collect();
        let weights = if a.from == AnswerFrom::Soup { weights(&a.origin) } else { serde_json::Value::Null };
        json!({
            "from": a.from.name(), "origin": a.origin, "missing": a.missing, "text": a.text, "logprob": a.logprob, "target_logprob": a.target_logprob,
            "weights": weights, "top": top,
        })
    };
    json!({
        "query": request.query,
        "soup": request.soup.as_ref().map(ToString::to_string),
        "target": request.target,
        "answers": answers.iter().map(one).collect::<Vec<_>>(),
        "evidence": evidence.map(|e| evidence_json(e, lab)),
        "gain": gain,
    })
}

/// The shares of a recipe that is a weighted mean or a written sum, with the query's own last; null
/// for any other.
fn weights(recipe: &str) -> serde_json::Value {
    let soup = match recipe.parse::<Recipe>() {
        Ok(Recipe::Query) => Some(Soup { lambda: 0.0, ..Soup::default() }),
        other => other.ok().as_ref().and_then(Soup::of_recipe),
    };
    let Some(soup) = soup.filter(|s| [&rules::MEAN, &rules::SUM].contains(&s.rule.rule)) else { return serde_json::Value::Null };
    let total: f64 = if soup.rule.offer.shares == Shares::Normalised { soup.audible().map(|i| i.weight).sum() } else { 1.0 };
    let mut list: Vec<serde_json::Value> =
        soup.audible().map(|i| json!({ "name": i.skill, "weight": i.weight / total * soup.lambda })).collect();
    if soup.lambda < 1.0 {
        list.push(json!({ "name": "query", "weight": 1.0 - soup.lambda }));
    }
    list.into()
}

fn as_text(answers: &[Answer], evidence: Option<&Evidence>, gain: Option<Gain>) -> String {
    let with_target = answers.iter().any(|a| a.target_logprob.is_some());
    let rows: Vec<Vec<String>> = answers
        .iter()
        .map(|a| {
            let top: Vec<String> = a.top.iter().take(4).map(|t| format!("{:?} {:.2}", t.token, t.probability)).collect();
            let logprob = if a.missing { "–".into() } else { format!("{:.3}", a.logprob) };
            let mut row = vec![a.from.name().into(), a.text.clone(), logprob];
            if with_target {
                row.push(a.target_logprob.map_or("–".into(), |l| format!("{l:.3}")));
            }
            row.extend([top.join("  "), a.origin.clone()]);
            row
        })
        .collect();
    let heading: &[&str] = if with_target {
        &["from", "answer", ">ln p", ">target ln p", "next token", "state"]
    } else {
        &["from", "answer", ">ln p", "next token", "state"]
    };
    let mut text = output::table(heading, &rows);
    let said: Vec<String> = evidence.map(Evidence::words).into_iter().chain(gain.map(|g| g.words())).collect();
    if !said.is_empty() {
        text += &format!("\n{}\n", said.join("\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_named_and_typos_are_told() {
        assert_eq!(sources(&[]).unwrap(), AnswerFrom::ALL);
        assert_eq!(sources(&["soup".into(), "full".into()]).unwrap(), [AnswerFrom::Soup, AnswerFrom::Full]);
        assert!(sources(&["sup".into()]).unwrap_err().to_string().contains("zero-shot, query, best-skill, soup, full"));
    }
}
