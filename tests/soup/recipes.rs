//! What recipes yield.

use crate::chunks::*;
use state_soup::error::{Error, Result};
use state_soup::soup::{Recipe, Resolver, decay, merge, mix, picaso};
use state_soup::state::{DecayRates, State, StateShape};
use std::cell::RefCell;

/// A library of two tasks: `a` with three skills, `b` with two; a query; similarities that fall with the index.
struct Shelf {
    rates: DecayRates,
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
    fn shape(&self) -> StateShape {
        SHAPE
    }

    fn rates(&self) -> &DecayRates {
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
    let cases: [(&str, Result<State>); 17] = [
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
