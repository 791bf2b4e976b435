//! What recipes yield.

use super::chunks::*;
use state_soup::error::{Error, Result};
use state_soup::soup::{Choice, Recipe, Resolver, Soup, Window, decay, median, merge, mix, picaso};
use state_soup::state::{Decay, Layout, State};
use std::cell::RefCell;

/// A library of two tasks: `a` with three skills, `b` with two; a query; similarities that fall
/// with the index.
struct Shelf {
    rates: Decay,
    skills: Vec<(String, State, f32)>,
    query: State,
    neutral: State,
    fetched: RefCell<Vec<String>>,
}

fn shelf() -> Shelf {
    let s = states(42, 7, 0.5);
    let ids = ["a/0", "a/1", "a/2", "b/0", "b/1"];
    let skills = ids.iter().zip(&s).enumerate().map(|(i, (id, s))| ((*id).to_string(), s.clone(), 0.9 - 0.1 * i as f32)).collect();
    Shelf { rates: rates(42), skills, query: s[5].clone(), neutral: s[6].clone(), fetched: RefCell::default() }
}

impl Shelf {
    fn of(&self, id: &str) -> State {
        self.skills.iter().find(|s| s.0 == id).unwrap().1.clone()
    }

    fn all(&self, ids: &[&str]) -> Vec<State> {
        ids.iter().map(|id| self.of(id)).collect()
    }

    fn eval(&self, text: &str) -> State {
        text.parse::<Recipe>().unwrap().evaluate(self).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    fn refuse(&self, text: &str) -> String {
        text.parse::<Recipe>().unwrap().evaluate(self).unwrap_err().to_string()
    }
}

impl Resolver for Shelf {
    fn shape(&self) -> Layout {
        SHAPE
    }

    fn decay(&self) -> &Decay {
        &self.rates
    }

    fn skill(&self, id: &str) -> Result<State> {
        self.fetched.borrow_mut().push(id.to_string());
        self.skills.iter().find(|s| s.0 == id).map(|s| s.1.clone()).ok_or_else(|| Error::Input(format!("there is no skill `{id}`")))
    }

    fn task(&self, name: &str) -> Result<Vec<String>> {
        let ids: Vec<String> = self.skills.iter().filter(|s| s.0.split('/').next() == Some(name)).map(|s| s.0.clone()).collect();
        if ids.is_empty() { Err(Error::Input(format!("there is no task `{name}`"))) } else { Ok(ids) }
    }

    fn query(&self) -> Result<State> {
        Ok(self.query.clone())
    }

    fn top(&self, n: usize) -> Result<Vec<(String, f32)>> {
        Ok(self.skills.iter().take(n).map(|s| (s.0.clone(), s.2)).collect())
    }

    fn similarity(&self, id: &str) -> Result<f32> {
        self.skills.iter().find(|s| s.0 == id).map(|s| s.2).ok_or_else(|| Error::Input(format!("there is no skill `{id}`")))
    }

    fn neutral(&self) -> Result<State> {
        Ok(self.neutral.clone())
    }
}

#[test]
fn names_stand_for_their_states() {
    let s = shelf();
    assert_eq!(s.eval("a/1"), s.of("a/1"));
    assert_eq!(s.eval("\"a/1\""), s.of("a/1"));
    assert_eq!(s.eval("zero"), State::zeros(SHAPE));
    assert_eq!(s.eval("query"), s.query);
    assert_eq!(s.eval("h0"), s.neutral);
    assert_eq!(s.eval("1*a/1 + 0*b/0"), s.of("a/1"));
}

/// A task is the mean of its skills where one state is wanted, and all of them in a list.
#[test]
fn a_task_is_its_skills() {
    let s = shelf();
    let a = s.all(&["a/0", "a/1", "a/2"]);
    let mean = mix::mean(&a, &[1.0; 3]).unwrap();
    assert_eq!(s.eval("a"), mean);
    assert_eq!(s.eval("top(3)"), mean);
    assert_eq!(s.eval("mean(a, b/0)"), s.eval("mean(a/0, a/1, a/2, b/0)"));
    assert_eq!(s.eval("mean(2*a, b/0)"), s.eval("mean(2*a/0, 2*a/1, 2*a/2, b/0)"));
    assert_eq!(s.eval("mean((a + zero), b/0)").ssm(), mix::mean(&[s.eval("a + zero"), s.of("b/0")], &[1.0; 2]).unwrap().ssm());
    assert!(farthest(s.eval("0.5*a + 0.5*b/0").ssm(), mix::mean(&[mean, s.of("b/0")], &[1.0; 2]).unwrap().ssm()) < 1e-6);
}

#[test]
fn every_function_is_its_rule() {
    let s = shelf();
    let (ids, ones) = (["b/1", "a/0", "a/2"], [1.0; 3]);
    let h = s.all(&ids);
    let r = &s.rates;
    let cases: [(&str, Result<State>); 18] = [
        ("mean(b/1, a/0, a/2)", mix::mean(&h, &ones)),
        ("mean(3*b/1, a/0, -1*a/2)", mix::mean(&h, &[3.0, 1.0, -1.0])),
        ("sum(b/1, a/0, 0.5*a/2)", mix::weighted_sum(&h, &[1.0, 1.0, 0.5])),
        ("b/1 + a/0 - 0.5*a/2", mix::weighted_sum(&h, &[1.0, 1.0, -0.5])),
        ("decay(b/1, a/0, a/2)", decay::compose(&h, &ones, r, 1.0, 1.0)),
        ("decay(b/1, a/0, a/2; gamma=0.5, z=n)", decay::compose(&h, &ones, r, 0.5, 3.0)),
        ("decay(b/1, 3*a/0, a/2; gamma=0.5, z=w)", decay::compose(&h, &[1.0, 3.0, 1.0], r, 0.5, 5.0)),
        ("decay(b/1, a/0, a/2; gamma=inf)", decay::compose(&h, &ones, r, f64::INFINITY, 1.0)),
        ("picaso_s(b/1, a/0, a/2)", picaso::all_orders(&h, r)),
        ("picaso_r(b/1, a/0, a/2)", picaso::rotations(&h, r)),
        ("arith(b/1, -0.5*a/0, 2*a/2)", mix::arithmetic(&s.neutral, &h, &[1.0, -0.5, 2.0])),
        ("slerp(b/1, a/0; t=0.3)", merge::slerp(&s.neutral, &h[0], &h[1], 0.3)),
        ("ties(b/1, a/0, a/2; density=0.4)", merge::ties(&s.neutral, &h, 0.4, 1.0)),
        ("dare(b/1, a/0, a/2; p=0.3, seed=9)", merge::dare(&s.neutral, &h, 0.3, 9)),
        ("median(b/1, a/0, a/2)", median::median(&h)),
        ("mean(b/1, a/0, a/2) | with_query(0.25)", mix::weighted_sum(&[s.query.clone(), mix::mean(&h, &ones).unwrap()], &[0.75, 0.25])),
        ("mean(b/1, a/0, a/2) | match_norm", mix::match_norm(&mix::mean(&h, &ones).unwrap(), &h)),
        (
            "softmax(a; tau=0.2)",
            mix::weighted_sum(
                &s.all(&["a/0", "a/1", "a/2"]),
                &mix::softmax(&[0.9, 0.8, 0.7].map(f64::from).map(|v: f64| f64::from(v as f32)), 0.2).unwrap(),
            ),
        ),
    ];
    for (text, want) in cases {
        let (got, want) = (s.eval(text), want.unwrap());
        assert!(farthest(got.ssm(), want.ssm()) < 1e-5, "{text}: ssm");
        assert!(farthest(got.conv(), want.conv()) < 1e-5, "{text}: conv");
        assert!(farthest(got.dt_sum(), want.dt_sum()) < 1e-5, "{text}: dt_sum");
        assert_eq!(got.tokens(), want.tokens(), "{text}: tokens");
    }
}

/// Analogies read as they are written.
#[test]
fn arithmetic_can_be_spelled_out() {
    let s = shelf();
    let (got, want) = (s.eval("h0 + 0.7*(a/0 - h0) - 0.2*(b/0 - h0)"), s.eval("arith(0.7*a/0, -0.2*b/0)"));
    assert!(farthest(got.ssm(), want.ssm()) < 1e-5);
}

/// λ = r/(r + 1): the query counts like each of the r others.
#[test]
fn with_query_is_the_plain_average_unless_told() {
    let s = shelf();
    for (text, r) in [
        ("top(3)", 3),
        ("mean(a, b/0)", 4),
        ("a", 3),
        ("a/0", 1),
        ("(mean(top(3)) | match_norm)", 3),
        ("(mean(a/0, 0*a/1, a/2) | conv(query))", 3),
    ] {
        let lambda = r as f64 / (r as f64 + 1.0);
        let got = s.eval(&format!("{text} | with_query"));
        let want = mix::weighted_sum(&[s.query.clone(), s.eval(text)], &[1.0 - lambda, lambda]).unwrap();
        assert!(farthest(got.ssm(), want.ssm()) < 1e-6, "{text}");
    }
    let mut all = s.all(&["a/0", "a/1", "a/2"]);
    all.push(s.query.clone());
    assert!(farthest(s.eval("top(3) | with_query").ssm(), mix::mean(&all, &[1.0; 4]).unwrap().ssm()) < 1e-6);
}

#[test]
fn layers_outside_are_the_bases() {
    let s = shelf();
    let got = s.eval("a/0 @ 1..2 | over(query)");
    assert_eq!((got.ssm_layer(0), got.ssm_layer(1)), (s.query.ssm_layer(0), s.of("a/0").ssm_layer(1)));
    assert_eq!((got.conv_layer(0), got.dt_sum_layer(0)), (s.query.conv_layer(0), s.query.dt_sum_layer(0)));
    let got = s.eval("a/0 @ 1");
    assert!(got.ssm_layer(0).iter().all(|v| *v == 0.0));
    let got = s.eval("(a/0 @ [0.25, 1] | over(b/0))");
    assert!(farthest(got.ssm_layer(0), s.eval("0.25*a/0 + 0.75*b/0").ssm_layer(0)) < 1e-6);
    assert_eq!(got.ssm_layer(1), s.of("a/0").ssm_layer(1));
    // Different rules on different layers.
    let got = s.eval("picaso_s(a) @ 0..1 | over(decay(a))");
    assert_eq!((got.ssm_layer(0), got.ssm_layer(1)), (s.eval("picaso_s(a)").ssm_layer(0), s.eval("decay(a)").ssm_layer(1)));
    assert!(s.refuse("a/0 @ 1..3").contains("1..3 are not a range of the model's 0..2"));
    assert!(s.refuse("a/0 @ [1, 1, 1]").contains("3 layer weights are given, the model has 2 layers"));
}

#[test]
fn windows_come_from_where_they_are_asked() {
    let s = shelf();
    let got = s.eval("mean(a) | conv(query)");
    assert_eq!((got.ssm(), got.conv(), got.tokens()), (s.eval("mean(a)").ssm(), s.query.conv(), s.eval("mean(a)").tokens()));
    assert_eq!(s.eval("decay(a/0, b/0)").conv(), s.of("b/0").conv());
    assert_eq!(s.eval("decay(a/0, b/0) | conv(mean(a/0, b/0))").conv(), s.eval("mean(a/0, b/0)").conv());
}

#[test]
fn what_cannot_be_mixed_is_refused_with_a_sentence() {
    let s = shelf();
    for (text, what) in [
        ("nope/0", "no skill `nope/0`"),
        ("mean(nope, a)", "no task `nope`"),
        ("slerp(a)", "slerp takes two items, not 3"),
        ("picaso_s(0.5*a/0, b/0)", "picaso_s takes no weights"),
        ("softmax(a/0, (a/1 + a/2))", "its items must be skills"),
        ("softmax(a; tau=0)", "tau is 0"),
        ("ties(a; density=2)", "density is 2"),
        ("dare(a; p=1)", "p is 1"),
        ("mean(a/0, -1*a/1)", "add up to 0"),
        ("decay(a; gamma=-1)", "gamma is -1"),
        ("decay(a/0, -1*a/1; z=w)", "divided by 0"),
    ] {
        let message = s.refuse(text);
        assert!(message.contains(what), "{text}: {message}");
    }
    let many = format!("picaso_r({})", ["a/0"; 65].join(", "));
    s.fetched.borrow_mut().clear();
    assert!(s.refuse(&many).contains("at most 64"));
    assert!(s.fetched.borrow().is_empty(), "too many are refused before any is fetched");
}

#[test]
fn ingredients_and_needs_are_told_without_a_library() {
    let recipe: Recipe = "mean(b/1, a, 0.5*a) @ 0..1 | over(a/0 | conv(c/0))".parse().unwrap();
    assert_eq!(recipe.ingredients(), ["b/1", "a", "a/0", "c/0"]);
    assert!(!recipe.needs_query());
    for text in ["query", "top(2)", "softmax(a)", "mean(a) | with_query", "a | conv(query)", "a @ 0..1 | over(query)", "0.5*a + 0.5*query"]
    {
        assert!(text.parse::<Recipe>().unwrap().needs_query(), "{text}");
    }
}

/// A shelf at a query whose evidence is known: the posterior of each skill or task, whether any
/// explains the query, what `auto` is, the best tasks.
struct Told {
    shelf: Shelf,
    posterior: Vec<(&'static str, f64)>,
    explains: bool,
    auto: &'static str,
    /// Whether the means of tasks are at hand: they are then half of what they should be, to be
    /// told from those that are made.
    halves: bool,
    asked: RefCell<Vec<Vec<String>>>,
}

fn told(posterior: &[(&'static str, f64)]) -> Told {
    let posterior = posterior.to_vec();
    let auto = "mean(0.7*mean(a), 0.3*mean(b)) | with_query(0.8)";
    Told { shelf: shelf(), posterior, explains: true, auto, halves: false, asked: RefCell::default() }
}

impl Told {
    fn eval(&self, text: &str) -> State {
        text.parse::<Recipe>().unwrap().evaluate(self).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    fn answering(&self, text: &str) -> Vec<State> {
        text.parse::<Recipe>().unwrap().answering(self).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    fn refuse(&self, text: &str) -> String {
        let recipe = text.parse::<Recipe>().unwrap();
        let said = recipe.evaluate(self).expect_err(text);
        assert_eq!(said.exit_code(), 2, "{text}: {said}");
        said.to_string()
    }

    /// Σ w·(state of a recipe), by the plainest rule.
    fn sum(&self, parts: &[(f64, &str)]) -> State {
        let states: Vec<State> = parts.iter().map(|(_, text)| self.shelf.eval(text)).collect();
        mix::weighted_sum(&states, &parts.iter().map(|(w, _)| *w).collect::<Vec<f64>>()).unwrap()
    }
}

impl Resolver for Told {
    fn shape(&self) -> Layout {
        self.shelf.shape()
    }

    fn decay(&self) -> &Decay {
        self.shelf.decay()
    }

    fn skill(&self, id: &str) -> Result<State> {
        self.shelf.skill(id)
    }

    fn task(&self, name: &str) -> Result<Vec<String>> {
        self.shelf.task(name)
    }

    fn query(&self) -> Result<State> {
        self.shelf.query()
    }

    fn top(&self, n: usize) -> Result<Vec<(String, f32)>> {
        self.shelf.top(n)
    }

    fn similarity(&self, id: &str) -> Result<f32> {
        self.shelf.similarity(id)
    }

    fn neutral(&self) -> Result<State> {
        self.shelf.neutral()
    }

    fn top_tasks(&self, n: usize) -> Result<Vec<String>> {
        Ok(["b", "a"].into_iter().take(n).map(String::from).collect())
    }

    fn posterior(&self, candidates: &[String]) -> Result<Vec<f64>> {
        self.asked.borrow_mut().push(candidates.to_vec());
        let of = |name: &String| self.posterior.iter().find(|p| p.0 == name).map(|p| p.1);
        candidates.iter().map(|name| of(name).ok_or_else(|| Error::Input(format!("there is no task `{name}`")))).collect()
    }

    fn explains(&self, candidates: &[String]) -> Result<bool> {
        self.asked.borrow_mut().push(candidates.to_vec());
        Ok(self.explains)
    }

    fn mean_of(&self, task: &str) -> Result<Option<State>> {
        if self.halves { self.shelf.task(task).map(|_| Some(self.sum(&[(0.5, task)]))) } else { Ok(None) }
    }

    fn primed(&self, state: State) -> Result<State> {
        mix::weighted_sum(&[state, self.query()?], &[2.0, 1.0])
    }

    fn auto(&self) -> Result<Recipe> {
        self.auto.parse()
    }
}

fn near(got: &State, want: &State, what: &str) {
    assert!(farthest(got.ssm(), want.ssm()) < 1e-5, "{what}: ssm");
    assert!(farthest(got.conv(), want.conv()) < 1e-5, "{what}: conv");
    assert!(farthest(got.dt_sum(), want.dt_sum()) < 1e-5, "{what}: dt_sum");
}

#[test]
fn recipes_of_evidence_have_a_text_a_structure_and_a_hash() {
    let texts = [
        "posterior(a, b/0, top(3))",
        "posterior(b/0, a, top(3))",
        "posterior(a, b/0, top(4))",
        "ensemble(a, b/0, top(3))",
        "ensemble(query, primed(posterior(top(24))))",
        "mean(a, b/0, top(3))",
        "primed(a)",
        "primed(mean(a) | with_query(0.5))",
        "primed(mean(a)) | with_query(0.5)",
        "gated(a)",
        "gated(ensemble(query, primed(posterior(top(24)))))",
        "(gated(posterior(a, b)) | conv(query)) @ 0..1 | over(query)",
        "mean(0.25*posterior(a, b), primed(a/0))",
        "auto",
        "\"auto\"",
        "auto/0",
        "primed(auto)",
        "auto | with_query(0.5)",
        "a",
    ];
    let mut hashes = std::collections::HashSet::new();
    for text in texts {
        let recipe: Recipe = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(recipe.to_string(), text);
        let json = serde_json::to_string(&recipe).unwrap();
        assert_eq!(serde_json::from_str::<Recipe>(&json).unwrap(), recipe, "{json}");
        let toml = toml::to_string(&recipe).unwrap();
        assert_eq!(toml::from_str::<Recipe>(&toml).unwrap(), recipe, "{toml}");
        assert!(hashes.insert(recipe.hash()), "{text} has the hash of another");
    }
    for (written, printed) in [
        ("posterior( a,1*b )", "posterior(a, b)"),
        ("gated((primed( (a) )))", "gated(primed(a))"),
        ("ensemble(2*a, (a/0 + b/0))", "ensemble(2*a, (a/0 + b/0))"),
        (" auto ", "auto"),
        ("automatic", "automatic"),
    ] {
        assert_eq!(written.parse::<Recipe>().unwrap().to_string(), printed);
    }
    assert_eq!(serde_json::from_str::<Recipe>(r#"{"op":"auto"}"#).unwrap(), Recipe::Auto);
    assert_eq!(
        serde_json::from_str::<Recipe>(r#"{"op":"gated","of":{"op":"posterior","items":[{"op":"top","n":2}]}}"#).unwrap().to_string(),
        "gated(posterior(top(2)))"
    );
    // A task of that name is another thing than what the evidence calls for.
    assert_eq!("\"auto\"".parse::<Recipe>().unwrap(), Recipe::skill("auto"));
    assert_eq!(Recipe::skill("auto").to_string(), "\"auto\"");
    assert_eq!("mean(auto, a)".parse::<Recipe>().unwrap().ingredients(), ["a"]);
}

#[test]
fn what_recipes_of_evidence_need_and_read_is_told_without_a_library() {
    // Needs a query, reads evidence, reads the query's own state.
    for (text, needs, evidence, query) in [
        ("posterior(a, b/0)", true, true, false),
        ("posterior(top(3))", true, true, false),
        ("primed(a)", true, false, true),
        ("gated(a)", true, true, true),
        ("auto", true, true, true),
        ("ensemble(a, b/0)", false, false, false),
        ("ensemble(a, query)", true, false, true),
        ("ensemble(a, top(2))", true, false, false),
        ("ensemble(a, posterior(b))", true, true, false),
        ("mean(a, 0.5*primed(b))", true, false, true),
        ("(mean(a) | conv(auto)) @ 0..1", true, true, true),
        ("a @ 0..1 | over(gated(b))", true, true, true),
        ("posterior(a) | match_norm", true, true, false),
        ("mean(a) | with_query", true, false, true),
        ("softmax(a)", true, false, false),
        ("query", true, false, true),
        ("\"auto\"", false, false, false),
        ("mean(a, b/0) | conv(c/0)", false, false, false),
    ] {
        let recipe: Recipe = text.parse().unwrap();
        assert_eq!((recipe.needs_query(), recipe.reads_evidence(), recipe.reads_query()), (needs, evidence, query), "{text}");
    }
    let recipe: Recipe = "gated(ensemble(b/1, primed(posterior(a, b/1, top(3)))))".parse().unwrap();
    assert_eq!(recipe.ingredients(), ["b/1", "a"]);
    assert_eq!("posterior(a, b/1, top(3))".parse::<Recipe>().unwrap().items().map(<[_]>::len), Some(3));
}

#[test]
fn a_posterior_is_the_sum_of_its_states_by_its_shares() {
    // What is missing to 1 is that of none of them, and shared out.
    let t = told(&[("a", 0.5), ("b/0", 0.2), ("b", 0.05)]);
    near(&t.eval("posterior(a, b/0)"), &t.sum(&[(0.5 / 0.7, "a"), (0.2 / 0.7, "b/0")]), "a task and a skill");
    assert_eq!(t.asked.borrow().concat(), ["a", "b/0"]);
    near(&t.eval("posterior(b/0)"), &t.sum(&[(1.0, "b/0")]), "one alone is that one");
    // `top(n)` is the n best tasks; who stands there twice counts once.
    t.asked.borrow_mut().clear();
    let three = t.sum(&[(0.5 / 0.75, "a"), (0.2 / 0.75, "b/0"), (0.05 / 0.75, "b")]);
    near(&t.eval("posterior(a, b/0, top(3), a)"), &three, "the best tasks");
    assert_eq!(t.asked.borrow().concat(), ["a", "b/0", "b"]);
    // Where the means of tasks are at hand, they are taken; skills are skills.
    let t = Told { halves: true, ..t };
    let halves = [t.sum(&[(0.5, "a")]), t.shelf.of("b/0")];
    near(&t.eval("posterior(a, b/0)"), &mix::weighted_sum(&halves, &[0.5 / 0.7, 0.2 / 0.7]).unwrap(), "means at hand");
    // As a list of two it is with the query.
    let t = Told { halves: false, ..t };
    let with_query = mix::weighted_sum(&[t.shelf.query.clone(), t.eval("posterior(a, b/0)")], &[1.0 / 3.0, 2.0 / 3.0]).unwrap();
    near(&t.eval("posterior(a, b/0) | with_query"), &with_query, "two states and the query");
    let norms = [t.shelf.eval("a"), t.shelf.of("b/0")];
    near(&t.eval("posterior(a, b/0) | match_norm"), &mix::match_norm(&t.eval("posterior(a, b/0)"), &norms).unwrap(), "norms");
}

#[test]
fn a_share_that_is_not_heard_is_left_out_and_none_at_all_are_equal() {
    let t = told(&[("a", 0.6), ("b/0", 0.3994), ("b/1", 0.0006)]);
    near(&t.eval("posterior(a, b/0, b/1)"), &t.sum(&[(0.6 / 0.9994, "a"), (0.3994 / 0.9994, "b/0")]), "left out");
    // Only what is heard is fetched.
    t.shelf.fetched.borrow_mut().clear();
    t.eval("posterior(a, b/0, b/1)");
    let mut fetched = t.shelf.fetched.take();
    fetched.sort();
    assert_eq!(fetched, ["a/0", "a/1", "a/2", "b/0"]);
    let t = told(&[("a", 0.6), ("b/0", 0.398), ("b/1", 0.002)]);
    near(&t.eval("posterior(a, b/0, b/1)"), &t.sum(&[(0.6, "a"), (0.398, "b/0"), (0.002, "b/1")]), "heard");
    // It is the share among them that counts, however much more probable none of them is.
    let t = told(&[("a", 9e-5), ("b/0", 1e-5), ("b/1", 0.0)]);
    near(&t.eval("posterior(a, b/0)"), &t.sum(&[(0.9, "a"), (0.1, "b/0")]), "all improbable");
    let t = told(&[("a", 0.0), ("b/0", 0.0)]);
    near(&t.eval("posterior(a, b/0)"), &t.sum(&[(0.5, "a"), (0.5, "b/0")]), "nothing to go by");
}

#[test]
fn what_explains_the_query_is_let_through() {
    let t = told(&[("a", 0.5), ("b", 0.25), ("b/0", 0.2)]);
    let not = Told { explains: false, ..told(&[("a", 0.5), ("b", 0.25), ("b/0", 0.2)]) };
    // The candidates of each: skills and tasks in the recipe, each once.
    for (text, inner, candidates) in [
        ("gated(mean(a))", "mean(a)", &["a"][..]),
        ("gated(posterior(a, b/0))", "posterior(a, b/0)", &["a", "b/0"]),
        ("gated(mean(b/0, a) | conv(b/0))", "mean(b/0, a) | conv(b/0)", &["b/0", "a"]),
        ("gated(top(2))", "top(2)", &["b", "a"]),
        ("gated(posterior(a, top(1)))", "posterior(a, top(1))", &["a", "b"]),
        ("gated(auto)", "auto", &["a", "b"]),
        ("gated(primed(a) | with_query(0.25))", "primed(a) | with_query(0.25)", &["a"]),
    ] {
        t.asked.borrow_mut().clear();
        assert_eq!(t.eval(text), t.eval(inner), "{text}");
        assert_eq!(t.asked.borrow()[0], candidates, "{text}");
        assert_eq!(not.eval(text), not.shelf.query, "{text}");
    }
    // Within a mix it is that state or the query's.
    near(&t.eval("mean(gated(a), b/0)"), &t.sum(&[(0.5, "a"), (0.5, "b/0")]), "within");
    near(&not.eval("mean(gated(a), b/0)"), &not.sum(&[(0.5, "query"), (0.5, "b/0")]), "within, not explained");
}

#[test]
fn primed_and_auto_are_what_they_stand_for() {
    let t = told(&[("a", 0.5), ("b/0", 0.5)]);
    near(&t.eval("primed(a)"), &t.sum(&[(2.0, "a"), (1.0, "query")]), "read from a task");
    near(&t.eval("primed(0.5*a/0 + 0.5*b/0)"), &t.sum(&[(1.0, "a/0"), (1.0, "b/0"), (1.0, "query")]), "read from a sum");
    near(&t.eval("auto"), &t.sum(&[(0.56, "a"), (0.24, "b"), (0.2, "query")]), "auto");
    near(&t.eval("0.5*auto + a/0"), &t.sum(&[(0.28, "a"), (0.12, "b"), (0.1, "query"), (1.0, "a/0")]), "auto in a sum");
    let alone = Told { auto: "query", ..t };
    assert_eq!(alone.eval("auto"), alone.shelf.query);
}

#[test]
fn an_ensemble_answers_with_its_states_in_order_and_others_with_one() {
    let t = told(&[("a", 0.5), ("b/0", 0.5)]);
    assert_eq!(t.answering("ensemble(b/1, a/0)"), t.shelf.all(&["b/1", "a/0"]));
    assert_eq!(t.answering("ensemble(b/1, a)"), t.shelf.all(&["b/1", "a/0", "a/1", "a/2"]), "a task is all of its skills");
    assert_eq!(t.answering("ensemble(top(2))"), t.shelf.all(&["a/0", "a/1"]));
    let parts = ["query", "mean(a)", "primed(b/0)", "posterior(a, b/0)"].map(|text| t.eval(text));
    assert_eq!(t.answering("ensemble(query, mean(a), primed(b/0), posterior(a, b/0))"), parts);
    for one in ["a", "mean(a, b/0)", "auto", "posterior(a, b/0)", "gated(a)", "query"] {
        assert_eq!(t.answering(one), [t.eval(one)], "{one}");
    }
    let pair = "gated(ensemble(query, a/0))";
    assert_eq!(t.answering(pair), [t.shelf.query.clone(), t.shelf.of("a/0")]);
    let not = Told { explains: false, ..t };
    assert_eq!(not.answering(pair), std::slice::from_ref(&not.shelf.query));
    let refused = |text: &str| text.parse::<Recipe>().unwrap().answering(&not).unwrap_err().to_string();
    assert!(refused("ensemble(0.5*a, b/0)").contains("ensemble takes no weights on its items"));
    assert!(refused("ensemble(query, ensemble(a, b/0))").contains("an answer, not a state"));
    assert!(refused("ensemble(a, b/0) | with_query(0.5)").contains("an answer, not a state"));
}

#[test]
fn a_posterior_may_act_on_a_layer_alone() {
    let t = told(&[("a", 0.6), ("b", 0.2)]);
    let (got, mixed) = (t.eval("posterior(a, b) @ 1..2 | over(query)"), t.sum(&[(0.75, "a"), (0.25, "b")]));
    assert_eq!((got.ssm_layer(0), got.conv_layer(0), got.dt_sum_layer(0)), {
        let q = &t.shelf.query;
        (q.ssm_layer(0), q.conv_layer(0), q.dt_sum_layer(0))
    });
    assert!(farthest(got.ssm_layer(1), mixed.ssm_layer(1)) < 1e-5 && farthest(got.conv_layer(1), mixed.conv_layer(1)) < 1e-5);
    assert!(farthest(got.ssm_layer(1), t.shelf.query.ssm_layer(1)) > 0.1, "the layers differ");
    let got = t.eval("auto @ 0..1 | over(primed(a))");
    assert_eq!((got.ssm_layer(0), got.ssm_layer(1)), (t.eval("auto").ssm_layer(0), t.eval("primed(a)").ssm_layer(1)));
}

#[test]
fn what_evidence_cannot_weigh_is_refused_with_a_sentence() {
    let t = told(&[("a", 0.6), ("b", 0.2)]);
    for (text, what) in [
        ("posterior(2*a, b)", "posterior takes no weights on its items"),
        ("posterior(-a, b)", "posterior takes no weights on its items"),
        ("posterior(mean(a), b)", "its items must be skills, tasks or `top(n)`"),
        ("posterior(query)", "its items must be skills, tasks or `top(n)`"),
        ("posterior(nope, a)", "no task `nope`"),
        ("gated(query)", "`gated` looks at the skills and tasks in its recipe, and there are none"),
        ("gated(primed(query + h0))", "there are none"),
        ("ensemble(a, b/0)", "it is an answer, not a state"),
        ("gated(ensemble(a, b/0))", "it is an answer, not a state"),
        ("mean(ensemble(a, b/0), a)", "it is an answer, not a state"),
        ("primed(ensemble(a, b/0))", "it is an answer, not a state"),
    ] {
        let message = t.refuse(text);
        assert!(message.contains(what), "{text}: {message}");
    }
    // Where there is no query there is no evidence.
    for text in ["posterior(a)", "posterior(top(2))", "primed(a)", "gated(a)", "auto", "gated(top(2))"] {
        let message = t.shelf.refuse(text);
        assert!(message.contains("there is no query here"), "{text}: {message}");
    }
    assert_eq!(t.shelf.eval("mean(a, b)"), t.eval("mean(a, b)"), "others need none");
}

/// The soup that evidence makes has tasks as ingredients, each the mean of its skills; a list of
/// tasks has all of their skills.
#[test]
fn a_soup_of_task_means_is_its_recipe() {
    let text = "(mean(0.7*mean(a), 0.3*mean(b)) | with_query(0.8)) | conv(query)";
    let recipe: Recipe = text.parse().unwrap();
    let soup = Soup::of_recipe(&recipe).unwrap();
    assert_eq!((soup.rule, soup.lambda, soup.conv), (Choice::default(), 0.8, Window::Query));
    let ingredients: Vec<(&str, f64, bool)> = soup.ingredients.iter().map(|i| (i.skill.as_str(), i.weight, i.mean)).collect();
    assert_eq!(ingredients, [("a", 0.7, true), ("b", 0.3, true)]);
    assert_eq!(soup.to_recipe().unwrap(), recipe);
    assert_eq!(soup.to_recipe().unwrap().to_string(), text);
    let json = serde_json::to_string(&soup).unwrap();
    assert_eq!(serde_json::from_str::<Soup>(&json).unwrap(), soup, "{json}");
    assert_eq!(toml::from_str::<Soup>(&toml::to_string(&soup).unwrap()).unwrap(), soup);
    let s = shelf();
    let want = mix::weighted_sum(&[s.eval("a"), s.eval("b"), s.query.clone()], &[0.56, 0.24, 0.2]).unwrap();
    let got = s.eval(text);
    assert!(farthest(got.ssm(), want.ssm()) < 1e-5);
    assert_eq!(got.conv(), s.query.conv());
    // Not what it would be with every skill as heavy as its task.
    assert!(farthest(got.ssm(), s.eval("(mean(0.7*a, 0.3*b) | with_query(0.8)) | conv(query)").ssm()) > 1e-3);

    for text in ["mean(a, b/1)", "mean(2*a, 0.5*b/1)", "sum(a, b)", "decay(a, b; gamma=1)"] {
        let recipe: Recipe = text.parse().unwrap();
        let soup = Soup::of_recipe(&recipe).unwrap();
        assert!(soup.ingredients.iter().all(|i| !i.mean), "{text}");
        assert_eq!(soup.to_recipe().unwrap(), recipe);
        assert!(!serde_json::to_string(&soup).unwrap().contains("mean\":false"), "soups are written as they were");
    }
    // One of each, and by another rule.
    for text in ["mean(2*mean(a), b/1)", "sum(mean(a), -1*mean(b))", "(slerp(mean(a), mean(b); t=0.25) | match_norm) | conv(mean(b))"] {
        let recipe: Recipe = text.parse().unwrap();
        assert_eq!(Soup::of_recipe(&recipe).unwrap_or_else(|| panic!("{text}")).to_recipe().unwrap(), recipe);
    }
    for text in [
        "mean(mean(a/0), b)",
        "mean(mean(2*a), b)",
        "mean(mean(a, b), b)",
        "auto",
        "posterior(a, b)",
        "primed(a)",
        "gated(mean(a))",
        "ensemble(a, b)",
    ] {
        assert_eq!(Soup::of_recipe(&text.parse().unwrap()), None, "{text}");
    }
}
